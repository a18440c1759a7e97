"""What our layers do beyond Flax's: masks with holes, all states, a first carry that is learned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets.nn as snn
from cell_table import CASES, IDS
from numerics import assert_close
from seqnets.errors import UserError


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


B, T, F, H = 3, 6, 4, 5
MASK = np.array([[0, 1, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]], bool)
LENGTHS = jnp.array([6, 1, 4])


def normal(*shape):
    return jnp.asarray(np.random.default_rng(len(shape)).standard_normal(shape, np.float32))


def by_hand(cell, x, mask, *, reverse=False, zeros=False):
    """Row by row and step by step: what Keras documents of masks."""
    carries, outputs = [], []
    for row in range(len(x)):
        carry, output = cell.initialize_carry((1, F), nnx.Rngs(0)), jnp.zeros((1, H))
        steps = range(x.shape[1])
        made = {}
        for t in reversed(steps) if reverse else steps:
            if mask[row, t]:
                carry, output = cell(carry, x[row : row + 1, t])
            made[t] = jnp.zeros((1, H)) if zeros and not mask[row, t] else output
        carries.append(carry)
        outputs.append(jnp.stack([made[t][0] for t in steps]))
    return jax.tree.map(lambda *rows: jnp.concatenate(rows), *carries), jnp.stack(outputs)


@pytest.mark.parametrize("reverse", [False, slow(True)])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("cell", [snn.LSTMCell, nnx.GRUCell, snn.MinGRUCell])
def test_a_mask_with_holes_keeps_the_state(cell, zeros, reverse):
    cell = cell(F, H, rngs=nnx.Rngs(0))
    layer = snn.RNN(cell, reverse=reverse, keep_order=True, return_carry=True, zero_output_for_mask=zeros)
    wanted = by_hand(cell, normal(B, T, F), MASK, reverse=reverse, zeros=zeros)
    poisoned = jnp.where(MASK[..., None], normal(B, T, F), jnp.nan)
    assert_close(layer(poisoned, mask=MASK), wanted)
    assert_close(layer(poisoned, mask=MASK, keep_order=False)[1], wanted[1][:, ::-1] if reverse else wanted[1])


@pytest.mark.parametrize("backend", ["auto", slow("scan"), slow("reference")])
@pytest.mark.parametrize("name", ["lstm", "gru", "highway", "mingru"])
def test_masks_on_every_backend_and_their_gradients(name, backend):
    graph, parameters = nnx.split(snn.CELLS[name](F, H, rngs=nnx.Rngs(0)))

    def loss(parameters, x, backend):
        return (snn.RNN(nnx.merge(graph, parameters), backend=backend)(x, mask=MASK) ** 2).sum()

    gradient = jax.jit(jax.value_and_grad(loss, (0, 1)), static_argnums=2)
    assert_close(gradient(parameters, normal(B, T, F), backend), gradient(parameters, normal(B, T, F), "reference"))
    assert not gradient(parameters, normal(B, T, F), backend)[1][1][~MASK].any()


def test_a_mask_of_whole_lengths_is_the_lengths():
    layer = snn.RNN(snn.LSTMCell(F, H, rngs=nnx.Rngs(0)), return_carry=True, zero_output_for_mask=True, remat=2)
    mask = jnp.arange(T)[None, :] < LENGTHS[:, None]
    assert_close(layer(normal(B, T, F), mask=mask), layer(normal(B, T, F), lengths=LENGTHS))
    repeating = snn.RNN(layer.cell)
    assert_close(repeating(normal(B, T, F), mask=np.ones((B, T)), lengths=LENGTHS), repeating(normal(B, T, F), lengths=LENGTHS))


def test_masks_go_through_stacks_and_directions():
    rngs = nnx.Rngs(0)
    both = snn.BidirectionalRNN(*[snn.RNN(snn.GRUCell(F, H, rngs=rngs)) for _ in range(2)], return_carry=True)
    above = snn.RNN(snn.LSTMCell(2 * H, H, rngs=rngs))
    carry, outputs = both(normal(B, T, F), mask=MASK)
    ahead, back = (
        by_hand(layer.cell, normal(B, T, F), MASK, reverse=r) for layer, r in ((both.forward, False), (both.backward, True))
    )
    assert_close((carry, outputs), ((ahead[0], back[0]), jnp.concatenate([ahead[1], back[1]], -1)))
    stack = snn.StackedRNN([both, above], return_carry=True)
    last, found = stack(normal(B, T, F), mask=MASK)
    assert_close((last[1], found), above(outputs, mask=MASK, return_carry=True))


@pytest.mark.parametrize(("mask", "message"), [
    (np.ones((B, T - 1), bool), r"mask must have the shape \(3, 6\) of the inputs, not \(3, 5\)"),
    (np.ones((T, B), bool), "mask must have the shape"),
    ("all", "mask must be an array of numbers, not str"),
])  # fmt: skip
def test_masks_that_do_not_fit_are_one_sentence(mask, message):
    for layer in (snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(0))), snn.RNN(nnx.GRUCell(F, H, rngs=nnx.Rngs(0)))):
        for whole in (layer, snn.StackedRNN([layer])):
            with pytest.raises(UserError, match=message):
                whole(normal(B, T, F), mask=mask)


@pytest.mark.parametrize("reverse", [False, slow(True)])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_all_states_are_those_of_single_steps(case, reverse):
    cell = case.build(F, H, rngs=nnx.Rngs(3), **case.options)
    layer = snn.RNN(cell, reverse=reverse, keep_order=True, return_carry=True, remat=2)
    carry, outputs, states = layer(normal(B, T, F), return_states=True)
    assert_close((carry, outputs), layer(normal(B, T, F)))
    now = cell.initialize_carry((B, F))
    for t in reversed(range(T)) if reverse else range(T):
        now, _ = cell(now, normal(B, T, F)[:, t])
        assert_close(jax.tree.map(lambda leaf, t=t: leaf[:, t], states), now)


@pytest.mark.parametrize("build", [snn.LSTMCell, nnx.OptimizedLSTMCell])
def test_states_of_any_cell_with_lengths_and_in_processing_order(build):
    layer = snn.RNN(build(F, H, rngs=nnx.Rngs(0)), return_carry=True)
    (_, last), outputs, (_, hidden) = layer(normal(B, T, F), seq_lengths=LENGTHS, return_states=True)
    inside = np.arange(T)[None] < LENGTHS[:, None]
    assert_close(jnp.where(inside[..., None], hidden, 0), outputs)
    assert_close(hidden[:, -1], last)
    outputs, states = layer(normal(B, T, F), reverse=True, return_carry=False, return_states=True)
    assert_close(states[1], outputs)


def test_states_of_stacks_and_directions_are_one_entry_a_layer():
    rngs = nnx.Rngs(0)
    both = snn.BidirectionalRNN(snn.RNN(snn.LSTMCell(F, H, rngs=rngs)), snn.RNN(snn.GRUCell(F, H, rngs=rngs)))
    stack = snn.StackedRNN([both, snn.RNN(snn.GRUCell(2 * H, H, rngs=rngs))])
    outputs, ((ahead, back), top) = stack(normal(B, T, F), return_states=True)
    assert_close((jnp.concatenate([ahead.hidden, back], -1), top), (both(normal(B, T, F)), outputs))
    several = stack(normal(2, B, T, F), return_carry=True, return_states=True)
    assert [leaf.shape for leaf in jax.tree.leaves(several[0])] == [(2, B, H)] * 4
    assert [leaf.shape for leaf in jax.tree.leaves(several[2])] == [(2, B, T, H)] * 4


@pytest.mark.parametrize("build", [snn.LSTMCell, snn.GRUCell, nnx.OptimizedLSTMCell])
def test_a_learned_carry_is_a_parameter_of_the_layer(build):
    layer = snn.RNN(build(F, H, rngs=nnx.Rngs(0)), learned_carry=True)
    for k, param in enumerate(layer.first_carry):
        assert param.shape == (H,)
        param[...] = jnp.full(H, 0.3 + k)
    leaves = [jnp.broadcast_to(param[...], (B, H)) for param in layer.first_carry]
    start = leaves[0] if len(leaves) == 1 else tuple(leaves)
    assert_close(layer(normal(B, T, F)), snn.RNN(layer.cell)(normal(B, T, F), initial_carry=start))
    assert_close(layer(normal(2, B, T, F))[1], layer(normal(2, B, T, F)[1]))
    graph, parameters, rest = nnx.split(layer, nnx.Param, ...)
    slope = jax.grad(lambda p: nnx.merge(graph, p, rest)(normal(B, T, F)).sum())(parameters)
    assert all(leaf.any() for leaf in jax.tree.leaves(slope["first_carry"]))
    assert_close(layer(normal(B, T, F), initial_carry=start), layer(normal(B, T, F)))


def test_a_learned_carry_refuses_what_it_cannot_have():
    layer = snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(0)), learned_carry=True)
    with pytest.raises(UserError, match="resets would zero the learned carry"):
        layer(normal(B, T, F), resets=MASK)
    assert "first_carry" not in nnx.state(snn.RNN(snn.GRUCell(F, H, rngs=nnx.Rngs(0))))
