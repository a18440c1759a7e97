"""The training step that both JAX contestants take: cross entropy, gradient clipped to 5, Adam, the carry kept."""

from functools import partial

import jax
import optax


def training(logits, parameters, carry, tokens):
    """Return a function that takes one step and waits for its loss; `logits(parameters, carry, tokens) -> (scores, carry)`."""
    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(2e-3))
    step = jax.jit(partial(_step, logits, optimizer), donate_argnums=(0, 1, 2))
    state = [parameters, optimizer.init(parameters), carry]

    def run():
        nonlocal state
        *state, loss = step(*state, tokens)
        return float(loss)

    return run


def _step(logits, optimizer, parameters, optimizer_state, carry, tokens):
    def loss(parameters):
        scores, last = logits(parameters, carry, tokens[0])
        return optax.softmax_cross_entropy_with_integer_labels(scores, tokens[1]).mean(), last

    (value, carry), gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
    updates, optimizer_state = optimizer.update(gradients, optimizer_state, parameters)
    return optax.apply_updates(parameters, updates), optimizer_state, carry, value
