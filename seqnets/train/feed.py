"""Batches prepared ahead, in the background, stacked for each dispatch."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from seqnets.train.config import TrainConfig
from seqnets.train.task import BatchSource

_AHEAD = 2
_MOST_STEPS = 16  # more would gain a few percent, and make signals wait longer
_DISPATCH_OPERATIONS = 5e8  # a few milliseconds, so that the tenth of a millisecond per call does not matter


class Dispatch(NamedTuple):
    """Steps that go to the device in one call: `first` up to `first + count`."""

    first: int
    count: int

    @property
    def stop(self) -> int:
        """The step after the last."""
        return self.first + self.count


def settled(config: TrainConfig, weights: int, units: int) -> TrainConfig:
    """Return the configuration, with `steps_per_dispatch` chosen if it is 0.

    Args:
        config: how to train.
        weights: numbers in the parameters.
        units: characters (or other units of the task) in one step.

    Example:
        >>> settled(TrainConfig(), weights=17_000, units=25).steps_per_dispatch
        16
        >>> settled(TrainConfig(), weights=700_000, units=2048).steps_per_dispatch
        1
    """
    if config.steps_per_dispatch:
        return config
    operations = 6.0 * max(1, weights * units)  # a product and a sum for each weight and unit: once forward, twice backward
    steps = int(min(_MOST_STEPS, max(1, _DISPATCH_OPERATIONS / operations)))
    return replace(config, steps_per_dispatch=steps)


def dispatches(start: int, config: TrainConfig) -> Iterator[Dispatch]:
    """Yield the dispatches from a step to the last; evaluations and checkpoints fall between dispatches.

    Example:
        >>> plan = dispatches(0, TrainConfig(steps=10, steps_per_dispatch=4, evaluate_every=6, save_every=0))
        >>> [(one.first, one.count) for one in plan]
        [(0, 4), (4, 2), (6, 4)]
    """
    while start < config.steps:
        borders = [start - start % every + every for every in (config.evaluate_every, config.save_every) if every]
        stop = min(start + config.steps_per_dispatch, config.steps, *borders)
        yield Dispatch(start, stop - start)
        start = stop


def stacked_batches(source: BatchSource, dispatch: Dispatch, size: int) -> Any:
    """Return the batches of a dispatch stacked to (max(2, size), ...); the last is repeated as padding.

    At least two, because XLA would compile a stack of one to another program with different last bits.
    """
    steps = [min(dispatch.first + i, dispatch.stop - 1) for i in range(max(2, size))]
    batches = {step: source.batch(step) for step in dict.fromkeys(steps)}  # in order, because workers compute ahead
    return jax.tree.map(lambda *arrays: np.stack(arrays), *(batches[step] for step in steps))


def feed(
    source: BatchSource, start: int, config: TrainConfig, place: Callable[[Any], Any] = jax.device_put
) -> Generator[tuple[Dispatch, Any]]:
    """Yield each dispatch with its batches placed on the device, two of them prepared ahead by a thread."""
    plan, waiting = dispatches(start, config), deque()

    def prepare(dispatch: Dispatch) -> tuple[Dispatch, Any]:
        return dispatch, place(stacked_batches(source, dispatch, config.steps_per_dispatch))

    with ThreadPoolExecutor(1, thread_name_prefix="seqnets-feed") as thread:
        for dispatch in plan:
            waiting.append(thread.submit(prepare, dispatch))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
