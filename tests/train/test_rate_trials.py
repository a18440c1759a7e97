"""The range test against plain steps of the optimizer, and its suggestions against curves made by hand."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from seqnets import TrainConfig
from seqnets.errors import UserError
from seqnets.train.rate_trials import RateTrial, rate_range, suggested_rates

CONFIG = TrainConfig(optimizer="sgd", momentum=0.0, clip_norm=0.0, batch_size=4, schedule="cosine", warmup_steps=10, steps=50)


@pytest.fixture
def task():
    import tiny_task

    return tiny_task.TinyTask()


def test_losses_are_those_of_plain_gradient_descent_with_rising_rates(task):
    """Oracle: the update written out in NumPy; the task's noise is drawn from the same keys."""
    trials = list(rate_range(task, CONFIG, low=1e-4, high=0.1, trials=12, smoothing=0.5))
    assert [trial.rate for trial in trials] == pytest.approx(np.geomspace(1e-4, 0.1, 12))
    kernel, bias, carry = np.zeros((3, 2)), np.full(2, 0.1), np.zeros(3)
    source, losses = task.batches(4, CONFIG.seed), []
    for t, trial in enumerate(trials):
        batch = source.batch(t)
        x = batch["x"].astype(np.float64)
        key = jax.random.fold_in(jax.random.key(CONFIG.seed), t)
        noise = 0.01 * np.asarray(jax.random.normal(key, batch["y"].shape), np.float64)
        error = x @ kernel + bias + 0.5 * carry @ kernel - batch["y"] + noise
        losses.append(np.square(error).mean())
        down = 2 * error / error.size
        kernel, bias = kernel - trial.rate * (x.T @ down + 0.5 * np.outer(carry, down.sum(0))), bias - trial.rate * down.sum(0)
        carry = 0.9 * carry + 0.1 * x.mean(0)
    assert [trial.loss for trial in trials] == pytest.approx(losses, rel=1e-4)
    weights = [0.5 * 0.5 ** (11 - u) for u in range(12)]
    assert trials[-1].smoothed == pytest.approx(np.dot(weights, losses) / sum(weights), rel=1e-4)


def test_it_stops_when_the_loss_diverges_and_changes_no_model(task):
    before = np.asarray(task.model.kernel[...]).copy()
    trials = list(rate_range(task, CONFIG, low=1e-3, high=1e3, trials=60, smoothing=0.0))
    assert len(trials) < 60
    best = min(trial.smoothed for trial in trials)
    assert trials[-1].smoothed > 4 * best or not math.isfinite(trials[-1].loss)
    assert all(trial.smoothed <= 4 * best or trial is trials[-1] for trial in trials[len(trials) // 2 :])
    assert np.array_equal(before, np.asarray(task.model.kernel[...]))


def test_a_loss_that_is_not_finite_ends_it(task):
    task = dataclasses.replace(task, bad=frozenset({3}))
    trials = list(rate_range(task, CONFIG, trials=20))
    assert len(trials) == 4
    assert math.isnan(trials[-1].loss)


def test_the_suggestion_for_a_real_task_lowers_its_loss(task):
    from seqnets.train import fit

    found = suggested_rates(list(rate_range(task, CONFIG, low=1e-5, high=100, trials=80)))
    errors = {}
    for rate in (found.steepest, found.steepest / 100):
        config = dataclasses.replace(CONFIG, learning_rate=rate, schedule="constant", steps=60)
        errors[rate] = fit(task, config, progress=None).metrics[-1]["validation_error"]
    assert errors[found.steepest] < 0.8 * errors[found.steepest / 100]


def curve(losses):
    return [RateTrial(10.0 ** (t / 4 - 6), loss, loss) for t, loss in enumerate(losses)]


def test_suggestions_of_curves_made_by_hand():
    down = [5.0] * 12 + [4.8, 4.0, 2.0, 1.0, 0.9, 0.95, 3.0]
    assert suggested_rates(curve(down)) == (
        pytest.approx(10 ** (14 / 4 - 6), rel=0.01),
        pytest.approx(10 ** (16 / 4 - 7), rel=0.01),
    )
    # a fall after the lowest point, and one in the first tenth, do not count
    assert suggested_rates(curve([9.0, *down])).steepest == pytest.approx(10 ** (15 / 4 - 6), rel=0.01)
    assert suggested_rates(curve([1.0, 1.1, 1.2, 1.3])) is None
    assert suggested_rates(curve([1.0] * 20)) is None
    assert suggested_rates(curve([math.nan] * 5)) is None
    assert suggested_rates([]) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0.0}, "low must be above 0"),
        ({"low": 1.0, "high": 0.1}, r"low \(1\) must be less than high \(0.1\)"),
        ({"trials": 1}, "trials must be at least 2"),
        ({"smoothing": 1.0}, "smoothing must be at least 0 and below 1"),
    ],
)
def test_what_cannot_be_is_refused(task, options, message):
    with pytest.raises(UserError, match=message):
        next(rate_range(task, CONFIG, **options))
