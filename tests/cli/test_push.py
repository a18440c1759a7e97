"""A run published on a stand-in for Hugging Face, and used by its name."""

import json
import os
import shutil
from pathlib import Path

import pytest
from flax import nnx

import seqnets as sn
from hub_server import TOKEN, HubServer
from seqnets.cli.main import main
from seqnets.cli.push import published_files
from seqnets.errors import UserError

pytest.importorskip("huggingface_hub")


@pytest.fixture
def server(seqnets, monkeypatch):
    server = HubServer()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.delenv("SEQNETS_OFFLINE", raising=False)
    yield server
    server.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps, whose settings hold the absolute path of the corpus."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "numbers.txt").write_text("one two three four five six seven eight nine ten\n" * 60)
    words = ["--train.steps", "2", "--model.hidden-features", "8", "--data.window", "8", "--train.batch-size", "4"]
    assert main(["train", str(folder / "numbers.txt"), *words, "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def run(seqnets, trained, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    return Path("run")


def test_a_run_is_published_and_used_by_its_name(seqnets, server, run, trained):
    outcome = seqnets("push", run, "hf:ann/numbers")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(f"run is published at {server.url}/ann/numbers: ")
    files = server.repositories["ann/numbers"]
    assert {"config.json", "config.toml", "vocabulary.json", "model.safetensors", "metrics.jsonl", "README.md"} <= set(files)
    assert not any("checkpoint" in name or "timing" in name or "lock" in name for name in files)
    for name, content in files.items():
        for secret in (str(trained), TOKEN, os.path.expanduser("~/")):
            assert secret.encode() not in content, name
    assert b'"numbers.txt"' in files["config.toml"]

    same = ["--length", 30, "--seed", 1, "--prompt", "one"]
    theirs, ours = seqnets("sample", "hf:ann/numbers", *same), seqnets("sample", run, *same)
    assert theirs.code == 0, theirs.err
    assert theirs.out == ours.out
    verified = seqnets("verify", "hf:ann/numbers")
    assert verified.code == 0, verified.err
    assert {line.split()[-1] for line in verified.out.splitlines()} == {"whole"}
    assert seqnets("evaluate", "hf:ann/numbers", trained / "numbers.txt", "--offline").code == 0
    assert sn.load("hf:ann/numbers").config["task"] == "text"
    pulled = seqnets("download", "hf:ann/numbers")
    assert pulled.code == 0, pulled.err
    assert Path(pulled.out.strip().partition(": ")[2], "model.safetensors").is_file()


def test_a_change_of_a_published_file_is_found(seqnets, server, run):
    assert seqnets("push", run, "hf:ann/numbers").code == 0
    files = server.repositories["ann/numbers"]
    for name, part in {"metrics.jsonl": b"0", "config.toml": b"o", "vocabulary.json": b"o", "config.json": b"lstm"}.items():
        whole = files[name]
        files[name] = whole.replace(part, bytes([part[0] + 1]) + part[1:], 1)
        verified = seqnets("verify", "hf:ann/numbers")
        assert verified.code == 2, name
        assert "damaged" in verified.out + verified.err
        files[name] = whole
    assert seqnets("verify", "hf:ann/numbers").code == 0


def test_the_wrong_verb_names_the_right_one(seqnets, server, run):
    assert seqnets("push", run, "hf:ann/numbers").code == 0
    outcome = seqnets("caption", "hf:ann/numbers", "a.png")
    assert outcome.code == 2
    assert "'hf:ann/numbers' is a run of `seqnets train text`; try `seqnets sample hf:ann/numbers`" in outcome.err


@pytest.mark.parametrize(("words", "said"), [
    (["run", "ann/numbers"], "'ann/numbers' is not a repository on Hugging Face; write hf:OWNER/NAME"),
    (["none", "hf:ann/numbers"], "'none' is not a folder"),
    (["run", "hf:bob/numbers"], "does not let you write"),
    (["run", "hf:ann/numbers", "--offline"], "without the network"),
])  # fmt: skip
def test_what_cannot_be_published(seqnets, server, run, words, said):
    outcome = seqnets("push", *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert server.repositories == {}


def test_a_damaged_or_unfinished_run_is_not_published(seqnets, server, run):
    whole = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").write_bytes(whole[:-4] + b"abcd")
    assert "is damaged" in seqnets("push", run, "hf:ann/numbers").err
    (run / "model.safetensors").unlink()
    assert "has no model.safetensors" in seqnets("push", run, "hf:ann/numbers").err
    assert server.repositories == {}


def test_paths_in_the_card_and_in_the_description_become_names(tmp_path):
    model = sn.CharLM(sn.Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
    sn.save_run(model, tmp_path / "run")
    card = (tmp_path / "run" / "README.md").read_text()
    paths = "/home/ann/my/letters.txt ~/b/c.txt --out=/x/y/run 3/4 a/b https://a.org/b/c C:\\Ann\\d.txt"
    (tmp_path / "run" / "README.md").write_text(f"{card}| command | `seqnets train {paths}` |\n")
    files = published_files(tmp_path / "run")
    line = files["README.md"].decode().splitlines()[-1]
    assert line == "| command | `seqnets train letters.txt c.txt --out=run 3/4 a/b https://a.org/b/c d.txt` |"
    stated = json.loads(files["config.json"])
    assert (stated["checkpoints"], stated["model"]["kind"]) == ("left out", "CharLM")
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    for name, content in files.items():
        (tmp_path / "run" / name).write_bytes(content)
    assert sn.load(tmp_path / "run").config["task"] == "text"


def test_a_text_that_still_holds_the_home_folder_is_refused(tmp_path, monkeypatch):
    model = sn.CharLM(sn.Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
    sn.save_run(model, tmp_path / "run")
    monkeypatch.setenv("HOME", "/home/ann")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1, "note": "/home/ann/x"}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl holds the path of your home"):
        published_files(tmp_path / "run")
