"""Local response normalization as a layer."""

import jax
from flax import nnx

from seqnets.ops.local_response import local_response_norm


class LocalResponseNorm(nnx.Module):
    """Divide every value by the strength of its neighbors: `seqnets.ops.local_response.local_response_norm`.

    Args:
        size: features in a neighborhood.
        alpha: strength.
        beta: exponent.
        offset: added to the strength.

    Example:
        >>> LocalResponseNorm(5)(jax.numpy.ones((1, 2, 2, 8))).shape
        (1, 2, 2, 8)
    """

    def __init__(self, size: int, *, alpha: float = 1e-4, beta: float = 0.75, offset: float = 1.0):
        self.size, self.alpha, self.beta, self.offset = size, alpha, beta, offset

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Normalize [B, H, W, C]."""
        return local_response_norm(x, self.size, alpha=self.alpha, beta=self.beta, offset=self.offset)
