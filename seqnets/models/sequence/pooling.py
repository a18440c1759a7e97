"""One vector for a whole sequence."""

from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.nn.dense import Dense
from seqnets.nn.initializers import input_kernel
from seqnets.ops.attention import masked_softmax, weighted_sum
from seqnets.ops.masking import valid_steps, without_padding


class LastPool(nnx.Module):
    """Take the final state of each direction."""

    def __call__(self, outputs: Array, last: Array, lengths: Array) -> Array:
        """Return `last` `(B, D)`."""
        return last


class MeanPool(nnx.Module):
    """Average over the steps of each sequence.

    Example:
        >>> outputs = jnp.array([[[1.0], [3.0], [9.0]]])
        >>> MeanPool()(outputs, outputs[:, -1], jnp.array([2])).tolist()
        [[2.0]]
    """

    def __call__(self, outputs: Array, last: Array, lengths: Array) -> Array:
        """Pool `(B, T, D)` to `(B, D)`; an empty sequence gives zeros."""
        weights = valid_steps(lengths, outputs.shape[1]) / jnp.maximum(lengths, 1)[:, None]
        return weighted_sum(weights, without_padding(outputs, lengths))


class MaxPool(nnx.Module):
    """Take the largest value of each feature over the steps of each sequence.

    Example:
        >>> outputs = jnp.array([[[1.0], [-3.0], [9.0]]])
        >>> MaxPool()(outputs, outputs[:, -1], jnp.array([2])).tolist()
        [[1.0]]
    """

    def __call__(self, outputs: Array, last: Array, lengths: Array) -> Array:
        """Pool `(B, T, D)` to `(B, D)`; an empty sequence gives zeros."""
        largest = jnp.where(valid_steps(lengths, outputs.shape[1])[..., None], outputs, -jnp.inf).max(axis=1)
        return jnp.where(lengths[:, None] > 0, largest, 0)


class AttentionPool(nnx.Module):
    r"""Weight the steps by a learned query: $e_t = u \cdot \tanh(W h_t + b)$.

    Args:
        features: D, the features of a step.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> outputs = jnp.ones((1, 3, 4))
        >>> AttentionPool(4, rngs=nnx.Rngs(0))(outputs, outputs[:, -1], jnp.array([2])).round(3).tolist()
        [[1.0, 1.0, 1.0, 1.0]]

    References:
        Yang et al., "Hierarchical Attention Networks for Document Classification", 2016.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        self.hidden = Dense(features, features, kernel_init=input_kernel, rngs=rngs)
        self.score_kernel = nnx.Param(input_kernel(rngs.params(), (features, 1)).reshape(features))

    def __call__(self, outputs: Array, last: Array, lengths: Array) -> Array:
        """Pool `(B, T, D)` to `(B, D)`; an empty sequence gives zeros."""
        outputs = without_padding(outputs, lengths)
        scores = jnp.matmul(jnp.tanh(self.hidden(outputs)), self.score_kernel[...])
        return weighted_sum(masked_softmax(scores, valid_steps(lengths, outputs.shape[1])), outputs)


POOLS: dict[str, Callable[..., nnx.Module]] = {
    "last": lambda features, rngs: LastPool(),
    "mean": lambda features, rngs: MeanPool(),
    "max": lambda features, rngs: MaxPool(),
    "attention": lambda features, rngs: AttentionPool(features, rngs=rngs),
}
