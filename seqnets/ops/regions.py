"""Features of regions at a fixed size: RoI pooling, RoI align, pyramids, position-sensitive pooling, warped crops.

All of them see a grid of taps: for region r and bin (i, j), P rows and Q columns of the map, read by one gather. The maximum over
the taps is RoI pooling; a sum with bilinear weights is RoI align, which on small maps is two matrix products. Boxes are
(left, top, right, bottom) in pixels of the picture, R for each picture: fewer are padded with any finite boxes.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.errors import UserError
from seqnets.ops.geometry import Pair, check_positive, pair

_SMALL = 64 * 64  # cells of a map up to which products are faster than reading every tap


class _Taps(NamedTuple):
    """Places along one axis and their weights: [B, R, bins, taps]; a weight of 0 is no tap."""

    places: jax.Array
    weights: jax.Array


def region_max_pool(features: jax.Array, boxes: jax.Array, size: Pair, *, scale: float = 1.0) -> jax.Array:
    """Divide each region into a grid of bins and keep the largest value of each (RoI pooling).

    As in Fast R-CNN, the corners are rounded to whole cells, the last one included, and neighboring bins may share a row or a
    column. Bins without a cell are 0. The region may reach beyond the map by no more than the size of the map.

    Args:
        features: [B, H, W, C].
        boxes: [B, R, 4], pixels.
        size: (h, w) of the grid.
        scale: cells of the map per pixel: 1 / 16 after 4 halvings.

    Returns:
        [B, R, h, w, C].

    Raises:
        UserError: the shapes do not fit.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> region_max_pool(x, jnp.array([[[0.0, 0.0, 3.0, 3.0]]]), 2)[0, 0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]

    References:
        Girshick, "Fast R-CNN", 2015.
    """
    height, width = _checked(features, boxes, size)
    low, high = _away_from_zero(boxes[..., :2] * scale), _away_from_zero(boxes[..., 2:] * scale)
    sides = jnp.maximum(high - low + 1, 1)
    rows = _whole_cells(low[..., 1], sides[..., 1], height, features.shape[1], features.shape[1])
    columns = _whole_cells(low[..., 0], sides[..., 0], width, features.shape[2], features.shape[2])
    values = _gathered(features, rows, columns)
    is_tap = (rows.weights[:, :, :, :, None, None] * columns.weights[:, :, None, None]) > 0
    best = jnp.max(jnp.where(is_tap[..., None], values, -jnp.inf), (3, 5))
    return jnp.where(is_tap.any((3, 5))[..., None], best, 0)


def region_align(
    features: jax.Array, boxes: jax.Array, size: Pair, *, scale: float = 1.0, samples: int = 2, aligned: bool = True
) -> jax.Array:
    """Average bilinear samples at regular places of each bin of a region, without any rounding (RoI align).

    Args:
        features: [B, H, W, C].
        boxes: [B, R, 4], pixels.
        size: (h, w) of the grid.
        scale: cells of the map per pixel.
        samples: samples along each side of a bin; 0 takes one per cell that the bin covers, at most one per cell that a bin of
            the whole map covers.
        aligned: places cell (i, j) at (i + .5, j + .5), as pictures are resized. False is the older convention: half a cell
            off, and a region has at least 1 x 1 cell.

    Returns:
        [B, R, h, w, C]. Samples more than a cell outside of the map are 0.

    Raises:
        UserError: the shapes do not fit.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> region_align(x, jnp.array([[[0.0, 0.0, 4.0, 4.0]]]), 2)[0, 0, :, :, 0].tolist()
        [[2.5, 4.5], [10.5, 12.5]]

    References:
        He et al., "Mask R-CNN", 2017.
    """
    rows, columns = _samples_of(features, boxes, _checked(features, boxes, size), scale, samples, aligned)
    return _weighted(features, rows, columns)


def region_pyramid(
    features: jax.Array, boxes: jax.Array, levels: Sequence[int] = (1, 2, 3, 6), *, scale: float = 1.0
) -> jax.Array:
    """Keep the largest values of each region under several grids, one after the other (spatial pyramid pooling).

    Args:
        features: [B, H, W, C].
        boxes: [B, R, 4], pixels; (0, 0, W - 1, H - 1) / scale is the whole map.
        levels: bins along each side, of every grid.
        scale: cells of the map per pixel.

    Returns:
        [B, R, sum of the squares of the levels, C].

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> region_pyramid(x, jnp.array([[[0.0, 0.0, 3.0, 3.0]]]), (1, 2))[0, 0, :, 0].tolist()
        [15.0, 5.0, 7.0, 13.0, 15.0]

    References:
        He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition", 2014.
    """
    grids = [region_max_pool(features, boxes, level, scale=scale) for level in levels]
    return jnp.concatenate([grid.reshape(*grid.shape[:2], -1, grid.shape[-1]) for grid in grids], 2)


def position_sensitive_pool(features: jax.Array, boxes: jax.Array, size: Pair, *, scale: float = 1.0) -> jax.Array:
    """Average the cells of each bin of a region, every bin in maps of its own (R-FCN).

    Args:
        features: [B, H, W, C * h * w], the maps of one output feature side by side: (C, h, w).
        boxes: [B, R, 4], pixels.
        size: (h, w) of the grid.
        scale: cells of the map per pixel.

    Returns:
        [B, R, h, w, C]; bins without a cell are 0.

    Raises:
        UserError: the features are not a multiple of h * w.

    Example:
        >>> x = jnp.stack([jnp.full((4, 4), i + 1.0) for i in range(4)], -1)[None]
        >>> position_sensitive_pool(x, jnp.array([[[0.0, 0.0, 3.0, 3.0]]]), 2)[0, 0, :, :, 0].tolist()
        [[1.0, 2.0], [3.0, 4.0]]

    References:
        Dai et al., "R-FCN: object detection via region-based fully convolutional networks", 2016.
    """
    height, width = _checked(features, boxes, size)
    low, high = _away_from_zero(boxes[..., :2] * scale), _away_from_zero(boxes[..., 2:] * scale)
    sides = jnp.maximum(high - low, 1)
    rows = _whole_cells(low[..., 1], sides[..., 1], height, features.shape[1], features.shape[1] - 1)
    columns = _whole_cells(low[..., 0], sides[..., 0], width, features.shape[2], features.shape[2] - 1)
    return _weighted(features, *map(_mean_weights, (rows, columns)), own_maps=True)


def position_sensitive_align(
    features: jax.Array, boxes: jax.Array, size: Pair, *, scale: float = 1.0, samples: int = 2
) -> jax.Array:
    """Average bilinear samples of each bin of a region, every bin in maps of its own.

    Args:
        features: [B, H, W, C * h * w], as for `position_sensitive_pool`.
        boxes: [B, R, 4], pixels.
        size: (h, w) of the grid.
        scale: cells of the map per pixel.
        samples: as for `region_align`.

    Returns:
        [B, R, h, w, C].

    Example:
        >>> x = jnp.stack([jnp.full((4, 4), i + 1.0) for i in range(4)], -1)[None]
        >>> position_sensitive_align(x, jnp.array([[[0.0, 0.0, 3.0, 3.0]]]), 2)[0, 0, :, :, 0].tolist()
        [[1.0, 2.0], [3.0, 4.0]]

    References:
        Li et al., "Light-head R-CNN", 2017.
    """
    rows, columns = _samples_of(features, boxes, _checked(features, boxes, size), scale, samples, aligned=True)
    return _weighted(features, rows, columns, own_maps=True)


def warp_regions(
    images: jax.Array, boxes: jax.Array, size: Pair, *, context: float = 0.0, fill: jax.Array | float = 0.0, samples: int = 2
) -> jax.Array:
    """Cut regions out of pictures and stretch each to one size, whatever its proportions (R-CNN).

    Args:
        images: [B, H, W, C] floating pictures.
        boxes: [B, R, 4], pixels.
        size: (h, w) of the results, pixels.
        context: pixels of the result on each side that show what is around the box.
        fill: the value outside of the picture, or [C].
        samples: samples along each side of a pixel, as for `region_align`.

    Returns:
        [B, R, h, w, C].

    Raises:
        UserError: the context leaves nothing of the result.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> warp_regions(x, jnp.array([[[1.0, 1.0, 3.0, 3.0]]]), 2, samples=1)[0, 0, :, :, 0].tolist()
        [[5.0, 6.0], [9.0, 10.0]]

    References:
        Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", 2014.
    """
    height, width = pair(size)
    if 2 * context >= min(height, width):
        raise UserError(f"context {context} on each side leaves nothing of {height} x {width} pixels; give less")
    sides = boxes[..., 2:] - boxes[..., :2]
    margin = sides * context / (jnp.asarray([[[width, height]]], boxes.dtype) - 2 * context)
    wider = jnp.concatenate([boxes[..., :2] - margin, boxes[..., 2:] + margin], -1)
    fill = jnp.asarray(fill, images.dtype)
    outside = jnp.broadcast_to(fill, images.shape[-1:]).reshape(1, 1, 1, -1)
    return region_align(images - outside, wider, (height, width), samples=samples) + outside[None]


def _samples_of(
    features: jax.Array, boxes: jax.Array, size: tuple[int, int], scale: float, samples: int, aligned: bool
) -> tuple[_Taps, _Taps]:
    corners = boxes * scale - (0.5 if aligned else 0.0)
    low, sides = corners[..., :2], corners[..., 2:] - corners[..., :2]
    sides = sides if aligned else jnp.maximum(sides, 1.0)
    axes = zip((1, 0), size, features.shape[1:3], strict=True)
    rows, columns = (_bilinear(low[..., axis], sides[..., axis], bins, cells, samples) for axis, bins, cells in axes)
    return rows, columns


def _bilinear(low: jax.Array, side: jax.Array, bins: int, cells: int, samples: int) -> _Taps:
    step = side / bins
    most = samples or -(-cells // bins)
    count = jnp.full_like(step, samples) if samples else jnp.clip(jnp.ceil(step), 1, most)
    low, step, count = low[..., None, None], step[..., None, None], count[..., None, None]
    numbers, bin_numbers = _counted(most), _counted(bins).swapaxes(2, 3)
    at = low + (bin_numbers + (numbers + 0.5) / count) * step
    is_sample = (numbers < count) & (at >= -1) & (at <= cells)
    at = jnp.clip(at, 0, cells - 1)
    first = jnp.minimum(jnp.floor(at), max(cells - 2, 0))
    after = at - first
    weights = jnp.where(is_sample[..., None], jnp.stack([1 - after, after], -1), 0) / count[..., None]
    places = jnp.minimum(jnp.stack([first, first + 1], -1), cells - 1).astype(jnp.int32)
    return _Taps(*(array.reshape(*low.shape[:-2], bins, 2 * most) for array in (places, weights)))


def _whole_cells(first: jax.Array, cells: jax.Array, bins: int, have: int, last: int) -> _Taps:
    first, cells = (array.astype(jnp.int32)[..., None] for array in (first, cells))
    numbers = np.arange(bins, dtype=np.int32).reshape(1, 1, bins)
    # whole numbers: XLA may compute 7 / 3 * 3 as a little more than 7
    start = jnp.clip(first + numbers * cells // bins, 0, last)
    stop = jnp.clip(first - (-(numbers + 1) * cells // bins), 0, last)
    # a region as large as twice the map still has all of its taps
    taps = np.arange(min(have, -(-2 * (have + 1) // bins) + 1), dtype=np.int32).reshape(1, 1, 1, -1)
    at = start[..., None] + taps
    return _Taps(jnp.minimum(at, have - 1), (at < stop[..., None]).astype(jnp.float32))


def _mean_weights(taps: _Taps) -> _Taps:
    return _Taps(taps.places, taps.weights / jnp.maximum(taps.weights.sum(-1, keepdims=True), 1))


def _weighted(features: jax.Array, rows: _Taps, columns: _Taps, *, own_maps: bool = False) -> jax.Array:
    wide = jnp.promote_types(features.dtype, jnp.float32)
    rows, columns = (taps._replace(weights=taps.weights.astype(wide)) for taps in (rows, columns))
    height, width = features.shape[1:3]
    if height * width <= _SMALL:
        return _multiplied(features, _dense(rows, height), _dense(columns, width), own_maps).astype(features.dtype)
    values = _gathered(features, rows, columns, own_maps=own_maps)
    return jnp.einsum("bripjqc,brip,brjq->brijc", values, rows.weights, columns.weights).astype(features.dtype)


def _multiplied(features: jax.Array, rows: jax.Array, columns: jax.Array, own_maps: bool) -> jax.Array:
    """Two products, of which the gradients are products as well: no gather and no scattered additions."""
    precise = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
    if own_maps:
        parts = _parts(features, (rows.shape[2], columns.shape[2])).reshape(
            *features.shape[:3], *rows.shape[2:3], columns.shape[2], -1
        )
        return precise("brjw,briwjc->brijc", columns, precise("brih,bhwijc->briwjc", rows, parts))
    return precise("brjw,briwc->brijc", columns, precise("brih,bhwc->briwc", rows, features))


def _dense(taps: _Taps, cells: int) -> jax.Array:
    return jnp.sum(jax.nn.one_hot(taps.places, cells, dtype=taps.weights.dtype) * taps.weights[..., None], -2)


def _parts(features: jax.Array, parts: tuple[int, int]) -> jax.Array:
    count = parts[0] * parts[1]
    if features.shape[-1] % count:
        raise UserError(f"{features.shape[-1]} features are not {parts[0]} x {parts[1]} maps each; give a multiple")
    return features.reshape(*features.shape[:3], -1, count).swapaxes(3, 4)


def _gathered(features: jax.Array, rows: _Taps, columns: _Taps, *, own_maps: bool = False) -> jax.Array:
    (height, width), own = features.shape[1:3], (rows.places.shape[2], columns.places.shape[2])
    parts = own if own_maps else (1, 1)
    flat = _parts(features, parts).reshape(features.shape[0], height * width * parts[0] * parts[1], -1)
    at = rows.places[:, :, :, :, None, None] * width + columns.places[:, :, None, None, :, :]
    if own_maps:
        at = at * (own[0] * own[1]) + np.arange(own[0] * own[1]).reshape(1, 1, own[0], 1, own[1], 1)
    return jax.vmap(partial(jnp.take, axis=0, mode="clip"))(flat, at)


def _counted(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32).reshape(1, 1, 1, count)


def _away_from_zero(x: jax.Array) -> jax.Array:
    return jnp.trunc(x + jnp.copysign(0.5, x))


def _checked(features: jax.Array, boxes: jax.Array, size: Pair) -> tuple[int, int]:
    if features.ndim != 4 or boxes.ndim != 3 or boxes.shape[-1] != 4 or boxes.shape[0] != features.shape[0]:
        raise UserError(f"features {features.shape} and boxes {boxes.shape} do not fit; give [B, H, W, C] and [B, R, 4]")
    height, width = pair(size)
    check_positive(size=(height, width))
    return height, width
