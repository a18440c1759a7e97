"""Training stops when validation no longer gets better, and a resumed run has not forgotten how long it waited."""

import pytest

from seqnets.errors import UserError
from seqnets.train.config import TrainConfig


@pytest.fixture
def worsening(tiny):
    class Worsening(tiny.TinyTask):
        def evaluate(self, model, split):
            return {"error": -super().evaluate(model, split)["error"]}

    return Worsening


def validated(run):
    return [line["step"] for line in run.metrics if "validation_error" in line]


def test_training_stops_after_so_many_passes_without_a_better_one(trained, worsening, recorder):
    progress = recorder()
    run = trained(task=worsening(), patience=2, evaluate_every=5, progress=progress)
    assert validated(run) == [5, 10, 15]
    assert "stopped at step 15: 2 validation passes in a row were no better" in progress.sentences


def test_without_patience_training_goes_on(trained, worsening):
    assert validated(trained(task=worsening(), evaluate_every=10)) == [10, 20, 30]


def test_a_run_that_improves_is_not_stopped(trained, tiny):
    assert validated(trained(task=tiny.TinyTask(), patience=1, evaluate_every=10)) == [10, 20, 30]


def test_a_stopped_run_stays_stopped_and_goes_on_with_more_patience(trained, worsening, tmp_path):
    settings = {"task": worsening(), "evaluate_every": 5, "save_every": 0}
    assert validated(trained(tmp_path / "run", patience=2, **settings)) == [5, 10, 15]
    assert validated(trained(tmp_path / "run", patience=2, **settings)) == [5, 10, 15]
    assert validated(trained(tmp_path / "run", patience=3, **settings)) == [5, 10, 15, 20]
    straight = trained(tmp_path / "straight", patience=3, **settings)
    assert validated(straight) == [5, 10, 15, 20]
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (tmp_path / "straight" / "metrics.jsonl").read_bytes()


def test_patience_below_zero_is_refused():
    with pytest.raises(UserError, match=r"train\.patience must be at least 0, not -1"):
        TrainConfig(patience=-1)
