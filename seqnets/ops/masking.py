"""Masks of padded sequences."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from seqnets.ops.arguments import as_array


def valid_steps(lengths: Any, steps: int) -> Array:
    """Return which steps lie within each sequence.

    Args:
        lengths: `(B,)` integers, an array or a list.
        steps: T.

    Returns:
        Booleans `(B, T)`.

    Example:
        >>> valid_steps([2, 0], 3).tolist()
        [[True, True, False], [False, False, False]]
    """
    return jnp.arange(steps)[None, :] < as_array("lengths", lengths)[:, None]


def without_padding(x: Array, lengths: Any, *, time_axis: int = 1) -> Array:
    """Zero the padding before anything multiplies it.

    Later masking would protect the outputs from a NaN in the padding, but not the gradients: 0 times NaN is NaN.

    Args:
        x: `(B, T, ...)`, or `(T, B, ...)` with `time_axis=0`.
        lengths: `(B,)` integers; None returns `x` as it is.
        time_axis: the axis of the steps.

    Returns:
        An array like `x`.

    Example:
        >>> without_padding(jnp.array([[1.0, jnp.nan]]), jnp.array([1])).tolist()
        [[1.0, 0.0]]
    """
    if lengths is None:
        return x
    valid = valid_steps(lengths, x.shape[time_axis])
    valid = valid if time_axis == 1 else valid.T
    return jnp.where(valid.reshape(*valid.shape, *(1,) * (x.ndim - 2)), x, 0)


def masked_mean(values: Array, lengths: Any) -> Array:
    """Average over the valid steps of all sequences together.

    Args:
        values: `(B, T)`.
        lengths: `(B,)` integers.

    Returns:
        A scalar; 0 if there are no valid steps.

    Example:
        >>> masked_mean(jnp.array([[1.0, 9.0], [3.0, 5.0]]), jnp.array([1, 2])).item()
        3.0
    """
    valid = valid_steps(lengths, values.shape[1])
    return jnp.sum(jnp.where(valid, values, 0)) / jnp.maximum(jnp.sum(valid), 1)
