"""Masks of padded sequences."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.arguments import as_array, mask_of


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


def steps_that_count(shape: tuple[int, int], lengths: Any, mask: Any) -> Array | None:
    """Return which steps count for each row, time first, of lengths, a mask with holes, or both.

    Args:
        shape: `(T, B)`.
        lengths: `(B,)` integers, or None.
        mask: booleans `(T, B)`, or `(T, 1)`, or None.

    Returns:
        Booleans `(T, B)`; None where all steps count.

    Raises:
        UserError: the mask has another shape, or is no booleans.

    Example:
        >>> steps_that_count((3, 1), jnp.array([2]), [[True], [False], [True]])[:, 0].tolist()
        [True, False, False]
    """
    within = None if lengths is None else jnp.arange(shape[0])[:, None] < lengths[None, :]
    if mask is None:
        return within
    mask = mask_of(mask, shape, row_axis=1)
    return mask if within is None else mask & within


def where_counted(x: Array, valid: Array | None) -> Array:
    """Put zeros in steps that do not count; see `without_padding`.

    Args:
        x: `(T, B, ...)`.
        valid: booleans `(T, B)`; None returns `x` as it is.

    Example:
        >>> where_counted(jnp.array([[1.0], [jnp.nan]]), jnp.array([[True], [False]])).tolist()
        [[1.0], [0.0]]
    """
    return x if valid is None else jnp.where(valid.reshape(*valid.shape, *(1,) * (x.ndim - valid.ndim)), x, 0)


def flipped(x: Array, lengths: Array | None) -> Array:
    """Reverse every row within its length; what lies beyond stays where it is.

    Args:
        x: `(T, B, ...)`.
        lengths: `(B,)` integers; None reverses all steps.

    Example:
        >>> flipped(jnp.array([[1], [2], [3]]), jnp.array([2]))[:, 0].tolist()
        [2, 1, 3]
    """
    if lengths is None:
        return x[::-1]
    step = jnp.arange(x.shape[0])[:, None]
    source = jnp.where(step < lengths[None, :], lengths[None, :] - 1 - step, step)
    return jnp.take_along_axis(x, source.reshape(*source.shape, *(1,) * (x.ndim - 2)), axis=0)


def repeated(x: Array, mask: Array, *, reverse: bool = False) -> Array:
    """Repeat the last step that counts in those that do not; before the first one there are zeros.

    Args:
        x: `(T, B, ...)`.
        mask: booleans `(T, B)`.
        reverse: "last" is as a layer in reverse goes.

    Example:
        >>> repeated(jnp.array([[1], [2], [3]]), jnp.array([[False], [True], [False]]))[:, 0].tolist()
        [0, 2, 2]
    """
    step = jnp.arange(x.shape[0])[:, None]
    absent = x.shape[0] if reverse else -1
    source = jax.lax.associative_scan(jnp.minimum if reverse else jnp.maximum, jnp.where(mask, step, absent), reverse=reverse)
    rows = (*source.shape, *(1,) * (x.ndim - 2))
    found = jnp.take_along_axis(x, jnp.clip(source, 0, x.shape[0] - 1).reshape(rows), axis=0)
    return jnp.where((source == absent).reshape(rows), 0, found)


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
