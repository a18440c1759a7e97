"""`seqnets verify` finds what was changed, and only that."""

import json
import shutil

import pytest
from flax import nnx

import seqnets as sn
from seqnets.cli.main import main
from seqnets.run import read_weights, write_weights


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify") / "run"
    train(folder)
    return folder


def train(folder):
    corpus = sn.read_text(__file__)
    model = sn.CharLM(corpus.vocabulary, hidden_features=4, embedding_features=3, rngs=nnx.Rngs(0))
    config = sn.TrainConfig(steps=2, batch_size=2, save_every=1, evaluate_every=0)
    sn.fit(sn.CharLMTask(model, corpus, window=4), config, directory=folder, progress=None)


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
def test_a_changed_byte_is_reported(trained, name, capsys):
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
    error = capsys.readouterr().err
    assert codes == [2, 2, 2]
    assert error == f"seqnets: '{path}' is damaged: it does not match its checksum; put back a copy of it\n" * 3


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
    assert f"'{path}' is damaged: it does not match its checksum" in refused
    assert noted.startswith(f"note: '{path}' has changed since seqnets wrote it\n")


def test_what_is_no_run_is_refused(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 2
    assert "is not a run folder" in capsys.readouterr().err


LACKS = {
    "weights": (["model.safetensors"], ["model.safetensors"]),
    "figures": (["metrics.jsonl"], ["metrics.jsonl"]),
    "checkpoints": (["checkpoints"], ["checkpoints"]),
    "half a copy": (["model.safetensors", "checkpoints", "metrics.jsonl"], ["model.safetensors", "metrics.jsonl"]),
    "a checkpoint that is not the newest": (["checkpoints/1"], []),
}


@pytest.mark.parametrize("case", LACKS)
def test_what_is_missing_is_reported(trained, case, tmp_path, capsys):
    lost, expected = LACKS[case]
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    for name in lost:
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    code, found, _ = parts(folder, capsys)
    assert [part for part, damage in found.items() if damage] == expected
    assert code == (2 if expected else 0)
    assert "do not match" not in str(found)


def test_weights_of_another_step_are_reported_and_put_right_by_the_command_that_trained_them(trained, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    right, arrays = (folder / "model.safetensors").read_bytes(), read_weights(folder / "model.safetensors")
    write_weights(folder / "model.safetensors", {name: array + 1 for name, array in arrays.items()})
    code, found, _ = parts(folder, capsys)
    assert code == 2
    assert (
        "does not hold the weights of step 2, the best; the command that trained them writes them again"
        in found["model.safetensors"]
    )
    train(folder)
    assert (folder / "model.safetensors").read_bytes() == right
    assert parts(folder, capsys)[0] == 0


@pytest.mark.parametrize("lost", ["model.safetensors", "checkpoints model.safetensors metrics.jsonl"])
def test_the_advice_for_a_run_without_weights_fits(trained, lost, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    for name in lost.split():
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    assert main(["sample", str(folder), "--length", "3"]) == 2
    said = capsys.readouterr().err
    if "checkpoints" in lost:
        assert "the result of training is missing; copy the whole folder" in said
    else:
        assert "though its training has saved step 2; the command that trained it writes it again" in said
        train(folder)
        assert main(["sample", str(folder), "--length", "3"]) == 0


def test_a_checkpoint_that_is_deleted_meanwhile_is_no_damage(trained, tmp_path, capsys, monkeypatch):
    from seqnets.checkpoint import Checkpoints

    folder, read = tmp_path / "run", Checkpoints.read
    shutil.copytree(trained, folder)

    def deleting(checkpoints, step):
        if step == 1:
            (checkpoints.directory / "1").rename(checkpoints.directory / "1.deleting")
        return read(checkpoints, step)

    monkeypatch.setattr(Checkpoints, "read", deleting)
    code, found, _ = parts(folder, capsys)
    assert (code, "checkpoints/1" in found, found["checkpoints/2"]) == (0, False, None)
