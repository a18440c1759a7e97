"""Stacks, directions, residuals and the noise between layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets.nn as snn
from numerics import assert_close
from seqnets.errors import UserError

X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 4)), jnp.float32)


def layers(count=3, features=4):
    rngs = nnx.Rngs(1)
    return [snn.RNN(snn.GRUCell(4 if i == 0 else features, features, rngs=rngs)) for i in range(count)]


def test_a_stack_is_its_layers_in_turn():
    parts = layers()
    expected, carries = X, []
    for part in parts:
        carry, expected = part(expected, return_carry=True)
        carries.append(carry)
    carry, outputs = snn.StackedRNN(parts)(X, return_carry=True)
    assert_close((outputs, carry), (expected, tuple(carries)))


def test_residual_adds_inputs_where_sizes_fit():
    first, second = layers(2)
    below = first(X) + X
    assert_close(snn.StackedRNN([first, second], residual=True)(X), second(below) + below)
    wide = layers(2, features=7)
    below = wide[0](X)
    assert_close(snn.StackedRNN(wide, residual=True)(X), wide[1](below) + below)


def test_carry_continues_a_stack():
    stack = snn.StackedRNN(layers(), return_carry=True)
    last, whole = stack(X)
    carry, first = stack(X[:, :2])
    carry, second = stack(X[:, 2:], initial_carry=carry)
    assert_close((jnp.concatenate([first, second], 1), carry), (whole, last))


def test_dropout_needs_a_key_and_leaves_the_last_layer_alone():
    stack = snn.StackedRNN(layers(2), dropout=0.5)
    clean = stack(X)
    assert_close(stack(X), clean)
    noisy = stack(X, key=jax.random.key(0))
    assert not np.allclose(noisy, clean)
    assert np.count_nonzero(noisy) == noisy.size
    assert_close(stack(X, key=jax.random.key(0)), noisy)


def test_bidirectional_is_both_directions_side_by_side():
    rngs = nnx.Rngs(2)
    ahead, back = snn.RNN(snn.LSTMCell(4, 5, rngs=rngs)), snn.RNN(snn.LSTMCell(4, 3, rngs=rngs), reverse=True)
    lengths = jnp.array([6, 3])
    _, outputs = snn.BidirectionalRNN(ahead, back)(X, lengths=lengths, return_carry=True)
    flipped = snn.RNN(back.cell)(X[1:, :3][:, ::-1])[:, ::-1]
    assert_close(outputs[..., :5], ahead(X, lengths=lengths))
    assert_close(outputs[1:, :3, 5:], flipped)
    assert not outputs[1, 3:].any()


def test_bidirectional_sum():
    rngs = nnx.Rngs(2)
    ahead, back = snn.RNN(snn.GRUCell(4, 5, rngs=rngs)), snn.RNN(snn.GRUCell(4, 5, rngs=rngs), reverse=True)
    assert_close(snn.BidirectionalRNN(ahead, back, merge="sum")(X), ahead(X) + back(X, keep_order=True))


def test_time_major_is_a_transpose():
    cell = snn.LSTMCell(4, 5, rngs=nnx.Rngs(0))
    resets = jnp.zeros((2, 6), bool).at[1, 3].set(True)
    batch_major = snn.RNN(cell)(X, resets=resets)
    time_major = snn.RNN(cell, time_major=True)(X.swapaxes(0, 1), resets=resets.T)
    assert_close(time_major.swapaxes(0, 1), batch_major)


def test_weight_dropout_draws_one_mask_for_the_sequence():
    cell = snn.VanillaCell(4, 5, rngs=nnx.Rngs(0))
    noisy = snn.RNN(cell, weight_dropout=0.5)(X, key=jax.random.key(3))
    assert_close(snn.RNN(cell, weight_dropout=0.5)(X), snn.RNN(cell)(X))
    kernel = np.asarray(cell.recurrent_kernel[...])
    # The mask is what explains the outputs: recover U from h_t = tanh(p_t + h_{t-1} U) by least squares.
    longer = jnp.asarray(np.random.default_rng(1).normal(size=(8, 40, 4)), jnp.float32)
    h = np.asarray(snn.RNN(cell, weight_dropout=0.5)(longer, key=jax.random.key(3)), np.float64)
    targets = np.arctanh(h[:, 1:]) - np.asarray(cell.project(longer))[:, 1:]
    found = np.linalg.lstsq(h[:, :-1].reshape(-1, 5), targets.reshape(-1, 5), rcond=None)[0]
    ratio = np.round(found / kernel, 2)
    assert set(np.unique(np.abs(ratio))) == {0.0, 2.0}
    assert noisy.shape == (2, 6, 5)


@pytest.mark.parametrize("locked", [False, True])
def test_dropout_keeps_the_mean(locked):
    drop = snn.locked_dropout if locked else snn.dropout
    dropped = np.asarray(drop(jnp.ones((64, 10, 64)), 0.3, jax.random.key(0)))
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert (dropped == dropped[:, :1]).all() == locked


def test_zoneout_keeps_or_takes_each_unit():
    cell = snn.GRUCell(4, 5, zoneout=0.5, rngs=nnx.Rngs(0))
    start = jnp.full((2, 5), 9.0)
    plain = snn.RNN(snn.GRUCell(4, 5, rngs=nnx.Rngs(0)))(X[:, :1], initial_carry=start)[:, 0]
    noisy = snn.RNN(cell)(X[:, :1], initial_carry=start, key=jax.random.key(1))[:, 0]
    kept = np.asarray(noisy == start)
    assert 0 < kept.sum() < kept.size
    assert_close(np.where(kept, start, plain), noisy)


def test_highway_layer():
    layer = snn.Highway(4, rngs=nnx.Rngs(0))
    kernel, bias = np.asarray(layer.kernel[...], np.float64), np.asarray(layer.bias[...], np.float64)
    a = np.asarray(X, np.float64) @ kernel + bias
    gate = 1 / (1 + np.exp(-a[..., 4:]))
    assert_close(layer(X), gate * np.maximum(a[..., :4], 0) + (1 - gate) * np.asarray(X, np.float64))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda r: snn.StackedRNN([]), "at least one layer"),
        (lambda r: snn.StackedRNN([snn.RNN(snn.GRUCell(3, 3, rngs=r), time_major=True)]), "time_major=False"),
        (lambda r: snn.BidirectionalRNN(*[snn.RNN(snn.GRUCell(3, 3, rngs=r))] * 2, merge="max"), "merge must be 'concat', "),
    ],
)
def test_errors_teach(build, message):
    with pytest.raises(UserError, match=message):
        build(nnx.Rngs(0))


def alone(layer, row, steps):
    return layer(X[row : row + 1, :steps], initial_carry=jnp.full((1, 5), 0.7), return_carry=True)


@pytest.mark.parametrize("cell", [snn.GRUCell, snn.MinGRUCell, nnx.GRUCell])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_reset_beyond_a_rows_length_leaves_its_state(cell, reverse):
    layer = snn.RNN(cell(4, 5, rngs=nnx.Rngs(0)), reverse=reverse, return_carry=True)
    resets = jnp.zeros((2, 6), bool).at[:, 4].set(True)
    last, outputs = layer(X, initial_carry=jnp.full((2, 5), 0.7), lengths=jnp.array([0, 3]), resets=resets)
    assert_close(last[:1], jnp.full((1, 5), 0.7))
    assert_close((last[1:], outputs[1:, :3]), alone(layer, 1, 3))


CARRY = jnp.zeros((2, 4))
LSTM_STATE = snn.LSTMState(CARRY, CARRY)


def both_ways():
    rngs = nnx.Rngs(1)
    return snn.BidirectionalRNN(snn.RNN(snn.GRUCell(4, 4, rngs=rngs)), snn.RNN(snn.GRUCell(4, 4, rngs=rngs), reverse=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: snn.StackedRNN(layers(2))(X, initial_carry=(CARRY,)), "initial_carry has 1 entry, the stack 2 layers"),
        (lambda: snn.StackedRNN(layers(2))(X, initial_carry=(CARRY,) * 3), "initial_carry has 3 entries, the stack 2 layers"),
        (lambda: snn.StackedRNN(layers(2))(X, initial_carry=LSTM_STATE), "one entry per layer, not an LSTMState of 2"),
        (lambda: snn.StackedRNN(layers(2)).stepper()(CARRY, (CARRY,), None), "carry has 1 entry, the stack 2 layers"),
        (lambda: snn.StackedRNN([both_ways()]).stepper(), "single steps need layers that are RNN"),
        (lambda: both_ways()(X, initial_carry=(CARRY,)), "1 entry, the bidirectional layer 2 directions"),
        (lambda: snn.StackedRNN([both_ways()])(X, resets=jnp.zeros((2, 6), bool)), "a bidirectional layer has no resets"),
        (lambda: snn.StackedRNN([both_ways()])(X, projected=True), "takes raw inputs"),
        (lambda: layers(1)[0](X, initial_carry=CARRY[:1]), "initial_carry is for 1 row, the inputs have 2"),
        (lambda: layers(1)[0](X, initial_carry=jnp.zeros((2, 7))), "initial_carry is for 7 hidden features, the layer has 4"),
        (lambda: layers(1)[0](X, lengths=[1, 2, 3]), r"lengths must have the shape \(2,\)"),
        (lambda: layers(1)[0](X, resets=jnp.zeros((6, 2), bool)), r"resets must have the shape \(2, 6\) of the inputs, not"),
    ],
)
def test_what_does_not_fit_is_one_sentence(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_lengths_are_a_list_or_one_for_all_rows_and_resets_one_row_for_all():
    layer = layers(1)[0]
    assert_close(layer(X, lengths=[3, 5]), layer(X, lengths=jnp.array([3, 5])))
    assert_close(layer(X, lengths=[3]), layer(X, lengths=jnp.array([3, 3])))
    resets = jnp.zeros((2, 6), bool).at[:, 2].set(True)
    assert_close(layer(X, resets=resets[:1]), layer(X, resets=resets))
