"""How arrays are laid out for a kernel on a GPU, and read and written inside of it: gates apart, rows in tiles, sizes padded.

Outside, gates lie side by side on the last axis. Here they have an axis of their own, `(..., gates, H)`, since a kernel can load
one of them but cannot cut what it has loaded. Padding is zeros, which a recurrence leaves to themselves.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.gates import Gates

ROWS = 16  # of the batch a block: the fewest that a matrix unit takes
FEWEST_UNITS = 16
EACH_BLOCK = "each block"

Ref = Any  # what a kernel reads and writes through
Axis = int | str | None  # that of the rows; EACH_BLOCK: one entry a block; None: every block sees it all


def call(kernel: Callable, size: tuple[int, int], given: Any, given_axes: Any, results: Any, result_axes: Any, interpret: bool):
    """Run a kernel once for every tile of rows.

    Args:
        kernel: called with a reference for every array of `given` and `results`.
        size: B and H, padded.
        given: a tuple of trees of arrays.
        given_axes: a prefix of `given`: where their rows are, see `Axis`.
        results: a tuple of trees of shapes; see `resized`.
        result_axes: the same for the results.
        interpret: run it without a GPU, slowly.
    """
    from jax.experimental import pallas  # a third of a second, and most runs do without
    from jax.experimental.pallas import triton

    def specs(axis: Axis, subtree: Any) -> Any:
        return jax.tree.map(lambda leaf: pallas.BlockSpec(*_block(axis, leaf.shape)), subtree)

    def under(axes: Any, tree: Any) -> Any:
        return jax.tree.map(specs, axes, tree, is_leaf=lambda axis: axis is None)

    rows, units = size
    return pallas.pallas_call(
        kernel,
        out_shape=results,
        grid=(rows // ROWS,),
        in_specs=under(given_axes, given),
        out_specs=under(result_axes, results),
        interpret=interpret,
        compiler_params=triton.CompilerParams(num_warps=min(8, max(1, units // 16)), num_stages=1),
    )(*given)


def _block(axis: Axis, shape: tuple[int, ...]) -> tuple[tuple[int | None, ...], Callable[[Any], tuple]]:
    """Return the shape of one block's part, and where it starts, in such parts."""
    if axis == EACH_BLOCK:
        return (None, *shape[1:]), lambda block: (block, *(0,) * (len(shape) - 1))
    part = tuple(ROWS if k == axis else size for k, size in enumerate(shape))
    return part, lambda block: tuple(block if k == axis else 0 for k in range(len(shape)))


def resized(array: Any, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    """Return the type of an array in another shape; within shard_map it also says over which devices the array varies."""
    kind = jax.typeof(array)
    varying = {name: getattr(kind, name) for name in ("manual_axis_type", "vma") if hasattr(kind, name)}
    return jax.ShapeDtypeStruct(shape, kind.dtype, **dict([*varying.items()][:1]))


def width(units: int) -> int:
    """Return the number of hidden units with padding: a power of two.

    Example:
        >>> width(100), width(3)
        (128, 16)
    """
    return max(FEWEST_UNITS, 1 << (units - 1).bit_length())


def apart(array: Array, units: int) -> Array:
    """Give gates that lie side by side an axis of their own: `(..., gates * H)` -> `(..., gates, H)`, H padded.

    Example:
        >>> apart(jnp.ones((5, 12)), 4).shape
        (5, 3, 16)
    """
    return widened(array.reshape(*array.shape[:-1], -1, units))


def together(array: Array, units: int) -> Array:
    """Undo `apart`.

    Example:
        >>> together(apart(jnp.ones((5, 12)), 4), 4).shape
        (5, 12)
    """
    return array[..., :units].reshape(*array.shape[:-2], -1)


def widened(array: Array) -> Array:
    """Pad the last axis."""
    room = width(array.shape[-1]) - array.shape[-1]
    return jnp.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, room)]) if room else array


def heightened(array: Array, axis: int) -> Array:
    """Pad the axis of the rows to full tiles."""
    room = -array.shape[axis] % ROWS
    return jnp.pad(array, [(0, room if k == axis else 0) for k in range(array.ndim)]) if room else array


def kernel_apart(kernel: Array, units: int) -> Array:
    """Lay a recurrent kernel `(H, gates * H)` out as `(gates, H, H)`, padded."""
    square = jnp.moveaxis(apart(kernel, units), 1, 0)
    return jnp.pad(square, [(0, 0), (0, width(units) - units), (0, 0)])


def gates(count: int, read: Callable[[int], Array]) -> Any:
    """Return what is read of every gate: `Gates`, or of a single one the array itself."""
    parts = tuple(map(read, range(count)))
    return Gates(parts) if count > 1 else parts[0]


def parts_of(value: Any) -> tuple[Array, ...]:
    """Undo `gates`."""
    return value.parts if isinstance(value, Gates) else (value,)


def read(ref: Ref, step: Any) -> Any:
    """Read one step of an array `(T, B, gates, H)`."""
    return gates(ref.shape[2], lambda gate: ref[step, :, gate, :])


def write(refs: Sequence[Ref], step: Any, values: Sequence[Any]) -> None:
    """Write one step of arrays `(T, B, gates, H)`."""
    for ref, value in zip(refs, values, strict=True):
        for gate, part in enumerate(parts_of(value)):
            ref[step, :, gate, :] = part.astype(ref.dtype)


def write_leaves(refs: Any, where: Any, values: Any) -> None:
    """Write a tree of arrays `(T, B, H)` at one step, or `(B, H)` whole."""
    for ref, value in zip(jax.tree.leaves(refs), jax.tree.leaves(values), strict=True):
        ref[where] = value.astype(ref.dtype)


def read_vector(ref: Ref) -> Any:
    """Read a vector `(gates, H)`, or a tuple of them from `(L, gates, H)`; of an empty one there is no array but ()."""
    if isinstance(ref, tuple):
        return ()
    if len(ref.shape) == 2:
        return gates(ref.shape[0], lambda gate: ref[gate, :])
    return tuple(gates(ref.shape[1], lambda gate, k=k: ref[k, gate, :]) for k in range(ref.shape[0]))


def write_vector(ref: Ref, value: Any, *where: int) -> None:
    """Write what `read_vector` reads."""
    if isinstance(value, tuple) and not isinstance(value, Gates):
        for k, part in enumerate(value):
            write_vector(ref, part, k)
    else:
        for gate, part in enumerate(parts_of(value)):
            ref[(*where, gate, slice(None))] = part.astype(ref.dtype)
