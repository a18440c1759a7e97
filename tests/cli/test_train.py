"""`seqnets train`: runs, resumption, every way to state a setting, and the mistakes people make."""

import gzip
import io
import json
import sys
import tomllib
from pathlib import Path

import pytest

from seqnets.models import CharLMConfig
from seqnets.tasks import text
from seqnets.tasks.text import TextRunConfig

TINY = ("--train.steps", 4, "--train.batch-size", 2, "--data.window", 8, "--model.hidden-features", 4, "--train.log-every", 2)


@pytest.fixture(autouse=True)
def short_sample(monkeypatch):
    monkeypatch.setattr(text, "SAMPLE_CHARACTERS", 20)


def test_a_run_ends_with_a_figure_a_sample_and_the_next_commands(seqnets, corpus):
    outcome = seqnets("train", "numbers.txt", *TINY)
    assert outcome.code == 0, outcome.err
    assert "---- a sample ---" in outcome.out
    metrics = [json.loads(line) for line in Path("runs/numbers/metrics.jsonl").read_text().splitlines()]
    nats = next(line["validation_nats"] for line in metrics if "validation_nats" in line)
    assert f"validation: nats {nats:.4f}, bits per char " in outcome.out
    assert "seqnets sample runs/numbers" in outcome.out
    assert "seqnets evaluate runs/numbers FILE" in outcome.out
    assert "step 4/4" in outcome.err


def test_the_same_command_goes_on_where_it_stopped(seqnets, corpus):
    first = seqnets("train", "numbers.txt", *TINY)
    again = seqnets("train", "numbers.txt", *TINY)
    assert again.code == 0
    assert "complete" in again.err
    assert again.out == first.out


def test_the_run_keeps_settings_that_make_the_same_run(seqnets, corpus, tmp_path):
    seqnets("train", "numbers.txt", "--out", "first", *TINY)
    kept = tomllib.loads(Path("first/config.toml").read_text())
    assert kept["corpus"] == [str(tmp_path / "numbers.txt")]
    assert kept["model"]["hidden_features"] == 4
    outcome = seqnets("train", "--config", "first/config.toml", "--out", "second")
    assert outcome.code == 0, outcome.err
    assert Path("first/metrics.jsonl").read_bytes() == Path("second/metrics.jsonl").read_bytes()


def test_words_win_over_the_file_and_the_file_over_the_defaults(seqnets, corpus):
    model, train = 'hidden_features = 5\ncell = "gru"', "steps = 2\nbatch_size = 2"
    Path("small.toml").write_text(f'corpus = ["numbers.txt"]\n[model]\n{model}\n[train]\n{train}\n')
    outcome = seqnets("train", "--config", "small.toml", "--model.hidden_features=6", "--model.layer-norm", "--data.window", 8)
    assert outcome.code == 0, outcome.err
    model = tomllib.loads(Path("runs/small/config.toml").read_text())["model"]
    assert (model["hidden_features"], model["cell"], model["layer_norm"]) == (6, "gru", True)


def test_options_may_stand_between_the_texts(seqnets, corpus):
    (corpus.parent / "more.txt").write_text("eleven twelve\n" * 20)
    assert seqnets("train", "numbers.txt", *TINY, "--model.tied", "false", "more.txt").code == 0
    assert len(tomllib.loads(Path("runs/numbers-and-1-more/config.toml").read_text())["corpus"]) == 2


def test_the_task_may_be_named(seqnets, corpus):
    outcome = seqnets("train", "text", "numbers.txt", "--out", "run", *TINY)
    assert outcome.code == 0, outcome.err


def test_a_text_file_called_like_a_task_is_reached_by_its_path(seqnets, corpus):
    corpus.rename(corpus.with_name("text"))
    assert seqnets("train", "./text", *TINY).code == 0


def test_a_text_from_standard_input(seqnets, corpus, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(corpus.read_bytes())))
    outcome = seqnets("train", "-", *TINY)
    assert outcome.code == 0, outcome.err
    assert tomllib.loads(Path("runs/standard-input/config.toml").read_text())["corpus"] == ["-"]


def test_without_a_text_it_is_the_standard_library(seqnets):
    outcome = seqnets("train", "--dry-run", *TINY)
    assert outcome.code == 0, outcome.err
    assert "the source of Python's standard library: " in outcome.err


def test_a_dry_run_tells_sizes_and_leaves_nothing(seqnets, corpus, tmp_path):
    outcome = seqnets("train", "numbers.txt", *TINY, "--dry-run")
    assert outcome.code == 0, outcome.err
    # vocabulary: the 15 letters of the words, space and newline; embedding, LSTM with one bias, output layer
    size, embedding, hidden = len(set(corpus.read_text())), 64, 4
    lstm = 4 * hidden * (embedding + hidden + 1)
    assert f"parameters: {size * embedding + lstm + size * (hidden + 1):,}\n" in outcome.out
    for word in ("batch: inputs int32[2, 8]", "MB during a step", "ms per step", "4 steps take about"):
        assert word in outcome.out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        ((), "standard-library"),
        (("hamlet.txt",), "hamlet"),
        (("texts/hamlet.txt.gz",), "hamlet"),
        (("texts/",), "texts"),
        (("texts/*.txt",), "texts"),
        (("-",), "standard-input"),
        (("a.txt", "b.txt", "c.txt"), "a-and-2-more"),
        ((".hidden",), "hidden"),
    ],
)
def test_the_folder_is_named_after_the_text(sources, name):
    assert text.RECIPE.run_name(TextRunConfig(corpus=sources)) == name


MISTAKES = [
    (["nofile.txt"], "there is no file or folder 'nofile.txt'; check the path"),
    (["empty.txt"], "'empty.txt' is empty; give a text to read"),
    (["short.txt"], "'short.txt' has 9 characters, too few for one window of 64"),
    (["latin.txt"], "byte 3"),
    (["captoner"], "there is no task or file 'captoner'; did you mean `seqnets train captioner`?"),
    (["folder"], "'folder'"),
    (["numbers.txt", "--modl.cell", "lstm"], "unknown option '--modl.cell'; did you mean '--model.cell'?"),
    (["numbers.txt", "--window", "3"], "unknown option '--window'; did you mean '--data.window'?"),
    (
        ["numbers.txt", "--model.hiddenfeatures=3"],
        "unknown option '--model.hiddenfeatures'; did you mean '--model.hidden-features'?",
    ),
    (["numbers.txt", "--model.cell", "lst"], "--model.cell must be 'lstm', 'gru', "),
    (["numbers.txt", "--model.cell", "lst"], "', not 'lst'"),
    (["numbers.txt", "--train.steps", "1e3"], "--train.steps must be a whole number, not '1e3'"),
    (["numbers.txt", "--train.steps", "0"], "command line: train.steps must be at least 1, not 0"),
    (["numbers.txt", "--train.steps"], "--train.steps needs a value"),
    (["numbers.txt", "--resume", "maybe"], "--resume must be one of 'auto', 'never', 'must', not 'maybe'"),
    (["numbers.txt", "--resume", "must"], "'runs/numbers' has no checkpoint to resume from"),
    (["numbers.txt", "--out", "numbers.txt"], "'numbers.txt' is a file; give a folder for the run"),
    (["numbers.txt", "--out", "folder"], "'folder' is not a run folder and not empty"),
    (["--config", "none.toml"], "cannot read the configuration 'none.toml': No such file or directory"),
    (["--config", "typo.toml"], "typo.toml: unknown key 'layer' in [model]; did you mean 'layers'?"),
    (["--config", "task.toml"], "task.toml: unknown task 'txt'; did you mean 'text'?"),
    (["text", "--config", "task.toml"], "task.toml: task must be 'text', not 'txt'"),
    (["numbers.txt", "--model.tied", "--model.embedding-features", "0"], "model.tied"),
    (["numbers.txt", "--data.vocabulary", "bytes", "--data.encoding", "latin-1"], "data.encoding 'latin-1' has no effect"),
    (["numbers.txt", "--data.validation-fraction", "0.6", "--data.test-fraction", "0.5"], "leave nothing to train on"),
    (["broken.gz"], "'broken.gz' is not a complete gzip file"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_reported_in_one_sentence_and_leaves_nothing(seqnets, corpus, tmp_path, words, message):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "short.txt").write_text("too short")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 " * 200)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    (tmp_path / "typo.toml").write_text("[model]\nlayer = 2\n")
    (tmp_path / "task.toml").write_text('task = "txt"\n')
    (tmp_path / "broken.gz").write_bytes(gzip.compress(corpus.read_bytes())[:-9])
    outcome = seqnets("train", *words)
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("seqnets: ")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert not (tmp_path / "runs").exists()


def test_a_changed_setting_is_not_mixed_into_an_older_run(seqnets, corpus):
    seqnets("train", "numbers.txt", *TINY)
    outcome = seqnets("train", "numbers.txt", *TINY, "--train.learning-rate", "0.1")
    assert outcome.code == 2
    assert "learning_rate was 0.005 and is now 0.1" in outcome.err


@pytest.mark.parametrize(
    ("backend", "units", "compiler", "preferred"),
    [
        ("auto", 128, False, True),
        ("auto", 128, True, False),
        ("scan", 256, True, True),
        ("scan", 512, False, False),
        ("native", 128, True, False),
    ],
)
def test_small_models_on_the_portable_backend_take_a_device_for_each_core(monkeypatch, backend, units, compiler, preferred):
    monkeypatch.setattr("seqnets.ops.native.build.library", lambda: "a library" if compiler else None)
    model = CharLMConfig(hidden_features=units, backend=backend)
    assert text.prefers_mesh(TextRunConfig(model=model)) == preferred
