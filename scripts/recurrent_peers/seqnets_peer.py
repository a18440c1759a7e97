"""Our side of the benchmark: recurrences by `seqnets.ops`, for each backend."""

from functools import partial

import jax
import jax.numpy as jnp
import optax

from recurrent_peers.sizes import EMBEDDING, GATES, VOCABULARY, Size
from seqnets.ops.linear import affine
from seqnets.ops.recurrent import GRU, LSTM, VANILLA, LSTMState, RecurrentWeights, highway
from seqnets.ops.sequence import sequence

RECURRENCES = {"lstm": LSTM, "gru": GRU["after"], "vanilla": VANILLA["tanh"], "highway": highway(1)}


def work(size: Size, cell: str, name: str, backend: str):
    """Return a function without arguments that does the work once and waits for it."""
    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(2e-3))
    parameters = _parameters(size, cell)
    tokens = jax.random.randint(jax.random.key(1), (2, size.steps, size.batch), 0, VOCABULARY)
    carry = _carry(size, cell)
    logits = partial(_logits, cell, backend)
    if name == "forward":
        return _forward(jax.jit(logits), parameters, carry, tokens)
    step = jax.jit(partial(_train_step, logits, optimizer), donate_argnums=(0, 1, 2))
    return _training(step, parameters, optimizer.init(parameters), carry, tokens)


def _forward(logits, parameters, carry, tokens):
    return lambda: jax.block_until_ready(logits(parameters, carry, tokens[0]))


def _training(step, *state):
    *state, tokens = state

    def run():
        nonlocal state
        *state, loss = step(*state, tokens)
        return float(loss)

    return run


def _train_step(logits, optimizer, parameters, optimizer_state, carry, tokens):
    def loss(parameters):
        scores, last = logits(parameters, carry, tokens[0])
        return optax.softmax_cross_entropy_with_integer_labels(scores, tokens[1]).mean(), last

    (value, carry), gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
    updates, optimizer_state = optimizer.update(gradients, optimizer_state, parameters)
    return optax.apply_updates(parameters, updates), optimizer_state, carry, value


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
