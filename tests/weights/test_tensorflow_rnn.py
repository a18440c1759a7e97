"""Character models of TensorFlow 1 against a float64 loop and the recorded losses of two published ones."""

import itertools
import json

import numpy as np
import pytest

import seqnets as sn
from seqnets.decode import score
from seqnets.errors import UserError
from seqnets.weights import char_lm_from_tensorflow, read_ml5

CHARACTERS = "ba\nc"
CELL = "rnnlm/multi_rnn_cell/cell_{}/basic_lstm_cell/{}"


def arrays_of(layers=2, hidden=5, embedding=3):
    rng = np.random.default_rng(0)
    shapes = {"embedding": (4, embedding), "rnnlm/softmax_w": (hidden, 4), "rnnlm/softmax_b": (4,)}
    for number in range(layers):
        shapes[CELL.format(number, "kernel")] = ((hidden if number else embedding) + hidden, 4 * hidden)
        shapes[CELL.format(number, "bias")] = (4 * hidden,)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def naive_nats(arrays, tokens, layers=2):
    """TensorFlow's cell in float64: i, j, f, o, and 1 added to the forget gate."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
    hidden = len(arrays["rnnlm/softmax_w"])
    cells, outputs = np.zeros((layers, hidden)), np.zeros((layers, hidden))
    nats = []
    for token, after in itertools.pairwise(tokens):
        x = arrays["embedding"][token]
        for number in range(layers):
            kernel, bias = (arrays[CELL.format(number, part)] for part in ("kernel", "bias"))
            i, j, f, o = np.split(np.concatenate([x, outputs[number]]) @ kernel + bias, 4)
            cells[number] = cells[number] * sigmoid(f + 1) + sigmoid(i) * np.tanh(j)
            x = outputs[number] = sigmoid(o) * np.tanh(cells[number])
        logits = x @ arrays["rnnlm/softmax_w"] + arrays["rnnlm/softmax_b"]
        nats.append(np.log(np.exp(logits).sum()) - logits[after])
    return np.array(nats)


def test_losses_are_those_of_a_naive_loop():
    tokens = np.random.default_rng(1).integers(0, 4, 60)
    model = char_lm_from_tensorflow(arrays_of(), CHARACTERS)
    assert score(model, tokens.astype(np.int32)).nats == pytest.approx(naive_nats(arrays_of(), tokens).mean(), abs=1e-5)


def ml5_folder(folder, arrays, characters=CHARACTERS):
    manifest = {name: {"filename": f"{number}.bin", "shape": array.shape} for number, (name, array) in enumerate(arrays.items())}
    for name, entry in manifest.items():
        (folder / entry["filename"]).write_bytes(arrays[name].astype("<f4").tobytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "vocab.json").write_text(json.dumps({character: number for number, character in enumerate(characters)}))
    return folder


def test_a_folder_of_ml5_becomes_a_run(tmp_path):
    model = read_ml5(ml5_folder(tmp_path, arrays_of()))
    assert model.vocabulary.characters == CHARACTERS
    sn.save_run(model, tmp_path / "run")
    again = sn.load(tmp_path / "run").model
    assert sn.sample(again, "ab", length=20) == sn.sample(model, "ab", length=20)
    np.testing.assert_array_equal(again.rnn.layers[1].cell.kernel[...], model.rnn.layers[1].cell.kernel[...])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda arrays: arrays.pop("rnnlm/softmax_b"), "there is no array 'softmax_b'"),
        (lambda arrays: arrays.pop(CELL.format(0, "bias")), "a kernel and a bias for each of cell_0"),
        (lambda arrays: arrays.update(momentum=np.ones(3)), "'momentum' belongs to no part"),
        (lambda arrays: arrays.update({CELL.format(1, "kernel"): np.ones((9, 20))}), "kernel must have the shape"),
        (lambda arrays: arrays.update({"rnnlm/softmax_b": np.ones(5)}), r"output_bias must have the shape \(4,\), not \(5,\)"),
        (lambda arrays: arrays.update(embedding=np.ones(4)), "which no embedding has"),
        (lambda arrays: arrays.update({CELL.format(0, "bias"): np.ones(19)}), "bias of a cell must have 4 x 5 columns"),
    ],
)
def test_arrays_that_do_not_fit_are_one_sentence(change, sentence):
    arrays = arrays_of()
    change(arrays)
    with pytest.raises(UserError, match=sentence):
        char_lm_from_tensorflow(arrays, CHARACTERS)


def test_damaged_folders_are_one_sentence(tmp_path):
    folder = ml5_folder(tmp_path, arrays_of(), "ba\n")
    with pytest.raises(UserError, match="has 3 characters for 4 numbers, and none for 3"):
        read_ml5(folder)
    ml5_folder(tmp_path, arrays_of())
    (folder / "0.bin").write_bytes(b"abc")
    with pytest.raises(UserError, match=r"0\.bin' has 3 bytes"):
        read_ml5(folder)
    (folder / "manifest.json").write_text('{"embedding": 3}')
    with pytest.raises(UserError, match=r"manifest\.json"):
        read_ml5(folder)


@pytest.mark.parametrize(("name", "bits"), [("shakespeare", 1.992), ("darwin", 2.477)])
def test_published_models_have_their_recorded_losses(shared_data, name, bits):
    from safetensors.numpy import load_file

    folder = shared_data / "char_rnn"
    if not folder.is_dir():
        pytest.skip("no published character models here")
    expected = json.loads((folder / f"{name}_expected.json").read_text())
    model = char_lm_from_tensorflow(
        load_file(folder / f"{name}.safetensors"), json.loads((folder / f"{name}_vocabulary.json").read_text())
    )
    tokens = model.vocabulary.encode((folder / f"{name}_excerpt.txt").read_text("utf-8"))
    found = sn.inspect.surprise(model, tokens)
    nats = found.bits[1:400] * np.log(2)  # recorded with six digits
    np.testing.assert_allclose(nats, expected["nats_of_first_399_predictions"], rtol=1e-5, atol=1e-5)
    text = shared_data / "text" / ("tinyshakespeare.txt" if name == "shakespeare" else "darwin.txt")
    stretch = text.read_text("utf-8")[-40_000:] if name == "shakespeare" else text.read_text("utf-8")[200_000:240_000]
    streams = model.vocabulary.encode(stretch).reshape(20, 2_000)
    nats = np.mean([score(model, stream).nats for stream in streams])
    assert nats == pytest.approx(expected["mean_nats_of_40000_characters"], abs=1e-5)
    assert nats / np.log(2) == pytest.approx(bits, abs=1e-3)
