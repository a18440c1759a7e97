"""The affine map and the products used by recurrences."""

import jax
import jax.numpy as jnp
from jax import Array


def multiply(x: Array, kernel: Array) -> Array:
    """Multiply by a matrix in the matrix's precision, and return the input's.

    A float32 state times a bfloat16 kernel is a bfloat16 product accumulated in float32.

    Args:
        x: `(..., F)`.
        kernel: `(F, G)`; its dtype is the precision of the product.

    Returns:
        `(..., G)` in the dtype of `x`.

    Example:
        >>> import jax.numpy as jnp
        >>> multiply(jnp.ones((2, 3)), jnp.ones((3, 4), jnp.bfloat16)).dtype
        dtype('float32')
    """
    product = jnp.matmul(x.astype(kernel.dtype), kernel, preferred_element_type=x.dtype)
    return product.astype(x.dtype)


def affine(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """Compute x @ kernel + bias in the dtype of `x`.

    Args:
        x: `(..., F)`.
        kernel: `(F, G)`.
        bias: `(G,)`, or None.

    Returns:
        `(..., G)` in the dtype of `x`.

    Example:
        >>> import jax.numpy as jnp
        >>> affine(jnp.ones((1, 2)), jnp.eye(2), jnp.array([0.0, 1.0])).tolist()
        [[1.0, 2.0]]
    """
    y = multiply(_rows(x), kernel.astype(x.dtype))
    y = y if bias is None else y + along_last_axis(bias.astype(x.dtype), y.ndim)
    return y.reshape(*x.shape[:-1], y.shape[-1])


def _rows(x: Array) -> Array:
    """Merge the leading axes: with several of them, XLA would copy and transpose for the kernel's gradient.

    On a mesh they stay, because a merged axis cannot keep the sharding of one of its parts.
    """
    return x.reshape(-1, x.shape[-1]) if x.ndim > 2 and jax.sharding.get_abstract_mesh().empty else x


def along_last_axis(vector: Array, ndim: int) -> Array:
    """Give a vector leading axes of size one if it lacks them, so that it adds to the last axis of an `ndim`-array.

    Example:
        >>> import jax.numpy as jnp
        >>> along_last_axis(jnp.zeros(4), 3).shape
        (1, 1, 4)
    """
    return vector if vector.ndim == ndim else vector.reshape((1,) * (ndim - 1) + (-1,))


def layer_norm(x: Array, scale: Array, bias: Array | None = None, epsilon: float = 1e-5) -> Array:
    """Normalize the last axis to mean 0 and variance 1, then scale and shift it.

    Args:
        x: `(..., F)`.
        scale: `(F,)`.
        bias: `(F,)`, or None for none.
        epsilon: added to the variance.

    Returns:
        `(..., F)`.

    Example:
        >>> import jax.numpy as jnp
        >>> layer_norm(jnp.array([[1.0, 3.0]]), jnp.ones(2)).round(3).tolist()
        [[-1.0, 1.0]]

    References:
        Ba, Kiros, Hinton, "Layer Normalization", 2016.
    """
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centered), axis=-1, keepdims=True)
    normalized = centered * jax.lax.rsqrt(variance + epsilon) * along_last_axis(scale, x.ndim)
    return normalized if bias is None else normalized + along_last_axis(bias, x.ndim)
