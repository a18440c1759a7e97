"""Instance normalization whose scale and shift belong to a style."""

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.errors import UserError


class InstanceNorm(nnx.Module):
    r"""Give every map of every image the mean and standard deviation of a style.

    $$ y = \gamma_s \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta_s, \qquad \gamma_s = \sum_k s_k \gamma_k $$

    The mean and variance are those of the map, in training and afterwards. There is a row of $\gamma$ and $\beta$ for each
    style, and a mixture of styles takes the mixture of their rows.

    Args:
        features: maps, the last axis of x.
        styles: rows; 1 for plain instance normalization.
        epsilon: added to the variance.

    Raises:
        UserError: at the call, x has another number of features.

    Example:
        >>> norm = InstanceNorm(1, styles=2)
        >>> norm(jnp.array([1.0, 3.0]).reshape(1, 1, 2, 1), jnp.array([[0.5, 0.5]])).round(3).ravel()
        Array([-1.,  1.], dtype=float32)

    References:
        Ulyanov, Vedaldi and Lempitsky, "Instance normalization", 2016.
        Dumoulin, Shlens and Kudlur, "A learned representation for artistic style", 2017.
    """

    def __init__(self, features: int, *, styles: int = 1, epsilon: float = 1e-5):
        self.scale = nnx.Param(jnp.ones((styles, features), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((styles, features), jnp.float32))
        self.features, self.epsilon = features, epsilon

    def __call__(self, x: jax.Array, mix: jax.Array) -> jax.Array:
        """Normalize [B, H, W, features] for mixtures of styles, [B, styles]."""
        if x.shape[-1] != self.features:
            raise UserError(f"x {x.shape} has {x.shape[-1]} features but the instance norm has {self.features}")
        centered = x - jnp.mean(x, (1, 2), keepdims=True)
        scaled = centered * jax.lax.rsqrt(jnp.mean(jnp.square(centered), (1, 2), keepdims=True) + self.epsilon)
        scale, bias = (jnp.matmul(mix, rows[...], precision="highest")[:, None, None] for rows in (self.scale, self.bias))
        return scaled * scale + bias
