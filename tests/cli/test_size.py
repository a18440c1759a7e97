"""`seqnets train --size --minutes`: what is chosen, what stays as given, and that a run continues as it was planned."""

import signal
import tomllib
from pathlib import Path

import pytest

from seqnets.tasks import text
from seqnets.tasks.text import plan
from seqnets.tasks.text.sizes import SIZES
from seqnets.tasks.text.task import CharLMTask
from seqnets.train.pace import Pace

BRIEF, SHORT = ("--train.steps", 2), ("--train.batch-size", 2, "--data.window", 8)


@pytest.fixture(autouse=True)
def short_sample(monkeypatch):
    monkeypatch.setattr(text, "SAMPLE_CHARACTERS", 20)


@pytest.fixture
def pace(monkeypatch):
    """Set the speed that is measured; nothing is measured."""

    def set_pace(step, operations=1e9):
        monkeypatch.setattr(plan, "pace_of", lambda task, config: Pace(0.5, step))
        monkeypatch.setattr(plan, "operations_per_second", lambda: operations)

    return set_pace


def kept(run="runs/numbers"):
    return tomllib.loads(Path(run, "config.toml").read_text())


def test_without_a_model_setting_the_size_fits_the_text(seqnets, corpus):
    outcome = seqnets("train", "numbers.txt", *BRIEF)
    assert outcome.code == 0, outcome.err
    assert "size tiny, one layer of 128 units; 2 steps, " in outcome.err
    found = kept()
    assert (found["size"], found["minutes"], found["train"]["steps"]) == ("tiny", "none", 2)
    assert (found["model"]["hidden_features"], found["train"]["learning_rate"]) == (128, SIZES["tiny"].learning_rate / 2)


@pytest.mark.parametrize(
    ("words", "size", "units", "rate"),
    [
        (["--model.layers", "1"], "none", 256, 5e-3),  # nothing is chosen
        (["--size", "small", "--model.hidden-features", "8", "--train.learning-rate", "0.1"], "small", 8, 0.1),
        (["--size", "auto", "--model.cell", "gru"], "tiny", 128, SIZES["tiny"].learning_rate / 2),
        (["--config", "narrow.toml"], "none", 6, 5e-3),
        (["--config", "narrow.toml", "--size", "tiny"], "tiny", 6, SIZES["tiny"].learning_rate / 2),
        (["--config", "slow.toml"], "tiny", 128, 0.25),
    ],
)
def test_what_is_given_stays_setting_by_setting(seqnets, corpus, words, size, units, rate):
    Path("narrow.toml").write_text("[model]\nhidden_features = 6\n")
    Path("slow.toml").write_text("[train]\nlearning_rate = 0.25\n")
    outcome = seqnets("train", "numbers.txt", "--out", "run", *BRIEF, *words)
    assert outcome.code == 0, outcome.err
    found = kept("run")
    assert (found["size"], found["model"]["hidden_features"], found["train"]["learning_rate"]) == (size, units, rate)
    again = seqnets("train", "numbers.txt", "--out", "run", *BRIEF, *words)
    assert (again.code, "complete" in again.err) == (0, True), again.err


def test_the_time_says_how_many_steps_and_the_schedule_ends_with_them(seqnets, corpus, pace):
    pace(step=1.0)
    outcome = seqnets("train", "numbers.txt", "--minutes", 10, "--model.hidden-features", 4, *SHORT)
    assert outcome.code == 0, outcome.err
    found = kept()
    assert found["minutes"] == 10
    assert 400 <= found["train"]["steps"] <= 600  # less what compilation, validation, and this machine take
    assert found["train"]["decay_steps"] == 0  # cosine ends at the last step
    assert (found["size"], found["model"]["hidden_features"]) == ("none", 4)


def test_a_short_text_is_not_read_forever(seqnets, corpus, pace):
    pace(step=1e-5)
    outcome = seqnets("train", "numbers.txt", "--minutes", 60, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "in 60 minutes, 40" in outcome.err


def test_a_faster_machine_gets_a_larger_model(seqnets, corpus, pace, tmp_path):
    (tmp_path / "long.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 20_000)
    chosen = []
    for operations in (1e9, 1e11, 1e13):
        pace(step=1.0, operations=operations)
        outcome = seqnets("train", "long.txt", "--dry-run", "--data.window", 2, "--train.batch-size", 1)
        chosen.append(outcome.err.partition("size ")[2].partition(",")[0])
    assert chosen == sorted(chosen, key=list(SIZES).index)
    assert len(set(chosen)) > 1, chosen


def test_an_interrupted_run_continues_as_it_was_planned(seqnets, corpus, pace, monkeypatch):
    whole = ("train", "numbers.txt", "--minutes", 10.8, "--data.validation-fraction", 0.01, "--train.evaluate-every", 2, *SHORT)
    pace(step=100.0)  # five steps, even if reading the text takes a minute
    assert seqnets(*whole, "--out", "whole").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(CharLMTask, "evaluate", lambda *_: signal.raise_signal(signal.SIGINT))
        assert seqnets(*whole, "--out", "stopped").code == 130
    pace(step=0.001)  # on a machine that has become faster
    outcome = seqnets(*whole, "--out", "stopped")
    assert (outcome.code, "continuing 'stopped' after step 2" in outcome.err) == (0, True), outcome.err
    for name in ("metrics.jsonl", "model.safetensors"):
        assert Path("stopped", name).read_bytes() == Path("whole", name).read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", "0"], "minutes must be above 0, not 0.0"),
        (["--minutes", "long"], "--minutes must be a number, not 'long'"),
        (["--size", "huge"], "--size must be one of 'auto', 'tiny', 'small', 'medium', 'large', not 'huge'"),
        (["--minutes", "1", *BRIEF], "--minutes and --train.steps both say how long to train; leave one of them out"),
    ],
)
def test_a_mistake_leaves_nothing(seqnets, corpus, words, message):
    outcome = seqnets("train", "numbers.txt", *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    assert not Path("runs").exists()


def test_another_size_or_time_is_not_mixed_into_an_older_run(seqnets, corpus):
    assert seqnets("train", "numbers.txt", *BRIEF).code == 0
    other = seqnets("train", "numbers.txt", *BRIEF, "--size", "small")
    assert other.err == (
        "seqnets: 'runs/numbers' was begun with size tiny, not small; leave out --size to continue it, or give another folder "
        "with --out\n"
    )
    assert seqnets("train", "numbers.txt", "--minutes", "3").code == 2
