"""The decoder's attention to the image before each word."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.models.captioner.config import CaptionerConfig
from seqnets.nn.attention import ATTENTIONS
from seqnets.nn.initializers import input_kernel
from seqnets.ops.linear import affine


class Look(NamedTuple):
    """One look at the image.

    Attributes:
        context: `(B, D)`.
        attention: `(B, L)` float32.
        location: `(B,)` int32, the location that hard attention drew in training; else None.
    """

    context: Array
    attention: Array
    location: Array | None = None


class Sight(nnx.Module):
    r"""Attention with a gate: $z = \beta \sum_l \alpha_l a_l$, $\beta = \sigma(w \cdot h + b)$.

    With a key, hard attention reads $a_s$, s drawn from $\alpha$; without one, it reads the weighted mean or the likeliest.

    Args:
        features: D, the features of a location.
        config: the shape.
        rngs: source of the initial weights (stream `params`).

    References:
        Xu et al., "Show, Attend and Tell", 2015.
    """

    def __init__(self, features: int, config: CaptionerConfig, *, rngs: nnx.Rngs):
        hidden, size = config.hidden_features, config.attention_features or config.hidden_features
        make = ATTENTIONS[config.attention]
        self.attention = make(hidden, features, features=size, dtype=jnp.dtype(config.dtype), rngs=rngs)
        self.hard, self.reads_likeliest = config.hard, config.hard_reading == "argmax"
        self.gated = config.gate != "none"
        if self.gated:
            size = features if config.gate == "vector" else 1
            self.gate_kernel = nnx.Param(input_kernel(rngs.params(), (hidden, size)))
            self.gate_bias = nnx.Param(jnp.zeros(size, jnp.float32))

    def __call__(
        self, query: Array, projected: Array | None, features: Array, expected: Array | None = None, key: Array | None = None
    ) -> Look:
        """Look at the image.

        Args:
            query: the state `(B, H)`.
            projected: `(B, L, A)`.
            features: `(B, L, D)`.
            expected: `(B,)` booleans: rows where hard attention reads the weighted mean even in training.
            key: a JAX key, with which hard attention draws.
        """
        context, attention = self.attention(query, projected, features)
        location = None
        if self.hard and expected is not None and key is not None:
            location = jax.random.categorical(key, jnp.log(attention)).astype(jnp.int32)
            context = jnp.where(expected[:, None], context, _at(features, location))
        elif self.hard and self.reads_likeliest:
            context = _at(features, jnp.argmax(attention, axis=-1))
        return Look(context * self._gate(query).astype(context.dtype), attention, location)

    def _gate(self, query: Array) -> Array:
        if not self.gated:
            return jnp.ones((query.shape[0], 1))
        return jax.nn.sigmoid(affine(query, self.gate_kernel[...], self.gate_bias[...]))


def _at(features: Array, location: Array) -> Array:
    return jnp.take_along_axis(features, location[:, None, None], axis=1)[:, 0]
