"""Random problems for every recurrence, and what a reference in float64 makes of them."""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.ops.backends import reference
from seqnets.ops.recurrent import GRU, LSTM, MIN_GRU, MIN_LSTM, VANILLA, LSTMState, Recurrence, RecurrentWeights, highway
from seqnets.ops.timestep import TimeInputs

STEPS, MOST_ROWS, MOST_UNITS = 5, 32, 100


class Cell(NamedTuple):
    recurrence: Recurrence
    widths: tuple[int, ...]  # of its kernels, in units of H
    vectors: dict[str, tuple[int, ...]]  # their shapes, in units of H on the last axis


CELLS = {
    "tanh": Cell(VANILLA["tanh"], (1,), {}),
    "relu": Cell(VANILLA["relu"], (1,), {}),
    "lstm": Cell(LSTM, (4,), {}),
    "gru-after": Cell(GRU["after"], (3,), {"recurrent_bias": (1,)}),
    "gru-before": Cell(GRU["before"], (2, 1), {}),
    "highway-1": Cell(highway(1), (2,), {"depth_bias": (0, 2)}),
    "highway-3": Cell(highway(3), (2, 2, 2), {"depth_bias": (2, 2)}),
}
LINEAR = {recurrence.name: Cell(recurrence, (), {}) for recurrence in (*MIN_GRU.values(), *MIN_LSTM.values())}


class Problem(NamedTuple):
    weights: RecurrentWeights
    carry: jax.Array | LSTMState
    projected: np.ndarray
    d_outputs: np.ndarray
    d_carry: jax.Array | LSTMState
    resets: np.ndarray | None
    valid: np.ndarray | None
    zoneout: Any = None


def problem(
    cell: Cell, units: int, rows: int, lengths: bool = False, resets: bool = False, zoneout: bool = False, *, steps: int = STEPS
) -> Problem:
    rng = np.random.default_rng([units, rows, lengths, resets])

    def normal(*shape):
        return rng.standard_normal(shape, np.float32)

    def state():
        return LSTMState(normal(rows, units), normal(rows, units)) if cell.recurrence is LSTM else normal(rows, units)

    kernels = tuple(normal(units, width * units) / np.float32(units**0.5) for width in cell.widths)
    vectors = {name: normal(*shape[:-1], shape[-1] * units) for name, shape in cell.vectors.items()}
    return Problem(
        RecurrentWeights(kernels, vectors),
        state(),
        normal(steps, rows, cell.recurrence.gates * units),
        normal(steps, rows, units),
        state(),
        rng.random((steps, rows)) < 0.3 if resets else None,
        np.arange(steps)[:, None] < rng.integers(0, steps + 1, rows) if lengths else None,
        jax.tree.map(lambda leaf: rng.random((steps, *leaf.shape), np.float32), state()) if zoneout else None,
    )


def in_bfloat16(given: Problem) -> Problem:
    """Return a problem as a cell of dtype bfloat16 has it: products and outputs in bfloat16, the state in float32."""
    kernels = tuple(jnp.asarray(kernel, jnp.bfloat16) for kernel in given.weights.kernels)
    projected, d_outputs = (jnp.asarray(array, jnp.bfloat16) for array in (given.projected, given.d_outputs))
    return given._replace(weights=given.weights._replace(kernels=kernels), projected=projected, d_outputs=d_outputs)


def gpu_interpreter():
    """Return what makes Pallas run kernels for a GPU on a CPU; JAX does not name it in public yet."""
    if jax.__version_info__ < (0, 10, 2):
        pytest.skip("the interpreter of this JAX knows too little")
    from jax._src.pallas.mosaic_gpu.interpret.params import InterpretGPUParams

    return InterpretGPUParams()


def results(run, recurrence: Recurrence, reverse: bool, given: Problem):
    def forward(weights, carry, projected):
        return run(recurrence, reverse, weights, carry, TimeInputs(projected, given.resets, given.valid, given.zoneout))

    values, pull_back = jax.vjp(forward, given.weights, given.carry, given.projected)
    return values, pull_back((given.d_outputs, given.d_carry))


@cache
def reference_results(recurrence: Recurrence):
    return jax.jit(partial(results, reference.run, recurrence, False))


def padded(array: np.ndarray, shape: tuple[int, ...], units: int) -> np.ndarray:
    """Give every gate MOST_UNITS units, and the other axes `shape`; what is new is zero and disturbs nobody."""
    gates = array.shape[-1] // units
    wide = array.reshape(*array.shape[:-1], gates, units)
    room = np.zeros((*shape[:-1], gates, MOST_UNITS), array.dtype)
    room[tuple(slice(n) for n in wide.shape)] = wide
    return room.reshape(*shape[:-1], gates * MOST_UNITS)


def expected(cell: Cell, reverse: bool, given: Problem):
    """Run the reference in float64, at one shape for all problems of a cell: a single compilation."""
    units, rows = given.d_outputs.shape[-1], given.d_outputs.shape[1]

    def grow(array, *leading):
        return padded(np.asarray(array, np.float64), (*leading, 0), units)

    def mask(array, default):
        room = np.full((STEPS, MOST_ROWS), default)
        room[:, :rows] = default if array is None else array
        return turned(room)

    def turned(array):
        return array[::-1] if reverse else array

    none = jax.tree.map(lambda leaf: np.zeros((STEPS, *leaf.shape)), given.carry)
    kernels = tuple(grow(kernel, MOST_UNITS) for kernel in given.weights.kernels)
    vectors = {name: grow(vector, *vector.shape[:-1]) for name, vector in given.weights.vectors.items()}
    large = Problem(
        RecurrentWeights(kernels, vectors),
        jax.tree.map(lambda leaf: grow(leaf, MOST_ROWS), given.carry),
        turned(grow(given.projected, STEPS, MOST_ROWS)),
        turned(grow(given.d_outputs, STEPS, MOST_ROWS)),
        jax.tree.map(lambda leaf: grow(leaf, MOST_ROWS), given.d_carry),
        mask(given.resets, False),
        mask(given.valid, True),
        jax.tree.map(lambda leaf: turned(grow(leaf, STEPS, MOST_ROWS)), none if given.zoneout is None else given.zoneout),
    )
    with jax.enable_x64(True):
        (outputs, last), (d_weights, d_carry, d_inputs) = jax.tree.map(np.asarray, reference_results(cell.recurrence)(large))
    like = ((given.d_outputs, given.carry), (given.weights, given.carry, given.projected))
    found = ((turned(outputs), last), (d_weights, d_carry, turned(d_inputs)))
    return jax.tree.map(lambda array, shape: cropped(array, shape.shape, units), found, like)


def cropped(array: np.ndarray, shape: tuple[int, ...], units: int) -> np.ndarray:
    wide = array.reshape(*array.shape[:-1], array.shape[-1] // MOST_UNITS, MOST_UNITS)[..., :units]
    return wide[tuple(slice(n) for n in shape[:-1])].reshape(shape)
