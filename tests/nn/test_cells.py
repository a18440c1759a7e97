"""Every cell against a naive float64 loop, and every backend against the reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.test_util import check_grads

import seqnets.nn as snn
from cell_table import CASES, CORE, CORE_IDS, CORE_NAMES, IDS
from numerics import assert_close
from oracles import recurrent as oracle
from seqnets.errors import UserError

B, T, F, H = 3, 6, 4, 5
LENGTHS = np.array([6, 1, 4])
RESETS = np.random.default_rng(7).random((B, T)) < 0.3


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def build(case, **options):
    """A cell whose every weight is random, so that a forgotten one shows."""
    cell = case.build(F, H, rngs=nnx.Rngs(3), param_dtype=jnp.float64, **case.options | options)
    rng = np.random.default_rng(5)
    drawn = jax.tree.map(lambda weight: jnp.asarray(rng.normal(size=weight.shape) * 0.5), nnx.state(cell, nnx.Param))
    nnx.update(cell, drawn)
    return cell


def inputs():
    return jnp.asarray(np.random.default_rng(1).normal(size=(B, T, F)))


def random_carry(cell):
    rng = np.random.default_rng(2)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), cell.initialize_carry((B, F)))


def named(carry):
    return {"c": carry.cell, "h": carry.hidden} if isinstance(carry, snn.LSTMState) else {"h": carry}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_weight_of_a_built_cell_is_drawn(case):
    weights = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(nnx.state(build(case), nnx.Param))])
    assert weights.size == np.unique(weights).size  # no weight keeps its initial zero or one
    assert weights.std() == pytest.approx(0.5, rel=0.25)


SETTINGS = {
    "plain": {},
    "reverse-lengths-resets": {"reverse": True, "lengths": LENGTHS, "resets": RESETS},
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("backend", ["reference", "scan"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_equals_naive_loop(case, backend, setting):
    options = SETTINGS[setting]
    cell = build(case)
    layer = snn.RNN(cell, reverse=options.get("reverse", False), keep_order=True, backend=backend, return_carry=True)
    arrays = {name: jnp.asarray(value) for name, value in options.items() if name != "reverse"}
    carry, outputs = layer(inputs(), initial_carry=random_carry(cell), **arrays)
    rates = dict(zip(named(carry), cell.zoneout)) if any(cell.zoneout) else None
    expected, last = oracle.run(case.oracle, cell, np.asarray(inputs()), named(random_carry(cell)), zoneout=rates, **options)
    assert_close(outputs, jnp.asarray(expected), "float64")
    assert_close(named(carry), last, "float64")


# norms and zoneout add no recurrence of their own: one cell with both is enough in the usual suite
GRADIENTS = [
    pytest.param(case, id=case.name, marks=() if case.name in (*CORE_NAMES, "lstm", "mingru") else pytest.mark.slow)
    for case in CASES
]


@pytest.mark.parametrize("case", GRADIENTS)
def test_scan_gradients_equal_reference(case):
    def loss(params, x, carry, backend):
        layer = snn.RNN(nnx.merge(graph, params), backend=backend, return_carry=True)
        options = {"lengths": jnp.asarray(LENGTHS), "resets": jnp.asarray(RESETS), "key": jax.random.key(0)}
        last, outputs = layer(x, initial_carry=carry, **options)
        return jnp.sum(jnp.sin(outputs)) + sum(jnp.sum(jnp.cos(leaf)) for leaf in jax.tree.leaves(last))

    cell = build(case)
    graph, params = nnx.split(cell)
    gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2)), static_argnums=3)
    arguments = (params, inputs(), random_carry(cell))
    assert_close(gradient(*arguments, "scan"), gradient(*arguments, "reference"), "float64")


@pytest.mark.parametrize("case", CORE, ids=CORE_IDS)
def test_gradients_equal_finite_differences(case):
    cell = build(case)
    graph, params = nnx.split(cell)

    def outputs(params, x):
        return snn.RNN(nnx.merge(graph, params), backend="scan")(x)

    check_grads(outputs, (params, inputs()), order=1, modes=["rev"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", CORE, ids=CORE_IDS)
def test_chunked_equals_whole(case):
    layer = snn.RNN(build(case), return_carry=True)
    last, whole = layer(inputs())
    carry, first = layer(inputs()[:, :2])
    carry, second = layer(inputs()[:, 2:], initial_carry=carry)
    assert_close(jnp.concatenate([first, second], axis=1), whole, "float64")
    assert_close(carry, last, "float64")


@pytest.mark.parametrize("reverse", [False, pytest.param(True, marks=pytest.mark.slow)])  # the naive loop has both at once
@pytest.mark.parametrize("case", CORE, ids=CORE_IDS)
def test_lengths_equal_unpadded(case, reverse):
    layer = snn.RNN(build(case), return_carry=True, reverse=reverse)
    last, padded = layer(inputs(), lengths=jnp.asarray(LENGTHS))
    for row, length in enumerate(LENGTHS):
        carry, alone = layer(inputs()[row : row + 1, :length])
        assert_close(padded[row, :length], alone[0], "float64")
        assert_close(jax.tree.map(lambda leaf, row=row: leaf[row], last), jax.tree.map(lambda leaf: leaf[0], carry), "float64")
        assert not padded[row, length:].any()


@pytest.mark.parametrize("case", CORE, ids=CORE_IDS)
def test_works_inside_flax_rnn(case):
    cell = build(case)
    flax_carry, flax_outputs = nnx.RNN(cell, return_carry=True)(inputs())
    carry, outputs = snn.RNN(cell, return_carry=True)(inputs())
    assert_close((flax_outputs, flax_carry), (outputs, carry), "float64")


@pytest.mark.parametrize("case", CORE, ids=CORE_IDS)
def test_step_by_step_equals_whole(case):
    cell = build(case)
    whole = snn.RNN(cell)(inputs())
    step, carry = cell.stepper(), cell.initialize_carry((B, F))
    for t in range(T):
        carry, output = step(carry, cell.project(inputs()[:, t]))
        assert_close(output, whole[:, t], "float64")


@pytest.mark.parametrize("case", CORE, ids=CORE_IDS)
def test_jit_equals_eager_and_compiles_once(case):
    compiled = 0
    graph, params = nnx.split(build(case))

    @jax.jit
    def run(params, x):
        nonlocal compiled
        compiled += 1
        return snn.RNN(nnx.merge(graph, params))(x)

    eager = snn.RNN(nnx.merge(graph, params))(inputs())
    for _ in range(3):
        assert_close(run(params, inputs()), eager, "float64")
    assert compiled == 1


@pytest.mark.parametrize("case", CORE, ids=CORE_IDS)
def test_bfloat16_products_keep_a_float32_carry(case):
    cell = case.build(F, H, rngs=nnx.Rngs(0), dtype=jnp.bfloat16, param_dtype=jnp.float32, **case.options)
    exact = case.build(F, H, rngs=nnx.Rngs(0), param_dtype=jnp.float32, **case.options)
    x = inputs().astype(jnp.float32)
    carry, outputs = snn.RNN(cell, return_carry=True)(x)
    assert outputs.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(carry)} == {jnp.dtype("float32")}
    assert_close(outputs, snn.RNN(exact)(x), "bfloat16")


@pytest.mark.parametrize("flax_cell", [nnx.LSTMCell, nnx.OptimizedLSTMCell, nnx.GRUCell, nnx.SimpleCell])
def test_flax_cells_work_inside_rnn(flax_cell):
    cell = flax_cell(F, H, rngs=nnx.Rngs(0))
    x, lengths = inputs().astype(jnp.float32), jnp.asarray(LENGTHS)
    carry, expected = nnx.RNN(cell, return_carry=True)(x, seq_lengths=lengths, rngs=nnx.Rngs(0))
    last, outputs = snn.RNN(cell, return_carry=True)(x, lengths=lengths)
    inside = (np.arange(T) < LENGTHS[:, None])[..., None]
    assert_close((outputs, last), (jnp.where(inside, expected, 0), carry))


def test_flax_cells_obey_resets():
    cell = nnx.GRUCell(F, H, rngs=nnx.Rngs(0))
    x = inputs().astype(jnp.float32)
    resets = jnp.zeros((B, T), bool).at[:, 2].set(True)
    whole = snn.RNN(cell)(x, resets=resets)
    assert_close(whole[:, 2:], snn.RNN(cell)(x[:, 2:]))


def test_forget_bias_and_carry_bias_start_where_asked():
    lstm = snn.LSTMCell(F, H, forget_bias=2.5, rngs=nnx.Rngs(0))
    assert lstm.bias[...].reshape(4, H).tolist() == [[0] * H, [2.5] * H, [0] * H, [0] * H]
    highway = snn.HighwayCell(F, H, depth=2, carry_bias=3.0, rngs=nnx.Rngs(0))
    assert highway.bias[...].tolist() == highway.depth_bias[0].tolist() == [0] * H + [-3.0] * H
    minimal = snn.MinLSTMCell(F, H, forget_bias=1.5, rngs=nnx.Rngs(0))
    forget, *others = (jax.nn.sigmoid(part) for part in np.split(np.asarray(minimal.project(jnp.zeros((1, F)))), 3, axis=-1))
    assert_close(forget, np.full((1, H), 1 / (1 + np.exp(-1.5))))
    assert_close(others[0], np.full((1, H), 0.5))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_each_gate_begins_with_kernels_of_its_own(case):
    """Input kernels as Glorot draws them for one gate, recurrent ones orthogonal, and no two gates alike."""
    cell = case.build(40, 30, rngs=nnx.Rngs(0), **case.options)
    inputs = np.split(np.asarray(cell.kernel[...], np.float64), cell.recurrence.gates, axis=-1)
    for gate in inputs:
        bound = np.sqrt(6 / (40 + 30))
        assert 0.9 * bound < np.abs(gate).max() <= bound
        assert np.abs(gate.std() / (bound / np.sqrt(3)) - 1) < 0.1
    recurrent = [part for k in cell.recurrent_kernels() for part in np.split(np.asarray(k, np.float64), k.shape[1] // 30, axis=1)]
    for gate in recurrent:
        np.testing.assert_allclose(gate.T @ gate, np.eye(30), atol=1e-5)
    for gates in (inputs, recurrent):
        assert len({gate.tobytes() for gate in gates}) == len(gates)


@pytest.mark.parametrize(
    ("build_wrong", "message"),
    [
        (lambda r: snn.LSTMCell(0, 5, rngs=r), "in_features must be at least 1, not 0"),
        (lambda r: snn.GRUCell(3, 5, reset="never", rngs=r), "reset must be 'after' or 'before', not 'never'"),
        (lambda r: snn.VanillaCell(3, 5, activation="sin", rngs=r), "activation must be 'tanh' or 'relu', not 'sin'"),
        (lambda r: snn.LSTMCell(3, 5, zoneout=1.0, rngs=r), "zoneout must be at least 0 and below 1, or 2 such rates"),
        (lambda r: snn.GRUCell(3, 5, zoneout=(0.1, 0.1), rngs=r), "or 1 such rate for this cell"),
        (lambda r: snn.HighwayCell(3, 5, depth=0, rngs=r), "depth must be at least 1, not 0"),
        (lambda r: snn.RNN(nnx.GRUCell(3, 5, rngs=r), weight_dropout=0.5), "weight_dropout needs a seqnets cell"),
        (lambda r: snn.RNN(snn.GRUCell(3, 5, rngs=r))(jnp.ones((2, 7, 4))), r"inputs must have the shape \(batch, time, 3\)"),
        (lambda r: snn.RNN(snn.GRUCell(3, 5, rngs=r), backend="magic")(jnp.ones((2, 7, 3))), "backend 'magic' does not exist"),
    ],
)
def test_errors_teach(build_wrong, message):
    with pytest.raises(UserError, match=message):
        build_wrong(nnx.Rngs(0))
