"""Estimates of a run: shapes, parameters, memory and time per step."""

import time
from collections.abc import Iterator
from typing import Any

import jax
from flax import nnx

from seqnets.named_arrays import named_arrays
from seqnets.train.config import TrainConfig
from seqnets.train.feed import Dispatch, stacked_batches
from seqnets.train.pace import seconds_per_step
from seqnets.train.state import initial_state
from seqnets.train.step import compile_steps

_MEASURED_S = 3.0


def report(task: Any, config: TrainConfig) -> Iterator[str]:
    """Yield the lines of a dry run: first what is known immediately, then what compilation and a few steps show.

    Args:
        task: a `seqnets.train.Task`.
        config: how it would be trained.
    """
    graphdef, state = initial_state(task, config)
    yield from _arrays(state.params, named_arrays(nnx.filter_state(state.rest, nnx.Param)))
    source = task.batches(config.batch_size, config.seed)
    count = max(1, config.steps_per_dispatch)
    batches = jax.device_put(stacked_batches(source, Dispatch(0, count), count))
    yield from _batch(batches)
    began = time.perf_counter()
    steps = compile_steps(task, graphdef, config, state, batches)
    yield f"compiled in {time.perf_counter() - began:.1f} s"
    yield from _memory(steps)
    seconds = seconds_per_step(steps, state, batches, count, _MEASURED_S)
    rate = task.units_per_step(config.batch_size) / seconds
    yield f"time: {seconds * 1e3:.3g} ms per step, {rate:,.0f} {task.units}/s"
    yield f"{config.steps:,} steps take about {_duration(config.steps * seconds)}, without validation and saving"


def _arrays(trained: Any, frozen: dict[str, Any]) -> Iterator[str]:
    parameters = named_arrays(trained) | frozen
    width = max(map(len, parameters))
    for name, array in parameters.items():
        yield f"  {name:{width}}  {_shape(array)}{'  (frozen)' if name in frozen else ''}"
    size, still = (sum(array.size for array in arrays.values()) for arrays in (parameters, frozen))
    yield f"parameters: {size:,}" + (f", of which {still:,} are frozen" if still else "")


def _batch(batches: Any) -> Iterator[str]:
    for name, array in named_arrays(batches).items():
        yield f"batch: {name.strip('.')} {_shape(array[0])}"


def _memory(steps: Any) -> Iterator[str]:
    analysis = steps.memory_analysis()
    if analysis is None:  # not every device reports it
        return
    state, work = analysis.argument_size_in_bytes, analysis.temp_size_in_bytes
    yield f"memory: {_megabytes(state)} of weights, optimizer and batch, {_megabytes(work)} during a step"


def _shape(array: Any) -> str:
    return f"{array.dtype}[{', '.join(map(str, array.shape))}]"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.3g} MB" if size < 1e9 else f"{size / 1e9:,.3g} GB"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
