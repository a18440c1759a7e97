"""Pooling as layers, so that it can be part of a chain and appear in a summary."""

import jax
from flax import nnx

from seqnets.ops import pool
from seqnets.ops.geometry import Padding, Pair, Rounding


class MaxPool(nnx.Module):
    """Keep the largest value under each position of a window: `seqnets.ops.pool.max_pool`.

    Args:
        window: one number or (height, width).
        stride: pixels from one position to the next; the window itself when None.
        padding: rings around the image that never win, or `"SAME"` or `"VALID"`.
        rounding: `"ceil"` lets a last window hang over the edge.

    Example:
        >>> MaxPool(3, stride=2, padding=1)(jax.numpy.ones((1, 112, 112, 4))).shape
        (1, 56, 56, 4)
    """

    def __init__(self, window: Pair, *, stride: Pair | None = None, padding: Padding = 0, rounding: Rounding = "floor"):
        self.window, self.stride, self.padding = window, stride, padding
        self.rounding: Rounding = rounding

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Pool [B, H, W, C]."""
        return pool.max_pool(x, self.window, stride=self.stride, padding=self.padding, rounding=self.rounding)


class AveragePool(nnx.Module):
    """Average the values under each position of a window: `seqnets.ops.pool.average_pool`.

    Args:
        window: one number or (height, width).
        stride: pixels from one position to the next; the window itself when None.
        padding: rings of zeros around the image, or `"SAME"` or `"VALID"`.
        rounding: `"ceil"` lets a last window hang over the edge.
        count_padding: whether the zeros of the padding count as pixels.

    Example:
        >>> AveragePool(2)(jax.numpy.ones((1, 28, 28, 4))).shape
        (1, 14, 14, 4)
    """

    def __init__(
        self,
        window: Pair,
        *,
        stride: Pair | None = None,
        padding: Padding = 0,
        rounding: Rounding = "floor",
        count_padding: bool = True,
    ):
        self.window, self.stride, self.padding = window, stride, padding
        self.rounding: Rounding = rounding
        self.count_padding = count_padding

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Pool [B, H, W, C]."""
        return pool.average_pool(
            x,
            self.window,
            stride=self.stride,
            padding=self.padding,
            rounding=self.rounding,
            count_padding=self.count_padding,
        )


class GlobalAveragePool(nnx.Module):
    """Average each feature over the whole image: [B, H, W, C] to [B, C].

    Example:
        >>> GlobalAveragePool()(jax.numpy.ones((1, 7, 7, 2048))).shape
        (1, 2048)
    """

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Average [B, H, W, C] over H and W."""
        return pool.global_average_pool(x)


class AdaptiveAveragePool(nnx.Module):
    """Average over a grid of bins of a given size, for images of any size.

    Args:
        size: of the grid, one number or (height, width).

    Example:
        >>> AdaptiveAveragePool(7)(jax.numpy.ones((1, 9, 12, 4))).shape
        (1, 7, 7, 4)
    """

    def __init__(self, size: Pair):
        self.size = size

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Average [B, H, W, C] over a grid."""
        return pool.adaptive_average_pool(x, self.size)
