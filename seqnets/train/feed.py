"""Batches prepared ahead, in the background, stacked for each dispatch."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from seqnets.train.config import TrainConfig
from seqnets.train.task import BatchSource

_AHEAD = 2


class Dispatch(NamedTuple):
    """Steps that go to the device in one call: `first` up to `first + count`."""

    first: int
    count: int

    @property
    def stop(self) -> int:
        """The step after the last."""
        return self.first + self.count


def dispatches(start: int, config: TrainConfig) -> Iterator[Dispatch]:
    """Yield the dispatches from a step to the last; none crosses an evaluation or a checkpoint.

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
    """Return the batches of a dispatch stacked to (max(2, size), ...); the last is repeated to fill up.

    At least two, because XLA would compile a stack of one to another program, whose last bits differ.
    """
    steps = [min(dispatch.first + i, dispatch.stop - 1) for i in range(max(2, size))]
    batches = {step: source.batch(step) for step in set(steps)}
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
