"""The native kernels beside the numbers that every backend owes: threads, precision, transformations, refusals."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from jax.test_util import check_grads

from numerics import assert_close
from recurrence_problems import CELLS, problem, results
from seqnets.errors import UserError
from seqnets.ops.backends import native
from seqnets.ops.native import build
from seqnets.ops.over_time import sequence
from seqnets.ops.recurrent import LSTM, VANILLA, Recurrence, RecurrentWeights, highway
from seqnets.ops.timestep import TimeInputs

needs_kernels = pytest.mark.skipif(build.library() is None, reason="no C++ compiler here")


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
