"""Which steps of padded sequences count."""

import jax.numpy as jnp
from jax import Array


def valid_steps(lengths: Array, steps: int) -> Array:
    """Tell which steps lie within each sequence.

    Args:
        lengths: `(B,)` integers.
        steps: T.

    Returns:
        Booleans `(B, T)`.

    Example:
        >>> valid_steps(jnp.array([2, 0]), 3).tolist()
        [[True, True, False], [False, False, False]]
    """
    return jnp.arange(steps)[None, :] < lengths[:, None]


def masked_mean(values: Array, lengths: Array) -> Array:
    """Average over the steps that count, of all sequences together.

    Args:
        values: `(B, T)`.
        lengths: `(B,)` integers.

    Returns:
        A scalar; 0 where no step counts.

    Example:
        >>> masked_mean(jnp.array([[1.0, 9.0], [3.0, 5.0]]), jnp.array([1, 2])).item()
        3.0
    """
    valid = valid_steps(lengths, values.shape[1])
    return jnp.sum(jnp.where(valid, values, 0)) / jnp.maximum(jnp.sum(valid), 1)
