"""Seqnets' side, and what was tried to make it quicker."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from image_peers.works import Work, images, labels
from seqnets.models import Taps, create_model


def work(work: Work, variant: str, weights: str):
    """Return a function without arguments that does the work once, waits for it, and returns what can be compared."""
    model = create_model(work.network, weights=weights, dtype=jnp.bfloat16 if variant == "bfloat16" else jnp.float32)
    x = jnp.asarray(images(work))
    if work.saliency:
        return _saliency(model, x)
    return _training(model, x, jnp.asarray(labels(work))) if work.trains else _inference(model, x, variant)


def _inference(model: nnx.Module, x: jax.Array, variant: str):
    structure, state = nnx.split(model)
    compiled = jax.jit(lambda state, x: nnx.merge(structure, state)(x)["logits"])

    def run() -> np.ndarray:
        return np.asarray(compiled(state, x))

    return run


def _saliency(model: nnx.Module, x: jax.Array):
    taps = Taps(model, "logits")
    gradient = jax.grad(lambda x, state: taps.compute(state, x)["logits"].max(-1).sum())
    compiled = jax.jit(lambda state, x: jnp.abs(gradient(x, state)).max(-1))

    def run() -> np.ndarray:
        return np.asarray(compiled(taps.state, x))

    return run


def _training(model: nnx.Module, x: jax.Array, y: jax.Array):
    structure, parameters, rest = nnx.split(model, nnx.Param, ...)
    optimizer = optax.sgd(0.01, momentum=0.9)

    def loss_of(parameters, rest):
        network = nnx.merge(structure, parameters, rest, copy=True)
        logits = network(x, train=True)["logits"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), nnx.state(network, nnx.Not(nnx.Param))

    def step(parameters, rest, moments):
        (loss, rest), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters, rest)
        updates, moments = optimizer.update(gradients, moments)
        return optax.apply_updates(parameters, updates), rest, moments, loss

    compiled = jax.jit(step, donate_argnums=(0, 1, 2))
    carry = parameters, rest, optimizer.init(parameters)

    def run() -> np.ndarray:
        nonlocal carry
        *after, loss = compiled(*carry)
        carry = tuple(after)
        return np.asarray(loss)

    return run
