"""Flax's side of the benchmark: nnx.RNN over its own cells, split once, under jax.jit."""

from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from recurrent_peers.jax_training import backward, forward, training
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
    carry = [
        (zeros + 0, zeros + 0) if cell == "lstm" else zeros + 0 for _ in range(size.layers)
    ]  # each its own buffer, to be donated
    tokens = jax.random.randint(jax.random.key(1), (2, size.steps, size.batch), 0, VOCABULARY)
    return {"forward": forward, "backward": backward, "train_step": training}[name](model, parameters, carry, tokens)


def _call(graph, rest, parameters, carry, tokens):
    return nnx.merge(graph, parameters, rest)(tokens, carry)
