"""The layout of arrays for a kernel on a Hopper GPU: units and rows in tiles, with padded sizes.

Outside, gates lie side by side on the last axis. Here every array ends in tiles `(..., blocks, parts, gates, 64, 16)`: a block
takes 16 rows through time, and each of its warpgroups a part of 64 hidden units, of every gate. Units come before rows, since
Hopper's matrix units need at least 64 rows of the left factor, which is the kernel here. Padding is zeros, which stay zeros in a
recurrence.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.gates import Gates

UNITS = 64  # a warpgroup
ROWS = 16  # rows of the batch per block
SHARED_BYTES = 226 * 1024  # that a block may have, minus the space for barriers


def tiled(array: Array, units: int) -> Array:
    """Lay out `(..., B, gates * H)` as `(..., blocks, parts, gates, 64, 16)`.

    Example:
        >>> tiled(jnp.ones((5, 20, 400)), 100).shape
        (5, 2, 2, 4, 64, 16)
    """
    *leading, rows, width = array.shape
    apart = array.reshape(*leading, rows, width // units, units)
    room = [(0, 0)] * len(leading) + [(0, -rows % ROWS), (0, 0), (0, -units % UNITS)]
    cut = jnp.pad(apart, room).reshape(*leading, -1, ROWS, width // units, width_of(units) // UNITS, UNITS)
    k = len(leading)
    return cut.transpose(*range(k), k, k + 3, k + 2, k + 4, k + 1)


def untiled(array: Array, rows: int, units: int) -> Array:
    """Undo `tiled`.

    Example:
        >>> untiled(tiled(jnp.ones((5, 20, 400)), 100), 20, 100).shape
        (5, 20, 400)
    """
    *leading, blocks, parts, gates, _, _ = array.shape
    k = len(leading)
    apart = array.transpose(*range(k), k, k + 4, k + 2, k + 1, k + 3)
    apart = apart.reshape(*leading, blocks * ROWS, gates, parts * UNITS)[..., :rows, :, :units]
    return apart.reshape(*leading, rows, gates * units)


def width_of(units: int) -> int:
    """Return the number of hidden units with padding.

    Example:
        >>> width_of(100)
        128
    """
    return units + -units % UNITS


def tiled_mask(mask: Array) -> Array:
    """Lay out `(T, B)` as `(T, blocks, 64, 16)`, the same for all units."""
    rows = jnp.pad(mask.astype(jnp.int32), [(0, 0), (0, -mask.shape[1] % ROWS)])
    return jnp.broadcast_to(rows.reshape(len(mask), -1, 1, ROWS), (len(mask), rows.shape[1] // ROWS, UNITS, ROWS))


def tiled_kernel(kernel: Array, units: int, count: int) -> Array:
    """Lay out `(lefts * H, rights * H)`, transposed, as `(parts, lefts * count * parts, rights * 64, 64)`.

    The parts of the result come first: each warpgroup reads one.

    Args:
        kernel: a matrix.
        units: H.
        count: the number of bfloat16 arrays that represent it; see `pieces`.

    Example:
        >>> tiled_kernel(jnp.ones((100, 400)), 100, 2).shape
        (2, 4, 256, 64)
    """
    lefts, rights, room = kernel.shape[0] // units, kernel.shape[1] // units, (0, -units % UNITS)
    apart = jnp.pad(kernel.reshape(lefts, units, rights, units), [(0, 0), room, (0, 0), room])
    parts = apart.shape[1] // UNITS
    cut = apart.reshape(lefts, parts, UNITS, rights, parts, UNITS).transpose(4, 0, 1, 3, 5, 2)
    cut = cut.reshape(parts, lefts, parts, rights * UNITS, UNITS)
    return jnp.stack(pieces(cut, count, _rounded), axis=2).reshape(parts, -1, rights * UNITS, UNITS)


def pieces_of(dtype: Any) -> int:
    """Return how many bfloat16 numbers represent one of this dtype."""
    return 1 if dtype == jnp.bfloat16 else 2


def pieces(array: Array, count: int, rounded: Callable[[Array], Array] = lambda array: array.astype(jnp.bfloat16)) -> list[Array]:
    """Split an array into bfloat16 arrays that add up to it, the largest first."""
    taken = []
    for _ in range(count):
        largest = rounded(array)
        taken.append(largest.astype(jnp.bfloat16))
        array = array - largest.astype(array.dtype)
    return taken


def _rounded(array: Array) -> Array:
    # on a GPU, XLA treats a conversion to bfloat16 and back as exact, and so takes every smaller piece for zero
    return jax.lax.reduce_precision(array, exponent_bits=8, mantissa_bits=7)


def shared_bytes(kernels: Sequence[Any], units: int, count: int) -> int:
    """Return the multiprocessor memory that such kernels need, including their left factors in the backward pass.

    Example:
        >>> shared_bytes([jnp.zeros((128, 512))], 128, 1) // 1024
        144
    """
    widths, width = [kernel.size // units**2 for kernel in kernels], width_of(units)
    return 2 * count * (sum(widths) * width**2 + max(widths) * ROWS * width)


def gates(count: int, read: Callable[[int], Array]) -> Any:
    """Return the values read of every gate: `Gates`, or the array itself for a single gate."""
    parts = tuple(map(read, range(count)))
    return Gates(parts) if count > 1 else parts[0]


def parts_of(value: Any) -> tuple[Array, ...]:
    """Undo `gates`."""
    return value.parts if isinstance(value, Gates) else (value,)
