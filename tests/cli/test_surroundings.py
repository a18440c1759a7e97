"""Every verb in every surrounding: missing streams, narrow output, no home, no user entry, no folder that can be written."""

import io
import json
import os
import pwd
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqnets.cli.main import main

TINY = ("--train.steps", "1", "--train.batch-size", "2", "--model.hidden-features", "4")
QUICK = {
    "sample": "sample {0}/text --length 9 --seed 1 --prompt é",
    "sample as JSON": "sample {0}/text --length 9 --seed 1 --json --prompt é",
    "evaluate": "evaluate {0}/text --json",
    "evaluate a file": "evaluate {0}/text {0}/text.txt --streams 2",
    "verify": "verify {0}/text",
    "summary": "summary lenet5 --json",
    "summary in a table": "summary lenet5",
    "list": "summary --list",
    "score": "score {0}/results.json {0}/references.json --json",
    "score in a table": "score {0}/results.json {0}/references.json",
    "go on": "train --config {0}/text/config.toml",
    "help": "train --help",
    "overview": "--help",
}
SLOW = {
    "dry run": "train {0}/text.txt --dry-run --model.hidden-features 4",
    "predict": "predict {0}/classes --text good",
    "predict as JSON": "predict {0}/classes --text é --json",
    "predict a file": "predict {0}/classes {0}/text.txt",
    "caption": "caption {0}/captioner {0}/pictures/a/1.png {0}/pictures/b/1.png --json",
    "answer": "answer {0}/vqa {0}/pictures/a/1.png red?",
    "classify": "classify {0}/pictured {0}/pictures/a/1.png",
}
LINES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


def command(*words):
    assert main([str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run of a text, and captions to score."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text("one two three café\n" * 60, encoding="utf-8")
    command("train", folder / "text.txt", "--out", folder / "text", "--data.window", 8, *TINY)
    (folder / "results.json").write_text(json.dumps([{"image_id": n, "caption": "a dög"} for n in (1, 2)]))
    annotations = [{"image_id": n, "caption": "a dog"} for n in (1, 2)]
    (folder / "references.json").write_text(json.dumps({"images": [{"id": 1}, {"id": 2}], "annotations": annotations}))
    return folder


@pytest.fixture(scope="module")
def all_runs(runs):
    """Runs of the other tasks as well."""
    for name, shade in (("a", 200), ("b", 20)):
        (runs / "pictures" / name).mkdir(parents=True)
        for n in range(6):
            Image.fromarray(np.full((28, 28), shade + n, np.uint8)).save(runs / "pictures" / name / f"{n}.png")
    (runs / "questions.json").write_text(json.dumps([["red?", "yes" if n > 2 else "no", n] for n in range(6)]))
    (runs / "texts.csv").write_text("text,label\n" + "".join(f"good {n},yes\nbad {n},no\n" for n in range(10)))
    command("train", "text-classifier", runs / "texts.csv", "--out", runs / "classes", *TINY)
    asked = ("--images", runs / "pictures" / "a", "--questions", runs / "questions.json")
    command("train", "vqa", *asked, "--out", runs / "vqa", *TINY)
    small = ("--model.image-size", 28, "--model.encoder-width", 2, "--learning.validation-images", 2)
    command("train", "captioner", "--out", runs / "captioner", "--data.scenes", 4, *small, *TINY)
    network = ("--model.name", "lenet5", "--data.size", 28, "--data.channels", "gray", "--train.steps", 1)
    command("train", "classifier", runs / "pictures", "--out", runs / "pictured", "--train.batch-size", 2, *network)
    return runs


@pytest.fixture(params=LINES)
def words(request, runs):
    folder = request.getfixturevalue("all_runs") if request.param in SLOW else runs
    return [word.format(folder) for word in {**QUICK, **SLOW}[request.param].split()]


def ran(words, monkeypatch, **streams):
    """Run a command with streams of its own, and return its code and what it wrote on each."""
    own = {name: io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for name in ("stdout", "stderr")}
    with monkeypatch.context() as patch:
        for name, stream in (own | streams).items():
            patch.setattr(sys, name, stream)
        code = main(words)
    return code, *(stream.buffer.getvalue().decode("utf-8") for stream in own.values())


def without_times(text):
    return [line for line in text.splitlines() if not any(word in line for word in ("time:", "compiled in", "steps take"))]


def test_without_streams(words, monkeypatch):
    code, out, _ = ran(words, monkeypatch)
    assert code == 0
    assert ran(words, monkeypatch, stdin=None)[0] == 0
    assert ran(words, monkeypatch, stdout=None)[:2] == (0, "")
    silent = ran(words, monkeypatch, stderr=None)
    assert (silent[0], without_times(silent[1])) == (0, without_times(out))  # and not a word more
    assert ran(words, monkeypatch, stdin=None, stdout=None, stderr=None) == (0, "", "")


def test_narrow_output(words, monkeypatch):
    code, out, _ = ran(words, monkeypatch)
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert (code, ran(words, monkeypatch, stdout=narrow)[0]) == (0, 0)
    written = narrow.buffer.getvalue()
    assert without_times(written.decode("utf-8")) == without_times(out)
    assert "--json" not in words or (written.isascii() and json.loads(written))


@pytest.fixture
def nowhere(monkeypatch):
    """A user without an entry, a home or a place for temporary files, in a folder where nobody can write."""

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "SEQNETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", "/no/such/folder")
    monkeypatch.chdir("/proc")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that root cannot write either")
def test_without_a_home(words, monkeypatch, nowhere):
    code, _, err = ran(words, monkeypatch)
    assert (code, "internal error" in err) == (0, False), err
    assert not Path("~").exists()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that root cannot write either")
def test_a_run_that_cannot_be_written_is_one_sentence(runs, monkeypatch, nowhere):
    code, out, err = ran(["train", str(runs / "text.txt"), "--model.hidden-features", "4", "--train.steps", "1"], monkeypatch)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("seqnets: cannot use ")
