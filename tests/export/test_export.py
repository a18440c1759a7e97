"""Exported programs compute what the model computes: in onnxruntime, and in a process that has JAX alone."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.cli.main import main
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.errors import UserError
from seqnets.export import export_run, programs_of
from seqnets.export.onnx.write import onnx_model
from seqnets.export.stablehlo import stablehlo
from seqnets.models.registry import abstract_model
from seqnets.weights.convert import network_variables

VOCABULARY = sn.Vocabulary.from_text("abcdef")
TEXT = {
    "lstm": ({"cell": "lstm", "layers": 2}, ["LSTM", "LSTM"]),
    "lstm_embedded": ({"cell": "lstm", "embedding_features": 5}, ["LSTM"]),
    "gru_after_residual": ({"cell": "gru", "layers": 2, "residual": True, "embedding_features": 8}, ["GRU", "GRU"]),
    "gru_before": ({"cell": "gru", "reset": "before"}, ["GRU"]),
    "vanilla_tied": ({"cell": "vanilla", "tied": True, "embedding_features": 5}, ["RNN"]),
    "vanilla_relu": ({"cell": "vanilla", "activation": "relu"}, ["RNN"]),
    "mingru": ({"cell": "mingru"}, ["Scan"]),
    "highway_zoneout": ({"cell": "highway", "zoneout": 0.1}, ["Scan"]),
    "lstm_layer_norm": ({"cell": "lstm", "layer_norm": True, "zoneout": 0.1}, ["Scan"]),
}


def text_model(**options):
    return randomized(sn.CharLM(VOCABULARY, hidden_features=8, **options, rngs=nnx.Rngs(0)))


def randomized(model):
    rng = np.random.default_rng(0)
    for variable in network_variables(model).values():
        shape = variable.get_raw_value().shape
        variable.set_value(jnp.asarray(rng.uniform(-0.5, 0.5, shape) + (len(shape) == 1), jnp.float32))
    return model


def captioner(**options):
    vocabulary = WordVocabulary(("a", "dog", "runs"))
    return randomized(
        sn.Captioner(
            vocabulary, hidden_features=8, embedding_features=6, image_size=16, encoder_width=2, **options, rngs=nnx.Rngs(0)
        )
    )


def inputs_of(program, rows):
    rng = np.random.default_rng(1)

    def array(spec):
        shape = [size if isinstance(size, int) else rows for size in spec.shape]
        integers = spec.dtype == jnp.int32
        return rng.integers(0, 4, shape).astype(np.int32) if integers else rng.normal(size=shape).astype(np.float32)

    return [array(spec) for spec in program.inputs.values()]


def assert_close(found, expected, tolerance=1e-5):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance * max(1.0, float(np.abs(theirs).max())))


def in_onnx(program, arrays):
    """Return the results of onnxruntime, and the operators of the graph."""
    onnx = pytest.importorskip("onnx")
    content = onnx_model(program)
    operators = [node.op_type for node in onnx.load_model_from_string(content).graph.node]
    return session_of(program, content)(*arrays), operators


def session_of(program, content=None):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(content or onnx_model(program), providers=["CPUExecutionProvider"])
    return lambda *arrays: session.run(list(program.outputs), dict(zip(program.inputs, arrays)))


@pytest.mark.parametrize("name", TEXT)
def test_text_models_in_onnx(name):
    options, operators = TEXT[name]
    step, window = programs_of(text_model(**options), window=4)
    arrays = inputs_of(window, 3)
    expected = jax.jit(window.afresh())(*arrays)
    found, used = in_onnx(window, arrays)
    assert_close(found, expected)
    assert [each for each in used if each in ("LSTM", "GRU", "RNN", "Scan")] == operators
    run, state = session_of(step), arrays[1:]
    for place in range(4):  # steps in a row are a window
        logits, *state = run(arrays[0][:, place], *state)
        assert_close([logits], [expected[0][:, place]])
    assert_close(state, expected[1:])


NETWORKS = {
    "resnet20": ({"depths": (1, 1, 1)}, 32),
    "alexnet_2012": ({"hidden_features": 8, "classes": 5}, 96),
    "densenet121": ({"depths": (1, 1), "classes": 5}, 32),
    "mobilenet_v2_same": ({"width": 0.25, "classes": 5}, 32),
    "googlenet": ({"classes": 5}, 64),
    "lenet5": ({}, 28),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in ("googlenet", "mobilenet_v2_same"))) for n in NETWORKS]
)
def test_networks_in_onnx(name):
    options, size = NETWORKS[name]
    (program,) = programs_of(randomized(abstract_model(name, **options)), image_size=size)
    arrays = inputs_of(program, 2)
    found, operators = in_onnx(program, arrays)
    assert_close(found, jax.jit(program.afresh())(*arrays), 1e-4)
    assert operators.count("Transpose") <= 2 + 6 * (name == "alexnet_2012")  # whose norms go along the features


def test_a_norm_after_a_convolution_is_part_of_it():
    (program,) = programs_of(randomized(abstract_model("resnet20", depths=(1, 1, 1))), image_size=32)
    _, operators = in_onnx(program, inputs_of(program, 1))
    assert not {"Mul", "Sub", "Sqrt", "Reciprocal"} & set(operators)
    assert operators.count("Add") == 4  # three shortcuts and the bias of the logits


@pytest.mark.parametrize("options", [{}, {"attention": "dot", "cell": "gru"}, {"attention": "none"}])
def test_captioners_in_onnx(options):
    model = captioner(**options)
    encode, step = programs_of(model)
    arrays = inputs_of(encode, 2)
    expected = jax.jit(encode.afresh())(*arrays)
    found, _ = in_onnx(encode, arrays)
    assert_close(found, expected)
    named = dict(zip(encode.outputs, expected))
    words = [np.full(2, model.vocabulary.begin, np.int32), *(np.asarray(named[name]) for name in list(step.inputs)[1:])]
    assert_close(in_onnx(step, words)[0], jax.jit(step.afresh())(*words))


WITH_JAX_ALONE = """
import json, sys
import jax, numpy as np
from pathlib import Path
folder = Path(sys.argv[1])
program = jax.export.deserialize(bytearray((folder / sys.argv[2]).read_bytes()))
arrays = dict(np.load(folder / "inputs.npz"))
results = program.call(*arrays.values())
np.savez(folder / "results.npz", *results)
assert not {"seqnets", "flax"} & set(sys.modules)
print(*program.platforms)
"""


@pytest.mark.parametrize("rows", [1, 3])
def test_stablehlo_needs_jax_alone(rows, tmp_path):
    model = text_model(layers=2)
    export_run(model, tmp_path, window=4)
    window = programs_of(model, window=4)[1]
    arrays = inputs_of(window, rows)
    np.savez(tmp_path / "inputs.npz", **dict(zip(window.inputs, arrays)))
    command = [sys.executable, "-c", WITH_JAX_ALONE, str(tmp_path), "window.stablehlo"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert (ran.returncode, ran.stdout.split()) == (0, ["cpu", "cuda", "tpu"]), ran.stderr
    assert_close(np.load(tmp_path / "results.npz").values(), jax.jit(window.afresh())(*arrays), 1e-6)


def test_a_program_that_was_traced_before_is_exported_without_native_kernels(tmp_path):
    window = programs_of(text_model(), window=4)[1]
    jax.jit(window.function)(*inputs_of(window, 1))
    assert b"seqnets_lstm" not in stablehlo(window)


def test_the_description_names_everything(tmp_path):
    model = text_model(layers=1)
    written = export_run(model, tmp_path / "out", window=4, platforms=["cpu"], description={"task": "text"})
    assert [path.name for path in written] == ["step.stablehlo", "window.stablehlo", "export.json"]
    said = json.loads((tmp_path / "out" / "export.json").read_text())
    assert said["vocabulary"] == {"kind": "chars", "characters": "abcdef"}
    assert (said["task"], said["platforms"]) == ("text", ["cpu"])
    step = said["programs"][0]
    assert step["inputs"] == [
        {"name": "tokens", "shape": ["batch"], "dtype": "int32"},
        {"name": "state.0.cell", "shape": ["batch", 8], "dtype": "float32"},
        {"name": "state.0.hidden", "shape": ["batch", 8], "dtype": "float32"},
    ]
    assert [output["name"] for output in step["outputs"]] == ["logits", "next.0.cell", "next.0.hidden"]


def test_npz_holds_every_array(tmp_path):
    model = captioner()
    export_run(model, tmp_path, format="npz")
    arrays = dict(np.load(tmp_path / "weights.npz"))
    assert {name: array.shape for name, array in arrays.items()} == {
        name: variable.get_raw_value().shape for name, variable in network_variables(model).items()
    }
    said = json.loads((tmp_path / "export.json").read_text())
    assert said["begin"] == 1
    assert said["arrays"].keys() == arrays.keys()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"format": "savedmodel"}, "format 'savedmodel' does not exist; choose one of stablehlo, onnx, npz"),
        ({"window": 0}, "window must be at least 1, not 0"),
        ({"platforms": ["cpu", "cpus"]}, "platforms are of cpu, cuda, rocm and tpu, not cpus"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(options, complaint, tmp_path):
    with pytest.raises(UserError, match=complaint):
        export_run(text_model(), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_half_precision_is_refused_in_onnx(tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(UserError, match="ONNX files are written in float32, and this model computes in bfloat16"):
        export_run(text_model(dtype="bfloat16"), tmp_path / "out", format="onnx")


def test_the_verb_exports_runs_and_networks(tmp_path, capsys):
    corpus = sn.read_text(__file__)
    model = sn.CharLM(corpus.vocabulary, hidden_features=4, embedding_features=3, rngs=nnx.Rngs(0))
    config = sn.TrainConfig(steps=1, batch_size=2, evaluate_every=0)
    sn.fit(sn.CharLMTask(model, corpus, window=4), config, directory=tmp_path / "run", progress=None)
    assert main(["export", str(tmp_path / "run"), "--window", "8", "--platforms", "cpu"]) == 0
    assert "window.stablehlo" in capsys.readouterr().out
    said = json.loads((tmp_path / "run" / "export" / "export.json").read_text())
    assert said["programs"][1]["inputs"][0]["shape"] == ["batch", 8]
    network = randomized(abstract_model("lenet5"))
    sn.weights.save_weights(network, tmp_path / "lenet.safetensors")
    words = ["export", "--model", "lenet5", "--weights", str(tmp_path / "lenet.safetensors"), "--out", str(tmp_path / "net")]
    assert main([*words, "--format", "npz"]) == 0
    assert main(words) == 2
    assert "give --image-size" in capsys.readouterr().err
    assert main(["export"]) == 2
    assert "give a run, or --model NAME" in capsys.readouterr().err
