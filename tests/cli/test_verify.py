"""`seqnets verify` finds what was changed, and only that."""

import json

import pytest
from flax import nnx

import seqnets as sn
from seqnets.cli.main import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify") / "run"
    corpus = sn.read_text(__file__)
    model = sn.CharLM(corpus.vocabulary, hidden_features=4, embedding_features=3, rngs=nnx.Rngs(0))
    config = sn.TrainConfig(steps=2, batch_size=2, save_every=1, evaluate_every=0)
    sn.fit(sn.CharLMTask(model, corpus, window=4), config, directory=folder, progress=None)
    return folder


def parts(folder, capsys):
    code = main(["verify", str(folder), "--json"])
    captured = capsys.readouterr()
    return code, {line["part"]: line["damage"] for line in json.loads(captured.out)}, captured.err


def test_a_whole_run_is_whole(trained, capsys):
    code, found, error = parts(trained, capsys)
    assert (code, error) == (0, "")
    assert set(found) == {
        *("config.json", "config.toml", "vocabulary.json", "model.safetensors", "metrics.jsonl"),
        *("checkpoints/1", "checkpoints/2"),
    }
    assert not any(found.values())


PLACES = ["model.safetensors", "checkpoints/2/files.json", "checkpoints/1/_CHECKPOINT_METADATA"]


@pytest.mark.parametrize("name", [*PLACES, "config.toml", "vocabulary.json", "metrics.jsonl"])
def test_a_changed_byte_is_told(trained, name, capsys):
    path = trained / name
    whole = path.read_bytes()
    path.write_bytes(whole[:20] + bytes([whole[20] ^ 4]) + whole[21:])
    try:
        code, found, error = parts(trained, capsys)
    finally:
        path.write_bytes(whole)
    damaged = [part for part, damage in found.items() if damage]
    assert code == 2
    assert damaged == ["/".join(name.split("/")[:2])]
    assert error == f"seqnets: '{trained}' is damaged: {damaged[0]}\n"


def test_a_changed_configuration_of_a_run_is_refused_by_all_that_read_it(trained, capsys):
    path = trained / "config.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"hidden_features": 4', b'"hidden_features": 5'))
    try:
        codes = [main([verb, str(trained)]) for verb in ("verify", "sample", "evaluate")]
    finally:
        path.write_bytes(whole)
    told = capsys.readouterr().err
    assert codes == [2, 2, 2]
    assert told == f"seqnets: '{path}' is damaged: it does not fit its checksum; put back a copy of it\n" * 3


def test_changed_settings_are_refused_by_evaluate_and_noted_by_train(trained, tmp_path, capsys):
    path = trained / "config.toml"
    whole = path.read_text()
    path.write_text(whole.replace("steps = 2", "steps = 3"))
    (tmp_path / "a.txt").write_text("to be or not to be " * 50)
    try:
        assert main(["evaluate", str(trained), str(tmp_path / "a.txt")]) == 2
        refused = capsys.readouterr().err
        main(["train", str(tmp_path / "a.txt"), "--config", str(path), "--out", str(tmp_path / "run"), "--dry-run"])
        noted = capsys.readouterr().err
    finally:
        path.write_text(whole)
    assert f"'{path}' is damaged: it does not fit its checksum" in refused
    assert noted.startswith(f"note: '{path}' is no longer as seqnets wrote it\n")


def test_what_is_no_run_is_refused(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 2
    assert "is not a run folder" in capsys.readouterr().err
