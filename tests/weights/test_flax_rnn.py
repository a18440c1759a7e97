"""Flax's recurrent weights against Flax itself, nnx and linen."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import seqnets.nn as snn
from numerics import assert_close
from seqnets.errors import UserError
from seqnets.weights import fill_flax_rnn, load_flax_rnn, rnn_from_flax

F, H = 3, 4
X = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, F)), jnp.float32)
CELLS = {
    "LSTMCell": (nnx.LSTMCell, snn.LSTMCell),
    "OptimizedLSTMCell": (nnx.OptimizedLSTMCell, snn.LSTMCell),
    "GRUCell": (nnx.GRUCell, snn.GRUCell),
    "SimpleCell": (nnx.SimpleCell, snn.VanillaCell),
}


def randomized(module):
    for k, (_, variable) in enumerate(nnx.to_flat_state(nnx.state(module, nnx.Param))):
        variable[...] = jax.random.normal(jax.random.key(k), variable.shape) * 0.5
    return module


class Model(nnx.Module):
    """Layers somewhere in a model, eleven of them, so that 10 comes after 9."""

    def __init__(self, cell):
        def rnn(features):
            return nnx.RNN(cell(features, H, rngs=nnx.Rngs(0)))

        self.head = nnx.Linear(H, 2, rngs=nnx.Rngs(0))
        self.encoder = nnx.List([nnx.Bidirectional(rnn(F), rnn(F)), rnn(2 * H), *[rnn(H) for _ in range(9)]])

    def __call__(self, x):
        for layer in self.encoder:
            x = layer(x)
        return x


FORMS = ["module", "state", "dictionary", "flat", "checkpoint"]
QUICK = [*((name, "module") for name in CELLS), *(("GRUCell", form) for form in FORMS[1:])]
REST = [case for case in itertools.product(CELLS, FORMS) if case not in QUICK]


@pytest.mark.parametrize(("name", "form"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in REST)])
def test_layers_of_flax_give_their_outputs(name, form):
    model = randomized(Model(CELLS[name][0]))
    state = nnx.state(model, nnx.Param)
    pure = nnx.to_pure_dict(state)
    given = {
        "module": model,
        "state": state,
        "dictionary": pure,
        "flat": {".".join(map(str, path)): leaf[...] for path, leaf in nnx.to_flat_state(state)},
        "checkpoint": {"params": jax.tree.map(lambda leaf: np.asarray(leaf), pure)},
    }[form]
    stack = rnn_from_flax(given, prefix="encoder")
    assert_close(stack(X), model(X))


@pytest.mark.parametrize("name", CELLS)
def test_weights_go_back_into_a_module_of_flax(name):
    theirs, ours = CELLS[name]
    layer = snn.BidirectionalRNN(*[snn.RNN(randomized(ours(F, H, rngs=nnx.Rngs(0)))) for _ in range(2)])
    for way in (layer.forward, layer.backward):
        if isinstance(way.cell, snn.GRUCell):
            way.cell.recurrent_bias[...] = jnp.zeros(H)
    module = nnx.Bidirectional(*[nnx.RNN(theirs(F, H, rngs=nnx.Rngs(k))) for k in range(2)])
    fill_flax_rnn(module, layer)
    assert_close(module(X), layer(X))
    other = snn.BidirectionalRNN(*[snn.RNN(ours(F, H, rngs=nnx.Rngs(k))) for k in range(2)])
    load_flax_rnn(other, module)
    assert_close(jax.tree.leaves(nnx.state(other)), jax.tree.leaves(nnx.state(layer)))


@pytest.mark.parametrize("cell", [linen.LSTMCell, linen.OptimizedLSTMCell, linen.GRUCell, linen.SimpleCell])
def test_parameters_of_linen(cell):
    layer = linen.RNN(cell(H))
    variables = layer.init(jax.random.key(0), X)
    variables = jax.tree.map(lambda leaf: jax.random.normal(jax.random.key(leaf.size), leaf.shape) * 0.5, variables)
    stack = rnn_from_flax(variables)
    assert_close(stack(X), layer.apply(variables, X))


def test_bfloat16_and_functions():
    model = randomized(nnx.RNN(nnx.LSTMCell(F, H, gate_fn=jax.nn.hard_sigmoid, activation_fn=jax.nn.elu, rngs=nnx.Rngs(0))))
    stack = rnn_from_flax(model, gate_fn=jax.nn.hard_sigmoid, activation_fn=jax.nn.elu)
    assert_close(stack(X), model(X))
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), nnx.to_pure_dict(nnx.state(model, nnx.Param)))
    assert_close(rnn_from_flax(half, gate_fn=jax.nn.hard_sigmoid, activation_fn=jax.nn.elu)(X), model(X), "bfloat16")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rnn_from_flax(nnx.Linear(2, 3, rngs=nnx.Rngs(0))), "no recurrent cell of Flax: expected names like"),
        (
            lambda: rnn_from_flax(nnx.RNN(nnx.GRUCell(F, H, rngs=nnx.Rngs(0))), prefix="rnn"),
            "Flax under 'rnn'",
        ),
        (lambda: rnn_from_flax([1, 2]), "give a module of Flax or its parameters by name, not a list"),
        (lambda: rnn_from_flax(nnx.SimpleCell(F, H, residual=True, rngs=nnx.Rngs(0))), "residual=True has no counterpart"),
        (
            lambda: rnn_from_flax({"cell": {"ii": {"kernel": np.zeros((3, 4))}}}),
            "cell is not a recurrent cell of Flax; it has ii",
        ),
        (
            lambda: load_flax_rnn(snn.LSTMCell(F, H, rngs=nnx.Rngs(0)), nnx.GRUCell(F, H, rngs=nnx.Rngs(0))),
            r"kernel: the layer has \(3, 16\), the weights \(3, 12\)",
        ),
        (
            lambda: load_flax_rnn(snn.LSTMCell(F, H, rngs=nnx.Rngs(0)), Model(nnx.LSTMCell)),
            "the layer has 1 cells, and Flax's weights 12",
        ),
        (
            lambda: fill_flax_rnn(nnx.GRUCell(F, H, rngs=nnx.Rngs(0)), randomized(snn.GRUCell(F, H, rngs=nnx.Rngs(0)))),
            "dense_h has no bias in Flax, and ours is not zero",
        ),
        (
            lambda: load_flax_rnn(
                snn.GRUCell(F, H, use_bias=False, rngs=nnx.Rngs(0)), randomized(nnx.GRUCell(F, H, rngs=nnx.Rngs(0)))
            ),
            "built with use_bias=False",
        ),
    ],
)
def test_what_does_not_match_is_one_sentence(call, message):
    with pytest.raises(UserError, match=message):
        call()
