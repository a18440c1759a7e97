"""Run folders: what is loaded, and what is refused in one sentence."""

import json
import shutil

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

import seqnets as sn
from seqnets.errors import UserError
from seqnets.named_arrays import host_arrays
from seqnets.run import load, read_weights, replace_file, write_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A character model trained for a moment."""
    from seqnets.data import read_text

    folder = tmp_path_factory.mktemp("text")
    (folder / "corpus.txt").write_text("the cat sat on the mat. " * 40)
    corpus = read_text(folder / "corpus.txt")
    model = sn.CharLM(corpus.vocabulary, cell="gru", hidden_features=8, embedding_features=4, rngs=nnx.Rngs(0))
    config = sn.TrainConfig(steps=6, batch_size=2, evaluate_every=3)
    return sn.fit(sn.CharLMTask(model, corpus, window=8), config, directory=folder / "run", progress=None)


@pytest.fixture
def folder(run, tmp_path):
    """A copy of the run folder to do harm to."""
    return shutil.copytree(run.directory, tmp_path / "run")


def test_a_loaded_model_is_the_trained_one(run):
    loaded = load(run.directory)
    ours, theirs = host_arrays(nnx.state(run.model)), host_arrays(nnx.state(loaded.model))
    assert ours.keys() == theirs.keys()
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in ours)
    assert loaded.vocabulary == run.vocabulary
    assert loaded.config == run.config
    assert loaded.metrics == run.metrics
    text = [sn.sample(model, length=20, key=jax.random.key(0)) for model in (run.model, loaded.model)]
    assert text[0] == text[1]


def test_the_copied_folder_alone_is_enough(run, tmp_path):
    for name in ("config.json", "vocabulary.json", "model.safetensors"):
        shutil.copy(run.directory / name, tmp_path / name)
    assert load(tmp_path).metrics == []


def test_weights_have_flat_names_that_other_programs_can_read(run):
    from safetensors.numpy import load_file

    arrays = load_file(run.directory / "model.safetensors")
    assert "rnn.layers.0.cell.recurrent_kernel" in arrays
    assert "embedding" in arrays
    assert all(name == name.strip(".") for name in arrays)


HARMS = {
    "no config": (lambda run: (run / "config.json").unlink(), "is not a run folder: it has no config.json"),
    "no weights": (lambda run: (run / "model.safetensors").unlink(), "has no model.safetensors, though its training has saved"),
    "cut weights": (lambda run: (run / "model.safetensors").write_bytes(b"\x10"), "cannot be read: .* header"),
    "not json": (lambda run: (run / "config.json").write_text("{"), "is not JSON"),
    "foreign json": (lambda run: (run / "config.json").write_text('{"model": 1}'), "was not written by seqnets"),
    "a list": (lambda run: (run / "config.json").write_text("[]"), "was not written by seqnets"),
    "the future": (lambda run: edit(run, format_version=3), "has format 3, but this seqnets reads 2; install the newer"),
    "half a config": (lambda run: edit(run, model=...), "is damaged: it has no 'model'"),
    "unknown kind": (lambda run: edit(run, model={"kind": "Oracle"}), "a model of kind 'Oracle', which seqnets does not"),
    "no settings": (lambda run: edit(run, model={"kind": "CharLM"}), "has no object 'config'"),
    "strange setting": (lambda run: edit(run, model={"kind": "CharLM", "config": {"size": 3}}), "unknown key 'size'"),
    "other sizes": (lambda run: edit_model(run, hidden_features=9), "does not fit"),
    "other layers": (lambda run: edit_model(run, layers=2), r"does not fit: 'rnn.layers.1\S+' is missing"),
    "no vocabulary": (lambda run: (run / "vocabulary.json").unlink(), "has no vocabulary.json, which its config.json lists"),
    "an old run without vocabulary": (lambda run: (edit(run), (run / "vocabulary.json").unlink()), "which its model needs"),
    "bad vocabulary": (lambda run: (edit(run), (run / "vocabulary.json").write_text('{"kind": 3}')), "vocabulary"),
    "another vocabulary": (
        lambda run: exchange(run / "vocabulary.json", "a", "b"),
        "vocabulary.json' is damaged: it",
    ),
    "another config": (lambda run: exchange(run / "config.json", "gru", "gsu"), r"config.json' is damaged: it does not match"),
    "a strange list of files": (lambda run: edit(run, files={"vocabulary.json": 3}), "its list of files is not valid"),
    "a config without checksum": (
        lambda run: exchange(run / "config.json", '"checksum"', '"checksun"'),
        "is damaged: it",
    ),
}


def exchange(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def edit(run, **changes):
    # as older versions wrote it, without checksums
    config = json.loads((run / "config.json").read_text()) | {"format_version": 1, "files": ..., "checksum": ...} | changes
    kept = {name: value for name, value in config.items() if value is not ...}
    (run / "config.json").write_text(json.dumps(kept))


def edit_model(run, **changes):
    model = json.loads((run / "config.json").read_text())["model"]
    edit(run, model={**model, "config": model["config"] | changes})


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_folder_is_refused_in_one_sentence(folder, harm):
    do, message = HARMS[harm]
    do(folder)
    with pytest.raises(UserError, match=message) as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_not_a_folder(tmp_path):
    with pytest.raises(UserError, match="is not a folder; give the run folder"):
        load(tmp_path / "nothing")


def test_flipped_bits_in_the_weights_never_pass_unnoticed(folder):
    path, rng = folder / "model.safetensors", np.random.default_rng(0)
    original, refused = path.read_bytes(), 0
    expected = {name: array.tobytes() for name, array in read_weights(path).items()}
    for _ in range(300):
        content, bit = bytearray(original), int(rng.integers(8 * len(original)))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            assert {name: array.tobytes() for name, array in read_weights(path).items()} == expected
        except UserError:
            refused += 1
    assert refused >= 297


def test_weights_that_another_program_wrote_can_be_written_as_the_runs(run, folder):
    path = folder / "model.safetensors"
    original = path.read_bytes()
    arrays = load_file(path)
    save_file(arrays, path)
    with pytest.raises(UserError, match=r"was written by another program, without the checksums of seqnets; .*write_weights\("):
        load(folder)
    write_weights(path, arrays)
    assert path.read_bytes() == original


def test_half_precision_and_keys_are_written_and_read(tmp_path):
    class Model(nnx.Module):
        def __init__(self):
            self.half = nnx.Param(jax.numpy.arange(3, dtype=jax.numpy.bfloat16))
            self.dropout = nnx.Dropout(0.5, rngs=nnx.Rngs(3))

    model = Model()
    write_weights(tmp_path / "model.safetensors", nnx.state(model))
    found = read_weights(tmp_path / "model.safetensors")
    assert found["half"].dtype == jax.numpy.bfloat16
    np.testing.assert_array_equal(found["half"], [0, 1, 2])
    assert found["dropout.rngs.key"].dtype == np.uint32


def test_equal_weights_make_equal_files(run, tmp_path):
    for name in ("a", "b"):
        write_weights(tmp_path / name, nnx.state(run.model))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    replace_file(path, "old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_damaged_samples_are_left_out(tmp_path):
    from seqnets.run import SAMPLES, read_samples

    good = b'{"step": 1, "text": "one"}\n'
    others = [
        b"{\n",
        b"[1]\n",
        b'{"step": "1", "text": "a"}\n',
        b'{"step": 2}\n',
        b"\xff\xfe\n",
        b"\n",
        b'{"step": 3, "text": "cut',
    ]
    (tmp_path / SAMPLES).write_bytes(b"".join([others[0], good, *others[1:]]))
    assert read_samples(tmp_path) == [{"step": 1, "text": "one"}]
