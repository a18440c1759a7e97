"""The losses of detectors: what each box of a network should be, and how far it is from it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from seqnets.models.dense.encoder import size_of
from seqnets.models.detector.detector import VARIANCES, Detector, Output, cell_corners, cell_parts
from seqnets.ops.boxes import encode_boxes, intersection_over_union, match
from seqnets.tasks.detector.region_losses import region_losses

Losses = dict[str, jax.Array]


def multibox_losses(model: Detector, output: Output, boxes: jax.Array, labels: jax.Array, config: Any) -> Losses:
    r"""Return SSD's two losses: classes of matched boxes and of the hardest negatives, and smooth L1 of the offsets.

    A default box is matched with the truth that it overlaps most, if by more than a half, and each truth has its best box in any
    case. Negatives are the boxes with the largest loss, `config.negatives` for each positive one of a picture, and as many where
    there is no positive one: a picture without things is background to learn from.

    Args:
        model: an ssd.
        output: its predictions.
        boxes: [B, M, 4] in pixels.
        labels: [B, M]; -1 is padding.
        config: with `negatives`.

    Returns:
        `classes` and `offsets`, sums over boxes, each divided by the number of matched boxes in the batch.

    References:
        Liu et al., "SSD: single shot multibox detector", 2016.
    """
    defaults = jnp.broadcast_to(model.default_boxes()[None], (boxes.shape[0], *model.default_boxes().shape))
    found = match(defaults, boxes, high=0.5, keep_best="own", is_truth=labels >= 0)
    positive, truth = found >= 0, jnp.maximum(found, 0)
    classes = jnp.where(positive, jnp.take_along_axis(labels, truth, 1) + 1, 0)
    wanted = encode_boxes(jnp.take_along_axis(boxes, truth[..., None], 1), defaults, VARIANCES)
    off = optax.losses.huber_loss(output["offsets"], jnp.where(positive[..., None], wanted, 0)).sum(-1)
    nats = optax.losses.softmax_cross_entropy_with_integer_labels(output["logits"], classes)
    hard = hardest(nats, positive, config.negatives)
    count = jnp.maximum(positive.sum(), 1)
    return {"classes": jnp.sum(nats * (positive | hard)) / count, "offsets": jnp.sum(off * positive) / count}


def hardest(losses: jax.Array, positive: jax.Array, ratio: float) -> jax.Array:
    """Return which negatives count: those with the largest losses, `ratio` for each positive one of a picture, at least `ratio`.

    Args:
        losses: [B, N].
        positive: [B, N] of bool.
        ratio: negatives for each positive one.

    Returns:
        [B, N] of bool.

    Example:
        >>> hardest(jnp.array([[0.5, 0.1, 0.9, 0.7]]), jnp.array([[True, False, False, False]]), 2.0).tolist()
        [[False, False, True, True]]
    """
    keyed = jnp.where(positive, -jnp.inf, jax.lax.stop_gradient(losses))
    rank = jnp.argsort(jnp.argsort(-keyed, axis=1), axis=1)
    count = jnp.round(ratio * jnp.maximum(positive.sum(1, keepdims=True), 1))
    return (rank < count) & ~positive


def grid_losses(model: Detector, output: Output, boxes: jax.Array, labels: jax.Array, config: Any) -> Losses:
    r"""Return YOLO's squared losses: places and roots of sides, confidence of boxes with and without a thing, classes.

    The cell with the center of a thing answers for it; of its boxes, the one that overlaps the thing most has the place to learn,
    and that overlap as its confidence. A cell answers for one thing: of several, for the last one.

    Args:
        model: a yolo.
        output: its predictions.
        boxes: [B, M, 4] in pixels.
        labels: [B, M]; -1 is padding.
        config: not used.

    Returns:
        `offsets`, `confidence`, `empty` and `classes`, sums over cells, each divided by the number of things in the batch.

    References:
        Redmon et al., "You only look once: unified, real-time object detection", 2016.
    """
    found, confidences, classes = cell_parts(output["cells"], model.config.boxes_per_cell)
    size, grid = size_of(model.preprocessing), output["cells"].shape[1:3]
    targets, kinds, there = grid_targets(boxes, labels, size, (grid[0], grid[1]))
    truth = cell_corners(targets[..., None, :], size)
    overlap = jax.lax.stop_gradient(_paired(cell_corners(found, size), truth))
    chosen = jax.nn.one_hot(overlap.argmax(-1), overlap.shape[-1]) * there[..., None]
    count = jnp.maximum(there.sum(), 1)
    parts = {
        "offsets": chosen * jnp.square(found - targets[..., None, :]).sum(-1),
        "confidence": chosen * jnp.square(confidences - overlap),
        "empty": (1 - chosen) * jnp.square(confidences),
        "classes": there * jnp.square(classes - jax.nn.one_hot(kinds, classes.shape[-1])).sum(-1),
    }
    return {name: jnp.sum(part) / count for name, part in parts.items()}


def grid_targets(
    boxes: jax.Array, labels: jax.Array, size: tuple[int, int], grid: tuple[int, int]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return what every cell should find.

    Args:
        boxes: [B, M, 4] in pixels.
        labels: [B, M]; -1 is padding.
        size: (H, W) of the picture.
        grid: (h, w) of the cells.

    Returns:
        Boxes [B, h, w, 4]: x and y within the cell and the roots of the sides as shares; classes [B, h, w] of int32; and 1 where
        there is a thing, 0 elsewhere [B, h, w].

    Example:
        >>> boxes, kinds, there = grid_targets(jnp.array([[[0.0, 0.0, 4.0, 8.0]]]), jnp.array([[2]]), (8, 8), (2, 2))
        >>> there[0].tolist(), boxes[0, 1, 0].round(3).tolist(), int(kinds[0, 1, 0])
        ([[0.0, 0.0], [1.0, 0.0]], [0.5, 0.0, 0.7070000171661377, 1.0], 2)
    """
    picture, cells = (jnp.asarray(pair[::-1], jnp.float32).reshape(1, 1, 2) for pair in (size, grid))
    center = (boxes[..., :2] + boxes[..., 2:]) / 2 / picture * cells
    cell = jnp.clip(jnp.floor(center), 0, cells - 1)
    sides = jnp.sqrt(jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0) / picture)
    values = jnp.concatenate([center - cell, sides], -1)
    place = jnp.where(labels >= 0, cell[..., 1] * grid[1] + cell[..., 0], grid[0] * grid[1]).astype(jnp.int32)
    # of several things the last one, whatever order a scatter takes: found by the largest number
    owner = jax.vmap(
        lambda at: jnp.full(grid[0] * grid[1] + 1, -1, jnp.int32).at[at].max(jnp.arange(at.shape[0], dtype=jnp.int32))
    )
    last = owner(place)[:, :-1]
    there, index = (last >= 0).astype(jnp.float32), jnp.maximum(last, 0)
    shape = (boxes.shape[0], *grid)
    kinds = jnp.maximum(jnp.take_along_axis(labels, index, 1), 0)
    return jnp.take_along_axis(values, index[..., None], 1).reshape(*shape, 4), kinds.reshape(shape), there.reshape(shape)


def _paired(boxes: jax.Array, truth: jax.Array) -> jax.Array:
    return intersection_over_union(boxes, truth)[..., 0]


def _of_boxes(losses: Callable[..., Losses]) -> Callable[..., Losses]:
    def of_batch(model: Any, output: Any, batch: Any, config: Any, key: jax.Array) -> Losses:
        return losses(model, output, jnp.asarray(batch["boxes"]), jnp.asarray(batch["labels"]), config)

    return of_batch


LOSSES = {"ssd": _of_boxes(multibox_losses), "yolo": _of_boxes(grid_losses), "regions": region_losses}
"""The losses of each method, by name: `(model, output, batch, config, key) -> losses by name`."""
