"""Boxes: overlap, offsets to other boxes, matching with truths. A box is (left, top, right, bottom) in pixels."""

import math
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from seqnets.errors import UserError

MAX_GROWTH = math.log(1000 / 16)
BACKGROUND, BETWEEN = -1, -2

Weights = tuple[float, float, float, float]
KeepBest = bool | Literal["own"]


def box_areas(boxes: jax.Array) -> jax.Array:
    """Return the areas of boxes; 0 where the corners are swapped.

    Args:
        boxes: [..., 4], pixels.

    Returns:
        [...], square pixels.

    Example:
        >>> box_areas(jnp.array([[0.0, 0.0, 3.0, 2.0], [2.0, 0.0, 1.0, 5.0]])).tolist()
        [6.0, 0.0]
    """
    return jnp.prod(jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0), -1)


def intersection_over_union(boxes: jax.Array, others: jax.Array) -> jax.Array:
    r"""Return the overlap of all pairs of boxes; 0 where both are empty.

    $$ \mathrm{IoU}_{nm} = \frac{|b_n \cap o_m|}{|b_n \cup o_m|} $$

    Args:
        boxes: [..., N, 4], pixels.
        others: [..., M, 4], pixels.

    Returns:
        [..., N, M] in [0, 1].

    Example:
        >>> boxes = jnp.array([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 2.0, 2.0], [5.0, 5.0, 6.0, 6.0]])
        >>> intersection_over_union(boxes[:1], boxes).tolist()
        [[1.0, 0.5, 0.0]]
    """
    shared, union, _ = _shared_union_hull(boxes, others)
    return _ratio(shared, union)


def generalized_overlap(boxes: jax.Array, others: jax.Array) -> jax.Array:
    r"""Return the generalized overlap of all pairs of boxes, which also falls with the distance of those that do not touch.

    $$ \mathrm{GIoU} = \mathrm{IoU} - \frac{|h| - |b \cup o|}{|h|}, \qquad h \text{ the smallest box around both} $$

    Args:
        boxes: [..., N, 4], pixels.
        others: [..., M, 4], pixels.

    Returns:
        [..., N, M] in [-1, 1].

    Example:
        >>> generalized_overlap(jnp.array([[0.0, 0.0, 1.0, 1.0]]), jnp.array([[3.0, 0.0, 4.0, 1.0]])).tolist()
        [[-0.5]]

    References:
        Rezatofighi et al., "Generalized intersection over union", 2019.
    """
    shared, union, hull = _shared_union_hull(boxes, others)
    return _ratio(shared, union) - _ratio(hull - union, hull)


def clip_boxes(boxes: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Cut boxes off at the border of a picture.

    Args:
        boxes: [..., 4], pixels.
        size: (H, W) of the picture, pixels.

    Returns:
        [..., 4].

    Example:
        >>> clip_boxes(jnp.array([-3.0, 2.0, 9.0, 4.0]), (10, 8)).tolist()
        [0.0, 2.0, 8.0, 4.0]
    """
    height, width = size
    return jnp.clip(boxes, 0, _row([width, height, width, height], boxes))


def encode_boxes(boxes: jax.Array, anchors: jax.Array, weights: Weights = (1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    r"""Describe boxes by their offsets from anchors.

    $$ t = \left( w_x \frac{x - x_a}{W_a},\; w_y \frac{y - y_a}{H_a},\; w_w \ln \frac{W}{W_a},\; w_h \ln \frac{H}{H_a} \right) $$

    where (x, y) are centers. Sides below 1e-6 pixels count as that, so that the offsets are finite.

    Args:
        boxes: [..., 4], pixels.
        anchors: [..., 4], pixels.
        weights: (w_x, w_y, w_w, w_h); SSD's variances .1 and .2 are the weights (10, 10, 5, 5).

    Returns:
        [..., 4].

    Example:
        >>> encode_boxes(jnp.array([1.0, 0.0, 3.0, 2.0]), jnp.array([0.0, 0.0, 2.0, 2.0])).tolist()
        [0.5, 0.0, 0.0, 0.0]

    References:
        Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", 2014.
    """
    (center, side), (anchor_center, anchor_side) = _centered(boxes), _centered(anchors)
    parts = jnp.concatenate([(center - anchor_center) / anchor_side, jnp.log(side / anchor_side)], -1)
    return parts * _row(weights, parts)


def decode_boxes(offsets: jax.Array, anchors: jax.Array, weights: Weights = (1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    """Return the boxes that `encode_boxes` described; a side grows at most by the factor 1000 / 16.

    Args:
        offsets: [..., 4], as `encode_boxes` gives them.
        anchors: [..., 4], pixels.
        weights: as for `encode_boxes`.

    Returns:
        [..., 4], pixels.

    Example:
        >>> anchor = jnp.array([0.0, 0.0, 2.0, 2.0])
        >>> decode_boxes(jnp.array([0.5, 0.0, 0.0, 0.0]), anchor).tolist()
        [1.0, 0.0, 3.0, 2.0]
    """
    center, side = _centered(anchors)
    parts = offsets / _row(weights, offsets)
    center, side = center + parts[..., :2] * side, side * jnp.exp(jnp.minimum(parts[..., 2:], MAX_GROWTH))
    return jnp.concatenate([center - side / 2, center + side / 2], -1)


def match(
    boxes: jax.Array,
    truths: jax.Array,
    *,
    high: float = 0.5,
    low: float | None = None,
    keep_best: KeepBest = False,
    is_truth: jax.Array | None = None,
) -> jax.Array:
    """Return the truth that each box belongs to: that of the largest overlap, if it is large enough.

    Args:
        boxes: [..., N, 4], pixels: anchors, proposals or detections.
        truths: [..., M, 4], pixels.
        high: the least overlap of a match.
        low: boxes with less overlap are background, those from `low` to `high` are neither; `high` when None.
        keep_best: True also matches, for each truth, the boxes that overlap it most, with their own best truth (Faster R-CNN);
            "own" matches the first of them with this truth (SSD), so that every truth that any box touches has a box.
        is_truth: [..., M] of bool; the others are padding. All are truths when None.

    Returns:
        [..., N] of int32: the index of the truth, -1 for background, -2 for a box between.

    Raises:
        UserError: `low` is above `high`.

    Example:
        >>> boxes = jnp.array([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], [8.0, 8.0, 9.0, 9.0]])
        >>> match(boxes, boxes[:1], high=0.5, low=0.3).tolist()
        [0, -2, -1]
    """
    return match_overlaps(intersection_over_union(boxes, truths), high=high, low=low, keep_best=keep_best, is_truth=is_truth)


def match_overlaps(
    overlaps: jax.Array,
    *,
    high: float = 0.5,
    low: float | None = None,
    keep_best: KeepBest = False,
    is_truth: jax.Array | None = None,
) -> jax.Array:
    """Return what `match` does, from overlaps that are known.

    Args:
        overlaps: [..., N, M].
        high: see `match`, as for the other arguments.
        low: see `match`.
        keep_best: see `match`.
        is_truth: see `match`.

    Returns:
        [..., N] of int32.

    Raises:
        UserError: `low` is above `high`.

    Example:
        >>> match_overlaps(jnp.array([[0.2, 0.4], [0.1, 0.0]]), high=0.5, keep_best="own").tolist()
        [1, -1]
    """
    low = high if low is None else low
    if low > high:
        raise UserError(f"low {low} is above high {high}; give thresholds of overlap with low <= high")
    if overlaps.shape[-1] == 0:
        return jnp.full(overlaps.shape[:-1], BACKGROUND, jnp.int32)
    overlaps = overlaps if is_truth is None else jnp.where(is_truth[..., None, :], overlaps, -1)
    nearest, most = jnp.argmax(overlaps, -1).astype(jnp.int32), jnp.max(overlaps, -1)
    found = jnp.where(most >= high, nearest, jnp.where(most >= low, BETWEEN, BACKGROUND)).astype(jnp.int32)
    best = jnp.max(overlaps, -2, keepdims=True)
    if keep_best == "own":
        first = jax.nn.one_hot(jnp.argmax(overlaps, -2), overlaps.shape[-2], axis=-2, dtype=bool)
        claimed = first & (best > 0)
        last = overlaps.shape[-1] - 1 - jnp.argmax(claimed[..., ::-1], -1)
        return jnp.where(claimed.any(-1), last, found).astype(jnp.int32)
    return jnp.where(((overlaps == best) & (best > 0)).any(-1), nearest, found) if keep_best else found


def _row(values: Sequence[float], like: jax.Array) -> jax.Array:
    return jnp.asarray(values, like.dtype).reshape((1,) * (like.ndim - 1) + (4,))


def _centered(boxes: jax.Array) -> tuple[jax.Array, jax.Array]:
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) / 2, jnp.maximum(high - low, 1e-6)


def _shared_union_hull(boxes: jax.Array, others: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    one, other = boxes[..., :, None, :], others[..., None, :, :]
    low, high = jnp.maximum(one[..., :2], other[..., :2]), jnp.minimum(one[..., 2:], other[..., 2:])
    shared = jnp.prod(jnp.maximum(high - low, 0), -1)
    around = jnp.maximum(one[..., 2:], other[..., 2:]) - jnp.minimum(one[..., :2], other[..., :2])
    union = box_areas(boxes)[..., :, None] + box_areas(others)[..., None, :] - shared
    return shared, union, jnp.prod(jnp.maximum(around, 0), -1)


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    # the inner where keeps the gradient of an empty pair finite
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), 0)
