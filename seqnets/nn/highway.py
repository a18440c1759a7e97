"""The feed-forward highway layer."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.nn.initializers import gate_blocks, input_kernel
from seqnets.ops.linear import affine


class Highway(nnx.Module):
    """A layer that learns how much of its input to pass on unchanged: y = T(x) H(x) + (1 - T(x)) x.

    H(x) = activation(W_h x + b_h) and T(x) = sigmoid(W_t x + b_t).

    Args:
        features: F, of the input and of the output.
        activation: of H.
        carry_bias: b_t begins at -carry_bias, so that the layer begins close to the identity.
        dtype: precision of the product.
        param_dtype: precision of the weights.
        rngs: source of the initial weights.

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> layer = Highway(4, carry_bias=30.0, rngs=nnx.Rngs(0))
        >>> layer(jnp.ones((1, 4))).tolist()
        [[1.0, 1.0, 1.0, 1.0]]

    References:
        Srivastava, Greff, Schmidhuber, "Highway Networks", 2015.
    """

    def __init__(
        self,
        features: int,
        *,
        activation: Callable[[Array], Array] = jax.nn.relu,
        carry_bias: float = 2.0,
        dtype: Any = None,
        param_dtype: Any = jnp.float32,
        rngs: nnx.Rngs,
    ):
        self.activation = activation
        self.dtype = param_dtype if dtype is None else dtype
        self.kernel = nnx.Param(gate_blocks(input_kernel, features)(rngs.params(), (features, 2 * features), param_dtype))
        self.bias = nnx.Param(jnp.concatenate([jnp.zeros(features), jnp.full(features, -carry_bias)]).astype(param_dtype))

    def __call__(self, x: Array) -> Array:
        """Apply the layer: `(..., F)` -> `(..., F)`."""
        x = x.astype(self.dtype)
        transformed, gate = jnp.split(affine(x, self.kernel[...], self.bias[...]), 2, axis=-1)
        return x + jax.nn.sigmoid(gate) * (self.activation(transformed) - x)
