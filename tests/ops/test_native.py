"""The native kernels give the reference's numbers, whatever the shape, the masks and the threads."""

import itertools
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from jax.test_util import check_grads

from numerics import assert_close
from seqnets.errors import UserError
from seqnets.ops.backends import native, reference, scan
from seqnets.ops.native import build
from seqnets.ops.recurrent import GRU, LSTM, VANILLA, LSTMState, Recurrence, RecurrentWeights, highway
from seqnets.ops.sequence import sequence
from seqnets.ops.timestep import TimeInputs

needs_kernels = pytest.mark.skipif(build.library() is None, reason="no C++ compiler here")

STEPS, MOST_ROWS, MOST_UNITS = 5, 32, 100
UNITS, ROWS = (1, 5, 16, 17, 64, 100), (1, 3, 32)
FLAGS = list(itertools.product((False, True), repeat=3))  # reverse, lengths, resets


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


class Problem(NamedTuple):
    weights: RecurrentWeights
    carry: jax.Array | LSTMState
    projected: np.ndarray
    d_outputs: np.ndarray
    d_carry: jax.Array | LSTMState
    resets: np.ndarray | None
    valid: np.ndarray | None


def problem(cell: Cell, units: int, rows: int, lengths: bool = False, resets: bool = False, steps: int = STEPS) -> Problem:
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
    )


def results(run, recurrence: Recurrence, reverse: bool, given: Problem):
    def forward(weights, carry, projected):
        return run(recurrence, reverse, weights, carry, TimeInputs(projected, given.resets, given.valid))

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
    )
    with jax.enable_x64(True):
        (outputs, last), (d_weights, d_carry, d_inputs) = jax.tree.map(np.asarray, reference_results(cell.recurrence)(large))
    like = ((given.d_outputs, given.carry), (given.weights, given.carry, given.projected))
    found = ((turned(outputs), last), (d_weights, d_carry, turned(d_inputs)))
    return jax.tree.map(lambda array, shape: cropped(array, shape.shape, units), found, like)


def cropped(array: np.ndarray, shape: tuple[int, ...], units: int) -> np.ndarray:
    wide = array.reshape(*array.shape[:-1], array.shape[-1] // MOST_UNITS, MOST_UNITS)[..., :units]
    return wide[tuple(slice(n) for n in shape[:-1])].reshape(shape)


def check(name: str, units: int, rows: int, flags: tuple[bool, bool, bool]):
    reverse, lengths, resets = flags
    given = problem(CELLS[name], units, rows, lengths, resets)
    found = jax.jit(partial(results, native.run, CELLS[name].recurrence, reverse))(given)
    assert_close(jax.tree.map(np.asarray, found), expected(CELLS[name], reverse, given))


SHAPES = list(itertools.product(UNITS, ROWS))


@needs_kernels
@pytest.mark.parametrize("name", CELLS)
def test_equals_the_reference(name):
    for k, (units, rows) in enumerate(SHAPES):  # every flag meets every height of a tile and every width of a tail
        check(name, units, rows, FLAGS[(5 * k + 3 * (k // 8)) % 8])


@needs_kernels
@pytest.mark.slow
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("name", CELLS)
def test_equals_the_reference_in_every_case(name, flags):
    for units, rows in SHAPES:
        check(name, units, rows, flags)


@needs_kernels
@pytest.mark.parametrize("name", CELLS)
def test_equals_the_scan_and_infers_as_it_trains(name):
    given = problem(CELLS[name], 20, 7, lengths=True, resets=True)
    inputs = TimeInputs(given.projected, given.resets, given.valid)
    runs = [jax.jit(partial(run, CELLS[name].recurrence, True)) for run in (native.run, scan.run)]
    ours, theirs = [run(given.weights, given.carry, inputs) for run in runs]
    assert_close(ours, theirs)
    trained, _ = jax.jit(partial(results, native.run, CELLS[name].recurrence, True))(given)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(trained)))


@needs_kernels
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_is_the_same_to_the_last_bit_on_any_number_of_threads(name, masked):
    given = problem(CELLS[name], 100, 7, lengths=masked, resets=masked, steps=12)
    run = jax.jit(partial(results, native.run, CELLS[name].recurrence, False))
    try:
        found = []
        for threads in (1, 1, 2, 3, 7):
            native.set_threads(threads)
            found.append([np.asarray(leaf) for leaf in jax.tree.leaves(run(given))])
    finally:
        native.set_threads(None)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other))


@needs_kernels
@pytest.mark.parametrize("name", ["lstm", "gru-after"])
def test_gradients_equal_finite_differences(name):
    given = problem(CELLS[name], 3, 2)
    inputs = TimeInputs(jnp.asarray(given.projected))

    def run(weights, carry, projected):
        return native.run(CELLS[name].recurrence, False, weights, carry, inputs._replace(projected=projected))

    check_grads(jax.jit(run), (given.weights, given.carry, given.projected), 1, modes=["rev"], rtol=2e-2, atol=2e-2)


def units_in_the_last_place(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.max(np.abs(found - exact) / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)))


GRID = np.concatenate([np.linspace(-30, 30, 60_001), np.geomspace(1e-30, 30, 20_000), -np.geomspace(1e-30, 30, 20_000)])


@needs_kernels
def test_tanh_errs_by_four_units_in_the_last_place_at_most():
    x = np.resize(GRID.astype(np.float32), (1, 6251, 16))
    y, _ = native.run(VANILLA["tanh"], False, RecurrentWeights((jnp.zeros((16, 16)),), {}), jnp.zeros((6251, 16)), TimeInputs(x))
    assert units_in_the_last_place(np.asarray(y), np.tanh(x.astype(np.float64))) <= 4


@needs_kernels
def test_sigmoid_errs_by_four_units_in_the_last_place_at_most():
    x = np.resize(GRID.astype(np.float32), (1, 6251, 16))
    projected = np.concatenate([np.full_like(x, 30), x], axis=-1)  # a highway from state 0 to tanh(30) = 1 shows its gate
    weights = RecurrentWeights((jnp.zeros((16, 32)),), {"depth_bias": jnp.zeros((0, 32))})
    y, _ = native.run(highway(1), False, weights, jnp.zeros((6251, 16)), TimeInputs(projected))
    assert units_in_the_last_place(np.asarray(y), 1 / (1 + np.exp(-x.astype(np.float64)))) <= 4


@needs_kernels
def test_nan_and_infinity_are_not_swallowed():
    x = np.array([np.nan, np.inf, -np.inf, 1e30], np.float32).reshape(4, 1, 1)
    y, _ = native.run(VANILLA["tanh"], False, RecurrentWeights((jnp.zeros((1, 1)),), {}), jnp.zeros((1, 1)), TimeInputs(x[:1]))
    assert np.isnan(y).all()
    y, _ = native.run(VANILLA["tanh"], False, RecurrentWeights((jnp.zeros((1, 1)),), {}), jnp.zeros((1, 1)), TimeInputs(x[1:]))
    np.testing.assert_array_equal(np.ravel(y), [1, -1, 1])


def loss(weights, carry, projected):
    outputs, last = sequence(LSTM, weights, carry, projected, backend="native")
    return (outputs**2).sum() + last.cell.sum()


def unstacked(tree):
    return [jax.tree.map(lambda leaf, k=k: leaf[k], tree) for k in range(2)]


@needs_kernels
def test_vmap_equals_one_after_the_other():
    given = problem(CELLS["lstm"], 8, 3)
    one = (given.weights, given.carry, given.projected)
    stacked = jax.tree.map(lambda leaf: np.stack([leaf, 0.5 * leaf]), one)
    found = jax.jit(jax.vmap(jax.grad(loss, argnums=(0, 1, 2))))(*stacked)
    for one, gradients in zip(unstacked(stacked), unstacked(found)):
        assert_close(gradients, jax.grad(loss, argnums=(0, 1, 2))(*one))


@needs_kernels
def test_checkpoint_and_shard_map_change_nothing():
    given = problem(CELLS["lstm"], 8, 4)
    arguments = (given.weights, given.carry, given.projected)
    plain = jax.jit(jax.grad(loss))(*arguments)
    assert_close(jax.jit(jax.grad(jax.checkpoint(loss)))(*arguments), plain)
    mesh = jax.make_mesh((1,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    rows, time_rows, whole = PartitionSpec("batch"), PartitionSpec(None, "batch"), PartitionSpec()

    def sharded(*arguments):
        return jax.lax.psum(loss(*arguments), "batch")

    mapped = jax.shard_map(sharded, mesh=mesh, in_specs=(whole, rows, time_rows), out_specs=whole)
    assert_close(jax.jit(jax.grad(mapped))(*arguments), plain)


@needs_kernels
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": jnp.bfloat16}, "float32 only, and found bfloat16"),
        ({"zoneout": jnp.full((1, 1, 1), 0.1)}, "no zoneout"),
        ({"layer_norm": True}, "no layer normalization"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name_and_left_to_the_scan_by_auto(given, message):
    normed = "layer_norm" in given
    recurrence = Recurrence("vanilla_tanh", 1, VANILLA["tanh"].step, layer_norm=normed)
    vectors = {"recurrent_scale": jnp.ones((1, 2))} if normed else {}
    dtype = given.get("dtype", jnp.float32)
    weights = RecurrentWeights((jnp.eye(2, dtype=dtype),), vectors)
    arguments = (recurrence, weights, jnp.zeros((1, 2), dtype), jnp.ones((3, 1, 2), dtype))
    with pytest.raises(UserError, match=message):
        sequence(*arguments, zoneout=given.get("zoneout"), backend="native")
    automatic, _ = sequence(*arguments, zoneout=given.get("zoneout"))
    portable, _ = sequence(*arguments, zoneout=given.get("zoneout"), backend="scan")
    np.testing.assert_array_equal(automatic, portable)


@needs_kernels
def test_auto_takes_the_kernels_on_the_cpu():
    arguments = (jnp.eye(2), jnp.zeros((1, 2)), jnp.ones((3, 1, 2)))

    def run(kernel, carry, projected):
        return sequence(VANILLA["tanh"], RecurrentWeights((kernel,), {}), carry, projected)[0]

    assert "seqnets_vanilla_tanh_forward" in jax.jit(run).lower(*arguments).as_text()
