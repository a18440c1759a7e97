"""Going on with a run: what to type is said, and works for every task and from every folder."""

import json
import sys
from pathlib import Path

import pytest

from seqnets import settings
from seqnets.cli import train
from seqnets.tasks import TASKS, text

TINY = ("--train.steps", 2, "--train.batch-size", 2, "--data.window", 8, "--model.hidden-features", 4)


@pytest.fixture
def asked(monkeypatch):
    """Note the recipe and the folder that would be trained."""
    calls = []
    monkeypatch.setattr(
        train, "_run", lambda recipe, config, sources, found, directory, start: calls.append((recipe, directory)) or 0
    )
    return calls


@pytest.fixture(params=TASKS)
def run(request, tmp_path):
    """A folder that looks like a run of each task."""
    folder = tmp_path / "some where" / "earlier"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(settings.dumps(TASKS[request.param].recipe().default()))
    (folder / "config.json").write_text(json.dumps({"format": "seqnets-run"}))
    return folder


@pytest.mark.parametrize("given", ["config.toml", "."])
def test_a_run_s_settings_go_on_in_its_folder(seqnets, asked, run, given):
    assert seqnets("train", "--config", run / given).code == 0
    assert asked == [(TASKS[settings.read(run / "config.toml")["task"]].recipe(), str(run))]
    assert seqnets("train", "--config", run / given, "--out", "other").code == 0
    assert asked[-1][1] == "other"


def test_settings_that_are_no_run_s_begin_one(seqnets, asked, tmp_path):
    (tmp_path / "wide").mkdir()
    (tmp_path / "wide" / "config.toml").write_text("[train]\nsteps = 3\n")
    assert seqnets("train", "--config", "wide/config.toml").code == 0
    assert asked[-1][1] == "runs/wide"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["", "config.toml"])
def test_a_run_as_data_is_refused_and_the_advice_works(seqnets, asked, tmp_path, task, name):
    folder = tmp_path / "a run"
    folder.mkdir()
    (folder / "config.toml").write_text(settings.dumps(TASKS[task].recipe().default()))
    (folder / "config.json").write_text(json.dumps({"format": "seqnets-run"}))
    option = {"captioner": ["--images"], "vqa": ["--images"]}.get(task, [])
    refused = seqnets("train", task, *option, Path("a run") / name)
    advice = "to continue the run: `seqnets train --config 'a run/config.toml'`"
    assert (refused.code, refused.err) == (2, f"seqnets: '{Path('a run') / name}' belongs to a run and is not data; {advice}\n")
    assert seqnets("train", "--config", "a run/config.toml").code == 0
    assert asked == [(TASKS[task].recipe(), "a run")]


def test_going_on_from_another_folder_and_runs_beside_the_texts(seqnets, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(text, "SAMPLE_CHARACTERS", 5)
    first = seqnets("train", ".", "--out", "runs/all", *TINY)
    assert first.code == 0, first.err
    again = seqnets("train", ".", "--out", "runs/all", *TINY)  # the run's own files are no part of its text
    assert (again.code, "complete" in again.err) == (0, True), again.err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    on = seqnets("train", "--config", "../runs/all")
    assert (on.code, "complete" in on.err) == (0, True), on.err
    assert list(Path().iterdir()) == []


def test_restarts_leave_the_other_words_as_they_are():
    words = ["a.txt", "--restarts", "3", "--train.steps=2", "--restarts=4", "--", "-dash.txt", "--restarts"]
    assert train._without_restarts(words, "text") == ["text", "a.txt", "--train.steps=2", "--", "-dash.txt", "--restarts"]


def test_a_text_from_standard_input_is_asked_for_when_it_is_scored(seqnets, corpus, monkeypatch):
    monkeypatch.setattr(text, "SAMPLE_CHARACTERS", 5)

    def piped(*words):
        with open(corpus, encoding="utf-8") as file:
            monkeypatch.setattr(sys, "stdin", file)
            return seqnets(*words)

    assert piped("train", "-", "--out", "piped", *TINY).code == 0
    assert piped("evaluate", "piped").code == 0
    monkeypatch.setattr(sys, "stdin", None)
    said = "seqnets: 'piped' was trained on standard input; pipe the same text into this command, or give it as FILE\n"
    assert seqnets("evaluate", "piped").err == said
    assert seqnets("evaluate", "piped", corpus).code == 0


def test_a_text_in_another_encoding_is_scored_as_the_advice_says(seqnets, corpus, monkeypatch):
    monkeypatch.setattr(text, "SAMPLE_CHARACTERS", 5)
    assert seqnets("train", corpus, "--out", "run", *TINY).code == 0
    Path("wide.txt").write_text("one two three four\n" * 9, encoding="utf-16")
    Path("same.txt").write_text("one two three four\n" * 9)
    refused = seqnets("evaluate", "run", "wide.txt")
    assert (refused.code, "pass --data.encoding utf-16" in refused.err) == (2, True)
    scores = [json.loads(seqnets("evaluate", "run", *words, "--json").out)["nats"] for words in
              (("wide.txt", "--data.encoding", "utf-16"), ("same.txt",))]  # fmt: skip
    assert scores[0] == scores[1]
    alone = seqnets("evaluate", "run", "--data.encoding", "utf-16")
    assert (alone.code, alone.err) == (2, "seqnets: --data.encoding is for your own text; give FILE, or leave it out\n")


def test_a_run_of_a_program_says_that_it_knows_no_text(seqnets, tmp_path):
    from flax import nnx

    import seqnets as sn

    (tmp_path / "a.txt").write_text("one two three\n" * 30)
    corpus = sn.read_text("a.txt", config=sn.TextConfig(window=8))
    model = sn.CharLM(corpus.vocabulary, hidden_features=4, rngs=nnx.Rngs(0))
    sn.fit(sn.CharLMTask(model, corpus), sn.TrainConfig(steps=2, batch_size=2), directory="run")
    assert seqnets("evaluate", "run").err == "seqnets: 'run' does not record its text; give the text as FILE\n"
    assert seqnets("evaluate", "run", "a.txt").code == 0
