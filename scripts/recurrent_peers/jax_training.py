"""The work that both JAX contestants do: cross entropy, its gradient, and a step (clipped to 5, Adam, the carry kept)."""

import contextlib
from functools import partial

import jax
import jax.numpy as jnp
import optax


def forward(logits, parameters, carry, tokens):
    """Return a function that computes all scores and waits for them."""
    run = jax.jit(logits)
    return lambda: jax.block_until_ready(run(parameters, carry, tokens[0]))


def backward(logits, parameters, carry, tokens):
    """Return a function that computes the loss and its gradient and waits for both."""
    run = jax.jit(jax.value_and_grad(partial(_loss, logits), has_aux=True))
    return lambda: float(jax.block_until_ready(run(parameters, carry, tokens))[0][0])


def training(logits, parameters, carry, tokens, *, steps=1, mesh=None):
    """Return a function that takes so many steps in one call and waits for the last loss.

    `logits(parameters, carry, tokens)` returns scores and carry; the devices of a mesh divide the rows of the batch.
    """
    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(2e-3))
    state = (parameters, optimizer.init(parameters), carry)
    if mesh is not None:
        state, tokens = _divided(mesh, state, tokens)
    with jax.set_mesh(mesh) if mesh is not None else contextlib.nullcontext():
        step = jax.jit(partial(_steps, logits, optimizer, steps), donate_argnums=0).lower(state, tokens).compile()

    def run():
        nonlocal state
        state, loss = step(state, tokens)
        return float(loss)

    run.calls = steps
    return run


def _divided(mesh, state, tokens):
    rows = tokens.shape[-1]

    def put(leaf):
        axes = [("data" if size == rows and axis == 0 and leaf.ndim == 2 else None) for axis, size in enumerate(leaf.shape)]
        return jax.device_put(leaf, jax.NamedSharding(mesh, jax.P(*axes)))

    whole = jax.NamedSharding(mesh, jax.P())
    parameters, moments, carry = state
    parameters, moments = jax.device_put((parameters, moments), whole)
    return (parameters, moments, jax.tree.map(put, carry)), jax.device_put(
        tokens, jax.NamedSharding(mesh, jax.P(None, None, "data"))
    )


def _steps(logits, optimizer, count, state, tokens):
    if count == 1:
        return _step(logits, optimizer, state, tokens)
    start = (state, jnp.float32(0))
    return jax.lax.fori_loop(0, count, lambda _, held: _step(logits, optimizer, held[0], tokens), start)


def _step(logits, optimizer, state, tokens):
    parameters, moments, carry = state
    (value, carry), gradients = jax.value_and_grad(partial(_loss, logits), has_aux=True)(parameters, carry, tokens)
    updates, moments = optimizer.update(gradients, moments, parameters)
    return (optax.apply_updates(parameters, updates), moments, carry), value


def _loss(logits, parameters, carry, tokens):
    scores, last = logits(parameters, carry, tokens[0])
    return optax.softmax_cross_entropy_with_integer_labels(scores, tokens[1]).mean(), last
