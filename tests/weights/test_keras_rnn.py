"""Keras' recurrent weights against float64 loops written from Keras' documentation."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets.nn as snn
from numerics import assert_close
from seqnets.errors import UserError
from seqnets.weights import keras_rnn_weights, load_keras_rnn, rnn_from_keras

B, T, F, H = 2, 5, 3, 4
X = np.random.default_rng(0).normal(size=(B, T, F))
GATES = {"simple": 1, "lstm": 4, "gru": 3, "gru-before": 3}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple(x, h, _, kernel, recurrent, bias):
    return (np.tanh(x @ kernel + bias + h @ recurrent), None)


def lstm(x, h, c, kernel, recurrent, bias):
    i, f, candidate, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    return sigmoid(o) * np.tanh(c), c


def gru(x, h, _, kernel, recurrent, bias):
    x_z, x_r, x_h = np.split(x @ kernel + bias[0], 3, axis=-1)
    h_z, h_r, h_h = np.split(h @ recurrent + bias[1], 3, axis=-1)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    return z * h + (1 - z) * np.tanh(x_h + r * h_h), None


def gru_before(x, h, _, kernel, recurrent, bias):
    x_z, x_r, x_h = np.split(x @ kernel + bias, 3, axis=-1)
    u_z, u_r, u_h = np.split(recurrent, 3, axis=-1)
    z, r = sigmoid(x_z + h @ u_z), sigmoid(x_r + h @ u_r)
    return z * h + (1 - z) * np.tanh(x_h + (r * h) @ u_h), None


STEPS = {"simple": simple, "lstm": lstm, "gru": gru, "gru-before": gru_before}


def weights_of(kind, features=F, seed=0, bias=True):
    rng, width = np.random.default_rng(seed), GATES[kind] * H
    shapes = [(features, width), (H, width), (2, width) if kind == "gru" else (width,)]
    return [rng.normal(size=shape) * 0.7 for shape in shapes[: 2 + bias]]


def run(kind, weights, x, back=False):
    width = weights[1].shape[1]
    kernel, recurrent, bias = [*weights, np.zeros((2, width) if kind == "gru" else width)][:3]
    h, c, outputs = np.zeros((len(x), H)), np.zeros((len(x), H)), {}
    for t in reversed(range(x.shape[1])) if back else range(x.shape[1]):
        h, c = STEPS[kind](x[:, t], h, c, kernel, recurrent, bias)
        outputs[t] = h
    return np.stack([outputs[t] for t in range(x.shape[1])], 1)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("kind", STEPS)
def test_layers_of_keras_give_their_outputs(kind, bias):
    weights = weights_of(kind, bias=bias)
    stack = rnn_from_keras(weights, reset_after=kind == "gru")
    assert_close(stack(jnp.asarray(X, jnp.float32)), run(kind, weights, X))
    assert [array.shape for array in keras_rnn_weights(stack)] == [array.shape for array in weights]
    assert_close(run(kind, keras_rnn_weights(stack), X), run(kind, weights, X))


@pytest.mark.parametrize("kind", STEPS)
def test_stacks_and_both_directions(kind):
    below, above = weights_of(kind) + weights_of(kind, seed=1), weights_of(kind, features=2 * H, seed=2)
    stack = rnn_from_keras([below, above])
    middle = np.concatenate([run(kind, below[:3], X), run(kind, below[3:], X, back=True)], -1)
    assert_close(stack(jnp.asarray(X, jnp.float32)), run(kind, above, middle))
    other = rnn_from_keras([weights_of(kind, seed=7) * 2, weights_of(kind, features=2 * H, seed=8)])
    load_keras_rnn(other, keras_rnn_weights(stack))
    assert_close(other(jnp.asarray(X, jnp.float32)), run(kind, above, middle))


@pytest.mark.parametrize("offset", range(0, 16, 4))
@pytest.mark.parametrize("kind", STEPS)
def test_loaded_weights_share_no_memory_with_the_callers(kind, offset):
    weights = [np.zeros(array.size + offset, np.float32)[offset:].reshape(array.shape) for array in weights_of(kind)]
    for array, values in zip(weights, weights_of(kind), strict=True):
        array[...] = values  # at every alignment: JAX takes memory over only where it suits it
    stack = rnn_from_keras(weights)
    wanted = run(kind, [array.astype(np.float64) for array in weights], X)
    for array in weights:
        array[...] = 9
    assert_close(stack(jnp.asarray(X, jnp.float32)), wanted)


def test_a_model_written_by_hand_has_these_numbers():
    """Constants everywhere: what an LSTM of one unit gives after one step of input 1."""
    weights = [np.full((1, 4), 0.01), np.full((1, 4), 0.02), np.full(4, 0.03)]
    cell = sigmoid(0.04) * np.tanh(0.04)
    wanted = sigmoid(0.04) * np.tanh(cell)
    assert float(rnn_from_keras(weights)(jnp.ones((1, 1, 1)))[0, 0, 0]) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rnn_from_keras([np.zeros((3, 20))]), "has kernel, recurrent_kernel and bias"),
        (lambda: rnn_from_keras([np.zeros((3, 10)), np.zeros((5, 10))]), "must be 1, 3 or 4 times as wide as high"),
        (lambda: rnn_from_keras({"kernel": np.zeros((3, 10))}), "as a list of arrays, such as layer.get_weights"),
        (lambda: load_keras_rnn(snn.LSTMCell(F, H + 1, rngs=nnx.Rngs(0)), weights_of("lstm")), "the layer has"),
        (lambda: load_keras_rnn(snn.LSTMCell(F, H, rngs=nnx.Rngs(0)), weights_of("lstm")[:1]), "are 3 arrays, or 2 without"),
        (lambda: load_keras_rnn(snn.GRUCell(F, H, rngs=nnx.Rngs(0)), weights_of("gru-before")), "reset_after=True"),
        (
            lambda: load_keras_rnn(snn.GRUCell(F, H, reset="before", rngs=nnx.Rngs(0)), weights_of("gru")),
            "must be that of one bias",
        ),
        (lambda: load_keras_rnn(snn.LSTMCell(F, H, use_bias=False, rngs=nnx.Rngs(0)), weights_of("lstm")), "use_bias=False"),
        (lambda: keras_rnn_weights(snn.HighwayCell(F, H, rngs=nnx.Rngs(0))), "Keras has no counterpart of HighwayCell"),
        (lambda: keras_rnn_weights(snn.LSTMCell(F, H, layer_norm=True, rngs=nnx.Rngs(0))), "LSTMCell with layer norm"),
    ],
)
def test_what_does_not_match_is_one_sentence(call, message):
    with pytest.raises(UserError, match=message):
        call()
