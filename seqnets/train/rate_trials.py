"""The learning-rate range test: the loss while the learning rate rises, which shows from where to where training works."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqnets import settings
from seqnets.errors import UserError
from seqnets.train.config import TrainConfig
from seqnets.train.feed import Dispatch, stacked_batches
from seqnets.train.state import initial_state
from seqnets.train.step import compile_steps
from seqnets.train.task import Task

DIVERGED = 4  # times the best smoothed loss
_BEGINNING = 10  # one of this many trials is left out of the suggestion: the first smoothed losses mean little


class RateTrial(NamedTuple):
    """One step of the test.

    Args:
        rate: its learning rate.
        loss: the loss before the step.
        smoothed: the exponential mean of the losses so far, without its bias towards zero.
    """

    rate: float
    loss: float
    smoothed: float


class SuggestedRates(NamedTuple):
    """What a range test suggests.

    Args:
        steepest: the rate at which the smoothed loss fell fastest.
        tenth: a tenth of the rate with the lowest smoothed loss.
    """

    steepest: float
    tenth: float


def rate_range(
    task: Task, config: TrainConfig, *, low: float = 1e-6, high: float = 10.0, trials: int = 100, smoothing: float = 0.8
) -> Iterator[RateTrial]:
    """Train a fresh copy of a model for some steps, each with a higher learning rate than the one before, and yield the losses.

        rate(t) = low (high / low)^(t / (trials - 1)),    smoothed(t) = (1 - s) sum_u s^(t - u) loss(u) / (1 - s^(t + 1))

    The step is that of `fit` with the same optimizer, clipping, multipliers and batches; only the schedule is replaced. The test
    ends early when the loss is not finite, or the smoothed loss is more than four times its best (for a negative best: by three
    times its magnitude above it). Nothing is written.

    Args:
        task: the model, its data and its loss; its model is not changed.
        config: how it would be trained.
        low: the first learning rate.
        high: the last learning rate.
        trials: the most steps.
        smoothing: s; 0 for the losses as they are.

    Raises:
        UserError: an argument is out of range.

    References:
        Smith, Cyclical learning rates for training neural networks, 2017, section 3.3.

    Example:
        >>> import seqnets as sn
        >>> from flax import nnx
        >>> corpus = sn.read_text(__file__)
        >>> task = sn.CharLMTask(sn.CharLM(corpus.vocabulary, hidden_features=8, rngs=nnx.Rngs(0)), corpus, window=8)
        >>> trials = list(rate_range(task, TrainConfig(batch_size=2), trials=5))
        >>> [f"{trial.rate:.0e}" for trial in trials[:2]]
        ['1e-06', '6e-05']
    """
    _check(low, high, trials, smoothing)
    config = replace(config, schedule="constant", warmup_steps=0, learning_rate=1.0, steps_per_dispatch=1, steps=trials)
    graphdef, state = initial_state(task, config)
    source, steps, best, mean = task.batches(config.batch_size, config.seed), None, math.inf, 0.0
    for t in range(trials):
        rate = low * (high / low) ** (t / (trials - 1))
        batches = jax.device_put(stacked_batches(source, Dispatch(t, 1), 1))
        # the step multiplies the schedule's rate, which is 1 here, by this scale
        state = state._replace(plateau=state.plateau._replace(scale=jnp.float32(rate)))
        steps = steps or compile_steps(task, graphdef, config, state, batches)
        state, metrics = steps(state, batches, np.int32(1))
        loss = float(metrics["loss"][0])
        mean = smoothing * mean + (1 - smoothing) * loss
        smoothed = mean / (1 - smoothing ** (t + 1))
        yield RateTrial(rate, loss, smoothed)
        best = min(best, smoothed)
        if not math.isfinite(loss) or smoothed - best > (DIVERGED - 1) * abs(best):
            return


def suggested_rates(trials: Sequence[RateTrial]) -> SuggestedRates | None:
    """Return the rates that a test suggests; None if no rate lowered the loss.

    Example:
        >>> losses = [3.0, 3.0, 2.9, 2.0, 1.5, 1.4, 1.45, 2.0, 6.0]
        >>> suggested_rates([RateTrial(10.0 ** (t - 6), loss, loss) for t, loss in enumerate(losses)])
        SuggestedRates(steepest=0.001, tenth=0.01)
    """
    finite = [trial for trial in trials if math.isfinite(trial.smoothed)]
    kept = finite[len(finite) // _BEGINNING :]
    if len(kept) < 3:
        return None
    losses, rates = (np.array([getattr(trial, name) for trial in kept]) for name in ("smoothed", "rate"))
    lowest = int(np.argmin(losses))
    slopes = np.gradient(losses, np.log(rates))[: lowest + 1]
    if lowest == 0 or not slopes.min() < 0:
        return None
    return SuggestedRates(float(f"{rates[np.argmin(slopes)]:.3g}"), float(f"{rates[lowest] / 10:.3g}"))


def _check(low: float, high: float, trials: int, smoothing: float) -> None:
    settings.ABOVE_ZERO.check("low", low)
    settings.ABOVE_ZERO.check("high", high)
    settings.Range(least=2, most=1 << 20).check("trials", trials)
    settings.RATE.check("smoothing", smoothing)
    if not low < high < math.inf:
        raise UserError(f"the learning rate rises from low to high, so low ({low:g}) must be less than high ({high:g})")
