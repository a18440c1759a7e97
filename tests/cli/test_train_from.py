"""`seqnets train --from RUN`: what is kept, what is drawn, what the folder records, and what is refused."""

import fcntl
import json
import re
import shutil

import numpy as np
import pytest

from seqnets.run import read_config, read_weights

SMALL = ["--model.hidden-features", 8, "--model.embedding-features", 4]
QUICK = ["--data.window", 8, "--train.batch-size", 2, "--train.schedule", "constant", "--train.log-every", 1]


@pytest.fixture
def letters(tmp_path):
    path = tmp_path / "letters.txt"
    path.write_text("ein zwei drei vier fünf sechs sieben acht neun zehn — elf\n" * 30)
    return path


@pytest.fixture
def trained(seqnets, corpus):
    found = seqnets("train", corpus, "--out", "numbers", *SMALL, *QUICK, "--train.steps", 3)
    assert found.code == 0, found.err


def test_a_second_text_continues_with_the_weights_of_the_first(seqnets, trained, corpus, letters, tmp_path):
    more = ["train", letters, "--from", "numbers", *QUICK, "--model.dropout", 0.1, "--train.learning-rate", 1e-9]
    found = seqnets(*more, "--train.steps", 2)
    assert found.code == 0, found.err
    new = sorted(set(letters.read_text()) - set(corpus.read_text()))
    said = f"the vocabulary grows by {len(new)}: {', '.join(map(repr, new))}"
    assert f"beginning with the weights of 'numbers'; {said}" in found.err
    run = tmp_path / "runs" / "letters"
    config, old, new = (
        read_config(run),
        read_weights(tmp_path / "numbers" / "model.safetensors"),
        read_weights(run / "model.safetensors"),
    )
    assert config["model"]["config"]["hidden_features"] == 8
    assert config["model"]["config"]["dropout"] == 0.1
    assert config["from"]["run"] == str(tmp_path / "numbers")
    assert config["from"]["step"] == 3
    assert config["from"]["weights"]
    known = len(old["embedding"])
    np.testing.assert_allclose(new["embedding"][:known], old["embedding"], atol=1e-6)
    np.testing.assert_allclose(new["output_kernel"][:, :known], old["output_kernel"], atol=1e-6)
    assert "## Begun with" in (run / "README.md").read_text()
    assert said in (run / "README.md").read_text()
    assert seqnets("sample", run, "--prompt", "fünf", "--length", 5, "--seed", 1).code == 0
    assert seqnets("evaluate", run, "--json").code == 0


def test_a_stopped_run_continues_exactly_without_its_source(seqnets, trained, letters, tmp_path):
    def train(out, steps, *words):
        found = seqnets(
            "train",
            letters,
            "--out",
            out,
            *QUICK,
            "--train.steps",
            steps,
            "--train.save-every",
            2,
            "--train.evaluate-every",
            2,
            *words,
        )
        assert found.code == 0, found.err
        return found

    train("whole", 6, "--from", "numbers")
    train("parts", 4, "--from", "numbers")
    shutil.rmtree(tmp_path / "numbers")
    again = seqnets("train", "--config", "parts", "--train.steps", 6)
    assert again.code == 0, again.err
    assert "continuing 'parts' after step 4" in again.err
    assert "beginning with" not in again.err
    whole, parts = (read_weights(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array)
    assert (tmp_path / "whole" / "metrics.jsonl").read_bytes() == (tmp_path / "parts" / "metrics.jsonl").read_bytes()
    assert read_config(tmp_path / "parts")["from"] == read_config(tmp_path / "whole")["from"]
    train("parts", 6, "--from", "numbers")  # the same command, once more


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--model.hidden-features", 9],
            "model.hidden_features is 9, but that of 'numbers' is 8; leave it out",
        ),
        (["--data.vocabulary", "bytes"], "data.vocabulary is 'bytes', but that of 'numbers' is 'chars'"),
        (["--resume", "must"], "--from begins a run and --resume must only continues one"),
        (["--out", "numbers"], "'numbers' is the run to begin with and also the folder of the new run"),
    ],
)
def test_what_contradicts_is_refused(seqnets, trained, letters, tmp_path, words, said):
    found = seqnets("train", letters, "--from", "numbers", *words)
    assert (found.code, found.err.count("\n")) == (2, 1), found.err
    assert said in found.err
    assert not (tmp_path / "runs").exists()


def test_runs_that_cannot_be_begun_with_are_refused(seqnets, trained, letters, tmp_path):
    def refused(*words):
        found = seqnets(*words)
        assert found.code == 2
        return found.err

    assert "is not a folder" in refused("train", letters, "--from", "nowhere")
    assert "is a run of `seqnets train text`; give --from a run of `seqnets train tagger`" in refused(
        "train", "tagger", "--from", "numbers"
    )
    with open(tmp_path / "numbers" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "'numbers' is being trained; wait for its end" in refused("train", letters, "--from", "numbers")
    weights = tmp_path / "numbers" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    assert "put back a copy of it" in refused("train", letters, "--from", "numbers")


def test_a_run_that_began_otherwise_is_not_continued(seqnets, trained, corpus, letters):
    shutil.copytree("numbers", "others")
    assert seqnets("train", letters, "--from", "numbers", *QUICK, "--train.steps", 1, "--out", "run").code == 0
    found = seqnets("train", letters, "--from", "others", *QUICK, "--train.steps", 2, "--out", "run")
    assert found.code == 2
    assert "not with 'others'; give another folder with --out" in found.err
    found = seqnets("train", corpus, "--from", "run", *QUICK, "--out", "numbers")
    assert found.code == 2
    assert "began with random weights, not with 'run'" in found.err


def test_a_tagger_begins_with_another_one(seqnets, tmp_path):
    first = "".join("dog\tN\nruns\tV\n\n" * n for n in (9, 9))
    (tmp_path / "first.conll").write_text("".join(f"w{n % 7}\tN\nruns\tV\n\n" for n in range(40)) + first)
    (tmp_path / "second.conll").write_text("".join(f"w{n % 9}\tA\nruns\tV\n\n" for n in range(40)))
    small = ["--model.hidden-features", 4, "--train.steps", 1, "--train.batch-size", 2]
    assert seqnets("train", "tagger", "first.conll", "--out", "one", *small).code == 0
    found = seqnets("train", "tagger", "second.conll", "--from", "one", "--out", "two", *small[2:])
    assert found.code == 0, found.err
    assert "rows of the output layer are kept for 1 of 2 labels, new labels: 'A', old labels left out: 1" in found.err
    assert re.search(r"the vocabulary grows by 2: 'w\d', 'w8'", found.err)  # one was held out of the first
    assert json.loads((tmp_path / "two" / "config.json").read_text())["model"]["labels"] == ["A", "V"]
