"""Where to look next: how a place is drawn from what a network says, and how likely that was."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.models.glimpse.config import GlancerConfig


class Choice(NamedTuple):
    """Places that were drawn.

    Attributes:
        place: `(B, 2)`, row and column in [-1, 1].
        log_prob: `(B,)`, with a gradient; 0 if nothing is learned.
        entropy: `(B,)`, nats; 0 where it does not depend on the network.
    """

    place: Array
    log_prob: Array
    entropy: Array


Chooser = Callable[[GlancerConfig, Array, Array | None], Choice]


def chosen(config: GlancerConfig, scores: Array, key: Array | None) -> Choice:
    """Draw places; without a key, take the likeliest ones.

    Args:
        config: `places` says how.
        scores: `(B, score_size(config))`.
        key: a JAX key, or None.

    Example:
        >>> found = chosen(GlancerConfig(places="grid", grid=2), jnp.array([[0.0, 9.0, 0.0, 0.0]]), None)
        >>> found.place.tolist(), found.log_prob.item() > -0.01
        ([[-0.5, 0.5]], True)
    """
    return _CHOOSERS[config.places](config, scores, key)


def score_size(config: GlancerConfig) -> int:
    """Return how many numbers decide a place.

    Example:
        >>> score_size(GlancerConfig(grid=3)), score_size(GlancerConfig(places="normal"))
        (9, 2)
    """
    return config.grid**2 if config.places == "grid" else 2


def _normal(config: GlancerConfig, scores: Array, key: Array | None) -> Choice:
    mean, deviation = scores / jnp.sqrt(1 + jnp.square(scores)), config.deviation  # which saturates less than tanh
    noise = jnp.zeros_like(mean) if key is None else jax.random.normal(key, mean.shape, mean.dtype)
    place = jax.lax.stop_gradient(mean + deviation * noise)
    log_prob = -0.5 * jnp.square((place - mean) / deviation) - math.log(deviation * math.sqrt(2 * math.pi))
    return Choice(jnp.clip(place, -1, 1), log_prob.sum(-1), jnp.zeros_like(place[:, 0]))


def _of_grid(config: GlancerConfig, scores: Array, key: Array | None) -> Choice:
    logs = jax.nn.log_softmax(scores)
    cell = scores.argmax(-1) if key is None else jax.random.categorical(key, logs)
    place = (2 * jnp.stack(jnp.divmod(cell, config.grid), -1) + 1) / config.grid - 1
    log_prob = jnp.take_along_axis(logs, cell[:, None], -1)[:, 0]
    return Choice(place.astype(scores.dtype), log_prob, -jnp.sum(jnp.exp(logs) * logs, -1))


def _random(config: GlancerConfig, scores: Array, key: Array | None) -> Choice:
    key, nothing = jax.random.key(0) if key is None else key, jnp.zeros_like(scores[:, 0])
    return Choice(jax.random.uniform(key, scores.shape, scores.dtype, -1, 1), nothing, nothing)


_CHOOSERS: dict[str, Chooser] = {"normal": _normal, "grid": _of_grid, "random": _random}
