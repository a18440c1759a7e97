"""Pooling and unpooling: nearest, bed of nails, by indices. NHWC."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from seqnets.errors import UserError
from seqnets.ops.columns import im2col
from seqnets.ops.geometry import Padding, Pair, Rounding, check_positive, output_size, pair, resolve_padding
from seqnets.ops.maxima import largest

Sides = tuple[tuple[int, int], tuple[int, int]]


def max_pool(
    x: jax.Array, window: Pair, *, stride: Pair | None = None, padding: Padding = 0, rounding: Rounding = "floor"
) -> jax.Array:
    """Keep the largest value under each position of a window; the padding never wins.

    Args:
        x: [B, H, W, C] floating images.
        window: (KH, KW).
        stride: pixels from one position to the next; the window itself when None.
        padding: rings around the image, or `"SAME"` or `"VALID"`.
        rounding: `"ceil"` lets a last window hang over the edge (Caffe, and torch's `ceil_mode`).

    Returns:
        [B, H', W', C].

    Raises:
        UserError: the window does not fit the image.

    Example:
        >>> x = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> max_pool(x, 2)[0, :, :, 0]
        Array([[4.]], dtype=float32)
        >>> max_pool(x, 2, rounding="ceil")[0, :, :, 0]
        Array([[4., 5.],
               [7., 8.]], dtype=float32)
    """
    return largest(x, *_frame(x, window, stride, padding, rounding)[:3])


def average_pool(
    x: jax.Array,
    window: Pair,
    *,
    stride: Pair | None = None,
    padding: Padding = 0,
    rounding: Rounding = "floor",
    count_padding: bool = True,
) -> jax.Array:
    """Average the values under each position of a window.

    Args:
        x: [B, H, W, C] floating images.
        window: (KH, KW).
        stride: pixels from one position to the next; the window itself when None.
        padding: rings of zeros around the image, or `"SAME"` or `"VALID"`.
        rounding: `"ceil"` lets a last window hang over the edge; the overhanging part is never counted.
        count_padding: whether the zeros of the padding count as pixels.

    Returns:
        [B, H', W', C], summed in float32 at least.

    Raises:
        UserError: the window does not fit the image.

    Example:
        >>> average_pool(jnp.ones((1, 2, 2, 1)), 3, stride=1, padding=1)[0, :, :, 0]
        Array([[0.44444445, 0.44444445],
               [0.44444445, 0.44444445]], dtype=float32)
        >>> average_pool(jnp.ones((1, 2, 2, 1)), 3, stride=1, padding=1, count_padding=False)[0, 0, 0, 0]
        Array(1., dtype=float32)
    """
    window, stride, sides, declared = _frame(x, window, stride, padding, rounding)
    total = _reduce(x.astype(jnp.promote_types(x.dtype, jnp.float32)), 0.0, lax.add, window, stride, sides)
    counts = [
        _count(x.shape[1 + axis], window[axis], stride[axis], declared[axis], total.shape[1 + axis], count_padding)
        for axis in (0, 1)
    ]
    return (total / jnp.asarray(np.outer(*counts)[None, :, :, None], total.dtype)).astype(x.dtype)


def global_average_pool(x: jax.Array) -> jax.Array:
    """Average each feature over the whole image.

    Args:
        x: [B, H, W, C] images.

    Returns:
        [B, C].

    Example:
        >>> global_average_pool(jnp.arange(4.0).reshape(1, 2, 2, 1))
        Array([[1.5]], dtype=float32)

    References:
        Lin, Chen and Yan, "Network in network", 2014.
    """
    return jnp.mean(x, (1, 2))


def global_max_pool(x: jax.Array) -> jax.Array:
    """Keep the largest value of each feature over the whole image.

    Args:
        x: [B, H, W, C] images.

    Returns:
        [B, C].

    Example:
        >>> global_max_pool(jnp.arange(4.0).reshape(1, 2, 2, 1))
        Array([[3.]], dtype=float32)
    """
    return jnp.max(x, (1, 2))


def adaptive_average_pool(x: jax.Array, size: Pair) -> jax.Array:
    """Average an image of any size over a grid of bins of a given size, as torch lays them out.

    Bin i of n covers the pixels from floor(i H / n) to ceil((i + 1) H / n): two matrix products, or no operation when
    the image already has that size.

    Args:
        x: [B, H, W, C] images.
        size: (H', W').

    Returns:
        [B, H', W', C].

    Example:
        >>> adaptive_average_pool(jnp.arange(5.0).reshape(1, 1, 5, 1), (1, 2))[0, 0, :, 0]
        Array([1., 3.], dtype=float32)
    """
    height, width = pair(size)
    check_positive(size=(height, width))
    if x.shape[1:3] == (height, width):
        return x
    rows, columns = (jnp.asarray(_bins(have, want), x.dtype) for have, want in zip(x.shape[1:3], (height, width)))
    return jnp.einsum("bhwc,ih,jw->bijc", x, rows, columns)


def max_pool_with_indices(
    x: jax.Array, window: Pair, *, stride: Pair | None = None, padding: Padding = 0, rounding: Rounding = "floor"
) -> tuple[jax.Array, jax.Array]:
    """Pool by the maximum and return the place of each maximum, for `unpool_by_indices`.

    It copies every pixel KH * KW times; `max_pool` does not.

    Args:
        x: [B, H, W, C] floating images.
        window: (KH, KW).
        stride: pixels from one position to the next; the window itself when None.
        padding: rings around the image, or `"SAME"` or `"VALID"`.
        rounding: `"ceil"` lets a last window hang over the edge.

    Returns:
        The maxima [B, H', W', C] and their int32 places row * W + column [B, H', W', C], the first of equal ones.

    Raises:
        UserError: the window does not fit the image.

    Example:
        >>> values, places = max_pool_with_indices(jnp.array([[1.0, 5.0], [3.0, 2.0]]).reshape(1, 2, 2, 1), 2)
        >>> float(values[0, 0, 0, 0]), int(places[0, 0, 0, 0])
        (5.0, 1)
    """
    height, width, channels = x.shape[1:]
    window, stride, sides, _ = _frame(x, window, stride, padding, rounding)
    places = jnp.arange(height * width, dtype=jnp.int32).reshape(1, height, width, 1)
    patches = im2col(x, window, stride=stride, padding=sides, fill=-jnp.inf)
    patches = patches.reshape(*patches.shape[:3], -1, channels)
    sources = im2col(places, window, stride=stride, padding=sides, fill=-1)[..., None]
    inside = sources >= 0
    best = jnp.max(patches, axis=3, keepdims=True, where=inside, initial=-jnp.inf)
    # not the overall maximum: in a window of -inf only, the padding would win
    winner = jnp.argmax(inside & ((patches == best) | jnp.isnan(patches)), axis=3, keepdims=True)
    values = jnp.take_along_axis(patches, winner, axis=3)
    indices = jnp.take_along_axis(jnp.broadcast_to(sources, patches.shape), winner, axis=3)
    return values.squeeze(3), indices.squeeze(3)


def unpool_by_indices(x: jax.Array, indices: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Put each value back where max pooling found it, zeros elsewhere.

    Args:
        x: [B, H', W', C] values.
        indices: int32 [B, H', W', C] places row * W + column, as `max_pool_with_indices` gives them.
        size: (H, W) of the image before pooling.

    Returns:
        [B, H, W, C].

    Raises:
        UserError: `indices` does not have the shape of `x`, or some lie outside the image (checked only outside
            `jax.jit`; inside, their values are lost).

    Example:
        >>> unpool_by_indices(jnp.full((1, 1, 1, 1), 5.0), jnp.array([[[[1]]]]), (2, 2))[0, :, :, 0]
        Array([[0., 5.],
               [0., 0.]], dtype=float32)

    References:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
    """
    if indices.shape != x.shape:
        raise UserError(f"indices has shape {indices.shape} but x has {x.shape}; give the indices of the same pooling")
    _check_places(indices, size)
    batch, channels = x.shape[0], x.shape[3]
    flat = jnp.zeros((batch, size[0] * size[1], channels), x.dtype)
    images, features = jnp.arange(batch)[:, None, None], jnp.arange(channels)[None, None, :]
    places = indices.reshape(batch, -1, channels)
    return flat.at[images, places, features].set(x.reshape(places.shape)).reshape(batch, *size, channels)


def unpool_nearest(x: jax.Array, factor: Pair) -> jax.Array:
    """Repeat each pixel over a block.

    Args:
        x: [B, H, W, C] images.
        factor: (rows, columns) of the block.

    Returns:
        [B, rows * H, columns * W, C].

    Example:
        >>> unpool_nearest(jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1), (1, 2))[0, 0, :, 0]
        Array([1., 1., 2., 2.], dtype=float32)
    """
    rows, columns = pair(factor)
    check_positive(factor=(rows, columns))
    return jnp.repeat(jnp.repeat(x, rows, axis=1), columns, axis=2)


def unpool_bed_of_nails(x: jax.Array, factor: Pair) -> jax.Array:
    """Put each pixel into the top left corner of a block of zeros.

    Args:
        x: [B, H, W, C] images.
        factor: (rows, columns) of the block.

    Returns:
        [B, rows * H, columns * W, C].

    Example:
        >>> unpool_bed_of_nails(jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1), (1, 2))[0, 0, :, 0]
        Array([1., 0., 2., 0.], dtype=float32)
    """
    rows, columns = pair(factor)
    check_positive(factor=(rows, columns))
    blanks = [(0, 0, 0), (0, rows - 1, rows - 1), (0, columns - 1, columns - 1), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), blanks)


def _check_places(indices: jax.Array, size: tuple[int, int]) -> None:
    check_positive(size=size)
    if isinstance(indices, Tracer) or not indices.size:
        return
    low, high = int(jnp.min(indices)), int(jnp.max(indices))
    if low < 0 or high >= size[0] * size[1]:
        wrong = low if low < 0 else high
        raise UserError(f"index {wrong} lies outside an image of {size[0]} x {size[1]}; give the size from before the pooling")


def _frame(
    x: jax.Array, window: Pair, stride: Pair | None, padding: Padding, rounding: Rounding
) -> tuple[tuple[int, int], tuple[int, int], Sides, Sides]:
    if x.ndim != 4 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise UserError(f"x is {x.dtype}{list(x.shape)}; pooling takes floating images [B, H, W, features]")
    window = pair(window)
    stride = window if stride is None else pair(stride)
    declared = resolve_padding(padding, size=x.shape[1:3], window=window, stride=stride)
    for axis, name in enumerate(("rows", "columns")):
        if max(declared[axis]) >= window[axis]:
            reason = f"a window of {window[axis]} {name} would see only padding"
            raise UserError(f"padding {padding!r} is too large: {reason}; give less than {window[axis]}")
    rows, columns = (_overhang(x.shape[1 + axis], window[axis], stride[axis], declared[axis], rounding) for axis in (0, 1))
    return window, stride, (rows, columns), declared


def _overhang(size: int, window: int, stride: int, padding: tuple[int, int], rounding: Rounding) -> tuple[int, int]:
    positions = output_size(size, window, stride=stride, padding=padding, rounding=rounding)
    needed = (positions - 1) * stride + window - size - padding[0]
    return padding[0], max(padding[1], needed)


def _reduce(x: jax.Array, start: float, combine, window: tuple[int, int], stride: tuple[int, int], sides: Sides):
    return lax.reduce_window(
        x, np.asarray(start, x.dtype)[()], combine, (1, *window, 1), (1, *stride, 1), ((0, 0), *sides, (0, 0))
    )


def _count(size: int, window: int, stride: int, padding: tuple[int, int], positions: int, padded: bool) -> np.ndarray:
    first = stride * np.arange(positions) - padding[0]
    low, high = (-padding[0], size + padding[1]) if padded else (0, size)
    return np.minimum(first + window, high) - np.maximum(first, low)


def _bins(have: int, want: int) -> np.ndarray:
    start = np.arange(want) * have // want
    stop = -(-(np.arange(want) + 1) * have // want)
    pixels = np.arange(have)
    inside = (pixels >= start[:, None]) & (pixels < stop[:, None])
    return inside / (stop - start)[:, None]
