"""Convolution, batch norm, activation: the brick of most networks."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.conv import Conv
from seqnets.ops.geometry import Pair


class ConvNorm(nnx.Module):
    """Convolve without bias, normalize over the batch, activate.

    Args:
        in_features: channels of x.
        out_features: channels of y.
        kernel_size: taps, one number or (height, width).
        activation: applied last; None for none.
        epsilon: of the batch norm.
        rngs: `params` is used.
        **options: of `Conv`: stride, padding, dilation, groups.

    Example:
        >>> ConvNorm(3, 8, 3, stride=2, padding=1, rngs=nnx.Rngs(0))(jax.numpy.ones((1, 8, 8, 3))).shape
        (1, 4, 4, 8)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Pair,
        *,
        activation: Callable[[jax.Array], jax.Array] | None = jax.nn.relu,
        epsilon: float = 1e-5,
        rngs: nnx.Rngs,
        **options: Any,
    ):
        self.conv = Conv(in_features, out_features, kernel_size, use_bias=False, rngs=rngs, **options)
        self.norm = BatchNorm(out_features, epsilon=epsilon, rngs=rngs)
        self.activation = activation

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Convolve, normalize and activate [B, H, W, in_features]."""
        x = self.norm(self.conv(x), train=train)
        return x if self.activation is None else self.activation(x)
