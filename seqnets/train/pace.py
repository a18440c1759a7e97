"""The speed of training on this machine, measured before a run begins."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.train.config import TrainConfig
from seqnets.train.feed import Dispatch, settled, stacked_batches
from seqnets.train.mesh import Layout
from seqnets.train.state import TrainState, initial_state
from seqnets.train.step import compile_steps
from seqnets.train.task import Task

Clock = Callable[[], float]

_ROWS, _WIDTH, _PRODUCTS_S = 2048, 512, 0.15
_MOST_CALLS = 50


class Pace(NamedTuple):
    """The seconds that the compilation of the training step and one step take."""

    compilation: float
    step: float


def pace_of(task: Task, config: TrainConfig, seconds: float = 1.0, clock: Clock = time.perf_counter) -> Pace:
    """Train a copy of a task's model for a moment and return how long its steps take.

    Args:
        task: the task; its model is not changed.
        config: how it would be trained.
        seconds: how long to measure, after compilation.
        clock: returns the time in seconds.
    """
    layout = Layout(config.mesh, config.batch_size)
    graphdef, state = initial_state(task, config)
    units = task.units_per_step(config.batch_size)
    config = settled(config, sum(leaf.size for leaf in jax.tree.leaves(state.params)), units)
    count = config.steps_per_dispatch
    with layout.threads():
        state = layout.place(state)
        source = task.batches(config.batch_size, config.seed, layout.rows)
        batches = layout.place_batches(stacked_batches(source, Dispatch(0, count), count))
        began = clock()
        steps = compile_steps(task, graphdef, config, state, batches, layout)
        compiled = clock() - began
        return Pace(compiled, seconds_per_step(steps, state, batches, count, seconds, clock))


def seconds_per_step(
    steps: Any, state: TrainState, batches: Any, count: int, seconds: float, clock: Clock = time.perf_counter
) -> float:
    """Return the median time of a step of compiled steps.

    Args:
        steps: the result of `compile_steps`.
        state: the state to begin with; it is used up.
        batches: stacked batches.
        count: the steps in a call.
        seconds: how long to measure.
        clock: returns the time in seconds.
    """
    state, _ = jax.block_until_ready(steps(state, batches, np.int32(count)))
    begun, times = clock(), []
    while not times or (len(times) < _MOST_CALLS and clock() - begun < seconds):
        began = clock()
        state, _ = jax.block_until_ready(steps(state, batches, np.int32(count)))
        times.append((clock() - began) / count)
    return statistics.median(times)


def operations_per_second() -> float:
    """Return the additions and multiplications of a large matrix product that this machine does in a second.

    Example:
        >>> operations_per_second() > 1e6
        True
    """
    left, right = jnp.ones((_ROWS, _WIDTH)), jnp.ones((_WIDTH, _WIDTH))
    product = jax.jit(jnp.dot)
    jax.block_until_ready(product(left, right))  # compiles
    begun, times = time.perf_counter(), []
    while time.perf_counter() - begun < _PRODUCTS_S:
        began = time.perf_counter()
        jax.block_until_ready(product(left, right))
        times.append(time.perf_counter() - began)
    return 2 * _ROWS * _WIDTH * _WIDTH / min(times)
