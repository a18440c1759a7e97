"""Flax's side of the benchmark: nnx.RNN over its own cells, split once, under jax.jit."""

from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from recurrent_peers.sizes import EMBEDDING, VOCABULARY, Size

CELLS = {"lstm": nnx.OptimizedLSTMCell, "gru": nnx.GRUCell, "vanilla": nnx.SimpleCell}


class _Model(nnx.Module):
    def __init__(self, size: Size, cell: str, rngs: nnx.Rngs):
        widths = [EMBEDDING] + [size.hidden] * size.layers
        self.embedding = nnx.Embed(VOCABULARY, EMBEDDING, rngs=rngs)
        cells = [CELLS[cell](f, h, rngs=rngs) for f, h in pairwise(widths)]
        self.layers = nnx.List([nnx.RNN(cell, time_major=True, return_carry=True) for cell in cells])
        self.output = nnx.Linear(size.hidden, VOCABULARY, rngs=rngs)

    def __call__(self, tokens, carry):
        x: Any = self.embedding(tokens)
        last = []
        for layer, first in zip(self.layers, carry):
            after, x = layer(x, initial_carry=first)
            last.append(after)
        return self.output(x), last


def work(size: Size, cell: str, name: str, backend: str):
    """Return a function without arguments that does the work once and waits for it."""
    del backend
    graph, parameters, rest = nnx.split(_Model(size, cell, nnx.Rngs(0)), nnx.Param, ...)
    model = partial(_call, graph, rest)
    zeros = jnp.zeros((size.batch, size.hidden))
    carry = [(zeros, zeros) if cell == "lstm" else zeros for _ in range(size.layers)]
    tokens = jax.random.randint(jax.random.key(1), (2, size.steps, size.batch), 0, VOCABULARY)
    if name == "forward":
        forward = jax.jit(model)
        return lambda: jax.block_until_ready(forward(parameters, carry, tokens[0]))
    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(2e-3))
    return _training(jax.jit(partial(_train_step, model, optimizer)), parameters, optimizer.init(parameters), carry, tokens)


def _call(graph, rest, parameters, carry, tokens):
    return nnx.merge(graph, parameters, rest)(tokens, carry)


def _training(step, *state):
    *state, tokens = state

    def run():
        nonlocal state
        *state, loss = step(*state, tokens)
        return float(loss)

    return run


def _train_step(model, optimizer, parameters, optimizer_state, carry, tokens):
    def loss(parameters):
        scores, last = model(parameters, carry, tokens[0])
        return optax.softmax_cross_entropy_with_integer_labels(scores, tokens[1]).mean(), last

    (value, carry), gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
    updates, optimizer_state = optimizer.update(gradients, optimizer_state, parameters)
    return optax.apply_updates(parameters, updates), optimizer_state, carry, value
