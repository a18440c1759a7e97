"""Our side of the benchmark: recurrences by `seqnets.ops`, for each backend."""

from functools import partial

import jax
import jax.numpy as jnp

from recurrent_peers.jax_training import training
from recurrent_peers.sizes import EMBEDDING, GATES, VOCABULARY, Size
from seqnets.ops.linear import affine
from seqnets.ops.recurrent import GRU, LSTM, VANILLA, LSTMState, RecurrentWeights, highway
from seqnets.ops.sequence import sequence

RECURRENCES = {"lstm": LSTM, "gru": GRU["after"], "vanilla": VANILLA["tanh"], "highway": highway(1)}


def work(size: Size, cell: str, name: str, backend: str):
    """Return a function without arguments that does the work once and waits for it."""
    parameters = _parameters(size, cell)
    tokens = jax.random.randint(jax.random.key(1), (2, size.steps, size.batch), 0, VOCABULARY)
    carry = _carry(size, cell)
    logits = partial(_logits, cell, backend)
    if name == "forward":
        return _forward(jax.jit(logits), parameters, carry, tokens)
    return training(logits, parameters, carry, tokens)


def _forward(logits, parameters, carry, tokens):
    return lambda: jax.block_until_ready(logits(parameters, carry, tokens[0]))


def _logits(cell, backend, parameters, carry, tokens):
    below, last = parameters["embedding"][tokens], []
    for first, weights in zip(carry, parameters["layers"]):
        recurrent = RecurrentWeights((weights["recurrent_kernel"],), weights["vectors"])
        projected = affine(below, weights["kernel"], weights["bias"])
        below, after = sequence(RECURRENCES[cell], recurrent, first, projected, backend=backend)
        last.append(after)
    return affine(below, parameters["kernel"], parameters["bias"]), last


def _parameters(size: Size, cell: str):
    keys = iter(jax.random.split(jax.random.key(0), 100))
    gates, hidden = GATES[cell] * size.hidden, size.hidden

    def matrix(rows, columns):
        return jax.random.uniform(next(keys), (rows, columns), minval=-1, maxval=1) / rows**0.5

    def layer(index):
        return {
            "kernel": matrix(EMBEDDING if index == 0 else hidden, gates),
            "recurrent_kernel": matrix(hidden, gates),
            "bias": jnp.zeros(gates),
            "vectors": {"recurrent_bias": jnp.zeros(hidden)} if cell == "gru" else {},
        }

    return {
        "embedding": matrix(VOCABULARY, EMBEDDING),
        "layers": [layer(index) for index in range(size.layers)],
        "kernel": matrix(hidden, VOCABULARY),
        "bias": jnp.zeros(VOCABULARY),
    }


def _carry(size: Size, cell: str):
    def zeros():
        return jnp.zeros((size.batch, size.hidden))

    return [LSTMState(zeros(), zeros()) if cell == "lstm" else zeros() for _ in range(size.layers)]
