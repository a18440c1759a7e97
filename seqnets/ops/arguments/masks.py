"""Lengths, masks and resets as arguments."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from seqnets.errors import UserError
from seqnets.ops.arguments.arrays import as_array, broadcast, is_real


def lengths_of(lengths: Any, rows: int) -> Array:
    """Return lengths as `(B,)` integers; a single length applies to every row.

    Args:
        lengths: the argument.
        rows: B.

    Raises:
        UserError: they are not integers, or have another number of rows.

    Example:
        >>> lengths_of([2], 3).tolist()
        [2, 2, 2]
    """
    lengths = as_array("lengths", lengths)
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise UserError(f"lengths must be integers, not {lengths.dtype}")
    if lengths.shape not in ((), (1,), (rows,)):
        raise UserError(f"lengths must have the shape ({rows},), one for each row of the inputs, not {lengths.shape}")
    return broadcast(lengths, (rows,))


def masks_of(shape: tuple[int, ...], lengths: Any, resets: Any, *, row_axis: int) -> tuple[Array | None, Array | None]:
    """Return lengths as `(B,)` integers and resets as booleans of the inputs' first two axes; a single row applies to every row.

    Args:
        shape: shape of the inputs.
        lengths: the argument, or None.
        resets: the argument, or None.
        row_axis: which axis is the batch.

    Raises:
        UserError: they do not match the inputs.

    Example:
        >>> masks_of((2, 3, 8), None, [[1, 0, 0]], row_axis=0)[1].astype(int).tolist()
        [[1, 0, 0], [1, 0, 0]]
    """
    lengths = None if lengths is None else lengths_of(lengths, shape[row_axis])
    return lengths, None if resets is None else mask_of(resets, shape[:2], row_axis=row_axis, name="resets")


def mask_of(mask: Any, shape: tuple[int, ...], *, row_axis: int, name: str = "mask") -> Array:
    """Return booleans of the inputs' first two axes; a single row applies to every row.

    Args:
        mask: the argument.
        shape: the first two axes of the inputs.
        row_axis: which of them is the batch.
        name: name of the argument.

    Raises:
        UserError: it has another shape, or does not hold booleans or numbers.

    Example:
        >>> mask_of([[1, 0, 0]], (2, 3), row_axis=0).astype(int).tolist()
        [[1, 0, 0], [1, 0, 0]]
    """
    mask = as_array(name, mask)
    one_row = tuple(1 if axis == row_axis else size for axis, size in enumerate(shape))
    if mask.shape not in (shape, one_row):
        raise UserError(f"{name} must have the shape {shape} of the inputs, not {mask.shape}")
    if mask.dtype != bool:
        if not is_real(mask.dtype):
            raise UserError(f"{name} must be booleans, not {mask.dtype}")
        mask = mask.astype(bool)
    return broadcast(mask, shape)
