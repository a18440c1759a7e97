"""The loop: what evaluation, averaging, bad steps and the plateau rule do to a run."""

import json
import math

import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.named_arrays import host_arrays
from seqnets.train import Diverged
from seqnets.train.loop import Training
from seqnets.train.state import evaluated_weights


def bytes_of(directory, step):
    from seqnets.checkpoint import Checkpoints

    with Checkpoints(directory / "checkpoints") as checkpoints:
        return {name: array.tobytes() for name, array in checkpoints.read(step).arrays.items()}


def test_evaluating_at_every_step_changes_no_bit_of_training(trained, tmp_path):
    trained(tmp_path / "often", evaluate_every=1, averaging=0.9)
    trained(tmp_path / "never", evaluate_every=0, averaging=0.9)
    assert bytes_of(tmp_path / "often", 30) == bytes_of(tmp_path / "never", 30)


def test_two_runs_of_a_seed_are_equal_and_another_seed_is_not(trained):
    one, same, other = trained(seed=1), trained(seed=1), trained(seed=2)
    assert one.metrics == same.metrics
    assert np.asarray(one.model.kernel[...]).tobytes() == np.asarray(same.model.kernel[...]).tobytes()
    assert one.metrics != other.metrics


def test_the_run_returns_the_best_weights_not_the_last(trained, tiny):
    run = trained(steps=60, learning_rate=0.8, schedule="constant", evaluate_every=1, optimizer="sgd")
    errors = [line["validation_error"] for line in run.metrics if "validation_error" in line]
    assert tiny.TinyTask().evaluate(run.model, "validation")["error"] == pytest.approx(min(errors), rel=1e-6)


def test_a_figure_to_maximize_is_maximized(trained, tiny):
    task = tiny.TinyTask(maximize=True)
    run = trained(task=task, steps=60, learning_rate=0.8, schedule="constant", evaluate_every=1, optimizer="sgd")
    figures = [line["validation_error"] for line in run.metrics if "validation_error" in line]
    assert task.evaluate(run.model, "validation")["error"] == pytest.approx(max(figures), rel=1e-6)


def test_evaluation_uses_the_averaged_weights(trained, tiny, tmp_path):
    from seqnets.run import read_weights
    from seqnets.train.loop import Training

    seen = []
    original = Training._save

    def spy(self, *, best=False):
        seen.append((host_arrays(evaluated_weights(self.state)[0]), host_arrays(self.state.average)))
        original(self, best=best)

    Training._save = spy
    try:
        run = trained(tmp_path / "run", averaging=0.99, evaluate_every=0)
    finally:
        Training._save = original
    used, average = seen[-1]
    assert used.keys() == average.keys()
    assert all((used[name] == average[name]).all() for name in used)
    exported = read_weights(tmp_path / "run" / "model.safetensors")
    np.testing.assert_array_equal(exported["kernel"], average["kernel"])
    np.testing.assert_array_equal(run.model.kernel[...], average["kernel"])


def test_logged_losses_are_means_of_the_interval(trained):
    every, fifth = trained(log_every=1), trained(log_every=5)
    losses = [line["loss"] for line in every.metrics if "loss" in line]
    means = [line["loss"] for line in fifth.metrics if "loss" in line]
    np.testing.assert_allclose(means, np.reshape(losses, (6, 5)).mean(1), rtol=1e-6)


def test_metrics_do_not_depend_on_the_steps_in_a_dispatch(trained):
    assert trained(steps_per_dispatch=1, evaluate_every=8).metrics == trained(steps_per_dispatch=7, evaluate_every=8).metrics


def test_plateau_lowers_the_rate_when_validation_stalls(trained):
    run = trained(
        steps=200, schedule="plateau", plateau_patience=2, learning_rate=0.05, evaluate_every=5, averaging=0.5, log_every=5
    )
    rates = [line["learning_rate"] for line in run.metrics if "learning_rate" in line]
    assert rates[0] == pytest.approx(0.05)
    assert rates[-1] < 0.006
    assert all(math.isclose(math.log10(0.05 / rate) % 1 % 0.99999, 0, abs_tol=1e-3) for rate in rates)


def test_bad_steps_are_counted_and_left_out_of_the_means(trained, tiny):
    run = trained(task=tiny.TinyTask(bad=frozenset({3, 7, 8})))
    assert [line["bad_steps"] for line in run.metrics if "loss" in line] == [1, 3, 3, 3, 3, 3]
    assert all(math.isfinite(line["loss"]) for line in run.metrics if "loss" in line)


def test_too_many_bad_steps_in_a_row_stop_the_run_with_a_good_checkpoint(trained, tiny, tmp_path):
    task = tiny.TinyTask(bad=frozenset(range(14, 30)))
    with pytest.raises(Diverged, match=r"not finite 4 steps in a row.*saved in '.*run'.*lower train.learning_rate") as stopped:
        trained(tmp_path / "run", task=task, max_bad_steps=4)
    assert stopped.value.exit_code == 3
    good = trained(tmp_path / "good", steps=14, schedule="constant")
    stuck = trained(tmp_path / "stuck", steps=14, schedule="constant", task=task)
    assert bytes_of(good.directory, 14) == bytes_of(stuck.directory, 14)
    with pytest.raises(Diverged):
        trained(tmp_path / "run", task=task, max_bad_steps=4)
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize("dispatch", [1, 8])
def test_so_many_bad_steps_in_a_row_and_not_one_fewer_end_a_run(trained, tiny, dispatch):
    settings = {"max_bad_steps": 4, "steps_per_dispatch": dispatch}
    trained(task=tiny.TinyTask(bad=frozenset({3, 4, 5, 7, 8, 9})), **settings)
    with pytest.raises(Diverged, match="not finite 4 steps in a row"):
        trained(task=tiny.TinyTask(bad=frozenset({3, 4, 5, 6})), **settings)


def test_progress_hears_of_everything(trained, recorder):
    shown = recorder()
    trained(progress=shown, evaluate_every=10)
    assert [status.step for status in shown.statuses] == [5, 10, 15, 20, 25, 30]
    assert [step for step, _, _ in shown.validations] == [10, 20, 30]
    assert shown.previews == ["a preview"] * 3
    assert all(status.rate > 0 and status.units == "examples" for status in shown.statuses)
    assert shown.statuses[-1].seconds_left == 0
    assert shown.closed


def test_a_folder_holds_all_that_explains_the_run(trained, tmp_path):
    trained(tmp_path / "run", evaluate_every=10)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {
        "README.md", "config.json", "config.toml", "model.safetensors", "metrics.jsonl", "timing.jsonl", "checkpoints"
    }  # fmt: skip
    assert not list((tmp_path / "run").rglob("*.pkl"))
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["train"]["learning_rate"], config["data"]) == (0.05, {"rows": 64})
    card = (tmp_path / "run" / "README.md").read_text()
    assert "| parameters | `8` |" in card
    assert "best on validation" in card


def test_the_curve_is_drawn_or_its_absence_reported(trained, recorder, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    from PIL import Image

    trained(tmp_path / "run")
    with Image.open(tmp_path / "run" / "curve.png") as picture:
        assert min(picture.size) > 300
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    shown = recorder()
    trained(tmp_path / "plain", progress=shown)
    assert not (tmp_path / "plain" / "curve.png").exists()
    assert any("matplotlib is not installed" in sentence for sentence in shown.sentences)


def test_keeps_the_last_checkpoints_and_the_best(trained, tmp_path):
    trained(tmp_path / "run", steps=60, learning_rate=0.8, schedule="constant", optimizer="sgd", evaluate_every=10, keep=1)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    errors = {line["step"]: line["validation_error"] for line in lines if "validation_error" in line}
    best = min(errors, key=errors.get)
    assert {int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir()} == {best, 60}


def test_the_best_is_saved_where_nothing_else_is(trained, tiny, tmp_path):
    class UpAndDown(tiny.TinyTask):
        passes = 0

        def evaluate(self, model, split):
            self.passes += 1
            return {"error": abs(self.passes - 2.0)}  # the second pass, after 14 steps, is the best

    trained(tmp_path / "run", task=UpAndDown(), steps=30, evaluate_every=7, save_every=0, keep=1)
    assert {int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir()} == {14, 30}


def test_settings_out_of_range_are_named():
    from seqnets import TrainConfig

    for settings, message in (
        ({"steps": 0}, "train.steps must be at least 1, not 0"),
        ({"steps": 1.5}, "train.steps must be a whole number, not 1.5"),
        ({"averaging": 1.0}, "train.averaging must be at least 0 and below 1, not 1.0"),
        ({"learning_rate": 0.0}, "train.learning_rate must be above 0, not 0.0"),
        ({"optimizer": "magic"}, "train.optimizer must be 'sgd', .*'adam', .* or '.*', not 'magic'"),
        ({"warmup_steps": 9, "steps": 8}, r"train.warmup_steps \(9\) is more than train.steps \(8\)"),
        ({"clip_norm": math.nan}, "train.clip_norm must be a finite number, not nan"),
    ):
        with pytest.raises(UserError, match=message):
            TrainConfig(**settings)


@pytest.mark.parametrize("where", ["run", None])
def test_a_loss_far_beyond_that_of_the_first_step_ends_the_run(trained, recorder, tmp_path, where):
    recorded, directory = recorder(), tmp_path / where if where else None
    settings = {"steps": 400, "learning_rate": 1e3, "optimizer": "sgd", "schedule": "constant", "clip_norm": 0.0}
    with pytest.raises(
        Diverged, match=r"training has diverged: the loss was more than 100 times that of the first step"
    ) as stopped:
        trained(directory, progress=recorded, evaluate_every=1, log_every=1, max_bad_steps=3, save_every=0, **settings)
    assert stopped.value.exit_code == 3
    assert not any(best for step, _, best in recorded.validations if step > 2)
    assert len(recorded.statuses) < 20


def test_a_run_that_is_shorter_than_the_patience_with_bad_steps_diverges_too(trained):
    with pytest.raises(Diverged, match="training has diverged"):
        trained(steps=5, learning_rate=1e2, optimizer="sgd", schedule="constant", clip_norm=0.0, momentum=0.0)


@pytest.mark.parametrize("first", [1e-6, 2.0, -3.0])
def test_what_rises_within_a_hundred_times_goes_on(first):
    training = object.__new__(Training)
    training.first_loss, training.far = None, 0
    for loss in (first, first + 90, 0.0, first - 1e9):
        training._watch(loss)
        assert training.far == 0
    training._watch(first + 101 * max(1, abs(first)))
    training._watch(first + 1e9)
    assert training.far == 2
    training._watch(first)
    assert training.far == 0


def test_a_run_in_memory_that_diverges_says_that_it_is_lost(trained, tiny):
    with pytest.raises(Diverged, match="the last good state is lost, as this run is in memory; lower"):
        trained(task=tiny.TinyTask(bad=frozenset(range(30))), max_bad_steps=4)


def test_every_new_best_is_saved(trained, tmp_path):
    run = trained(tmp_path / "run", evaluate_every=10, save_every=0, keep=9, schedule="constant")
    errors = [line["validation_error"] for line in run.metrics if "validation_error" in line]
    assert errors == sorted(errors, reverse=True)
    assert {step.name for step in (tmp_path / "run" / "checkpoints").iterdir()} == {"10", "20", "30"}


def test_a_run_from_a_source_folder_has_a_card(trained, tmp_path, monkeypatch):
    from importlib import metadata

    from seqnets import __version__

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    trained(tmp_path / "run")
    card = (tmp_path / "run" / "README.md").read_text()
    assert f"| seqnets | `{__version__}` |" in card
    assert "| numpy | `not installed` |" in card
