"""The fully connected layer, and the flattening before it."""

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.errors import UserError
from seqnets.nn.initializers import convolution_kernel
from seqnets.ops.linear import affine


class Dense(nnx.Module):
    r"""Multiply by a matrix and add a bias: $y = x W + b$, in the dtype of x.

    Args:
        in_features: size of the last axis of x.
        out_features: size of the last axis of y.
        use_bias: whether there is a b.
        kernel_init: how W starts; He by default.
        rngs: `params` is used.

    Raises:
        UserError: x has another number of features.

    Example:
        >>> Dense(3, 4, rngs=nnx.Rngs(0))(jnp.ones((2, 3))).shape
        (2, 4)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        use_bias: bool = True,
        kernel_init: jax.nn.initializers.Initializer = convolution_kernel,
        rngs: nnx.Rngs,
    ):
        self.kernel = nnx.Param(kernel_init(rngs.params(), (in_features, out_features), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(out_features, jnp.float32)) if use_bias else None
        self.in_features = in_features
        self.out_features = out_features

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [..., in_features] to [..., out_features]."""
        if x.shape[-1] != self.in_features:
            raise UserError(
                f"x {x.shape} has {x.shape[-1]} features but the dense layer takes {self.in_features}; "
                "after convolutions, this means that the image has another size than the network was built for"
            )
        return affine(x, self.kernel[...], None if self.bias is None else self.bias[...])


class Flatten(nnx.Module):
    """Flatten each image into one row, in the order of its rows: [B, H, W, C] to [B, H * W * C].

    Example:
        >>> Flatten()(jnp.zeros((2, 7, 7, 512))).shape
        (2, 25088)
    """

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Flatten [B, H, W, C]."""
        return x.reshape(x.shape[0], -1)
