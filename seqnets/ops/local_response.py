"""Normalization among neighboring features, as in the first deep networks."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def local_response_norm(x: jax.Array, size: int, *, alpha: float = 1e-4, beta: float = 0.75, offset: float = 1.0) -> jax.Array:
    r"""Divide every value by the strength of its neighbors along the features.

    $$ y_c = x_c \Big/ \Big(k + \frac{\alpha}{n} \sum_{|c' - c| \le n/2} x_{c'}^2\Big)^\beta $$

    Args:
        x: [B, H, W, C] floating images.
        size: n, features in a neighborhood.
        alpha: strength (Caffe's and torch's, which is n times that of the paper).
        beta: exponent.
        offset: k.

    Returns:
        An array like `x`.

    Example:
        >>> local_response_norm(jnp.ones((1, 1, 1, 3)), 3, alpha=3.0, beta=1.0)[0, 0, 0]
        Array([0.33333334, 0.25      , 0.33333334], dtype=float32)

    References:
        Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012.
    """
    neighbors = ((0, 0), (0, 0), (0, 0), (size // 2, (size - 1) // 2))
    energy = jnp.square(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    total = lax.reduce_window(energy, np.zeros((), energy.dtype)[()], lax.add, (1, 1, 1, size), (1, 1, 1, 1), neighbors)
    return (x * (offset + alpha / size * total) ** -beta).astype(x.dtype)
