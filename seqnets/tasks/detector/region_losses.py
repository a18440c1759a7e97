"""The losses of detectors that classify regions: anchors, then a sample of the proposals."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from seqnets.models.detector.region_detector import REGION_WEIGHTS, Output, Proposals, RegionDetector, given
from seqnets.nn.chain import subkey
from seqnets.ops.boxes import BACKGROUND, encode_boxes, intersection_over_union, match, match_overlaps
from seqnets.ops.regions import region_align
from seqnets.tasks.detector.phrase_loss import phrase_loss

Losses = dict[str, jax.Array]


class Sample(NamedTuple):
    """Rows [B, n] that were drawn, and whether there is such a row [B, n]; positive ones come first."""

    rows: jax.Array
    is_there: jax.Array


def sample(key: jax.Array, is_positive: jax.Array, is_negative: jax.Array, count: int, share: float) -> Sample:
    """Draw rows of which at most a share is positive; negative ones fill the rest.

    Args:
        key: decides which.
        is_positive: [B, N] of bool.
        is_negative: [B, N] of bool.
        count: n; N if that is less.
        share: of the positive ones.

    Example:
        >>> positive = jnp.array([[True, True, False, False]])
        >>> rows, is_there = sample(jax.random.key(0), positive, ~positive, 4, 0.25)
        >>> (rows[0, 0] < 2).item(), is_there.tolist()
        (True, [[True, True, True, False]])
    """
    count = min(count, is_positive.shape[1])
    most = positives(count, share)
    drawn = jax.random.uniform(key, is_positive.shape)
    best, at = jax.lax.top_k(jnp.where(is_positive, drawn, -1), max(most, 1))
    taken = jnp.where(is_negative, drawn, -1)
    batch = jnp.arange(len(drawn))[:, None]
    taken = taken.at[batch, at].max(jnp.where((best >= 0) & (most > 0), 1 + best, -1))
    values, rows = jax.lax.top_k(taken, count)
    return Sample(rows, values >= 0)


def positives(count: int, share: float) -> int:
    """Return the largest number of positive rows of a sample, which are its first ones."""
    return int(count * share)


def region_losses(model: RegionDetector, output: Output, batch: Any, config: Any, key: jax.Array) -> Losses:
    """Return the losses of a batch.

    The proposals are those of the model (or the batch's own, `proposals` [B, R, 4] with sides of 0 for padding), and the truths
    themselves, so that there are regions to learn from at the start. One is positive if it overlaps a truth by
    `config.region_overlap`.

    Args:
        model: the model.
        output: what it returned.
        batch: `boxes` [B, M, 4] in pixels and `labels` [B, M], of which -1 is padding.
        config: see `DetectionLossConfig`.
        key: decides what is sampled.

    Returns:
        `classes` and `offsets` of the sampled regions, each divided by their number; where proposals are learned, also
        `objectness` and `anchors`, divided by the number of sampled anchors; where the model has them, `masks` and `joints` of
        the regions with a thing, means over cells and over joints.

    References:
        Ren et al., "Faster R-CNN: towards real-time object detection with region proposal networks", 2015. He et al., "Mask
        R-CNN", 2017.
    """
    boxes, labels = jnp.asarray(batch["boxes"]), jnp.asarray(batch["labels"])
    learned = model.proposer is not None
    parts = anchor_losses(model, output, boxes, labels, config, subkey(key, 0)) if learned else {}
    found = model.propose(output, config.proposals) if learned else given(batch["proposals"])
    chosen = chosen_regions(found, boxes, labels, config, subkey(key, 1))
    predicted = model.regions(output, chosen.boxes, train=True, key=subkey(key, 2))
    parts |= class_losses(predicted, chosen, config)
    first = chosen.of_things(max(positives(chosen.boxes.shape[1], config.region_share), 1))
    if model.mask_head is not None:
        parts["masks"] = mask_loss(
            model.mask_logits(output, first.boxes, first.labels), first, batch["masks"], model.config.aligned
        )
    if model.joint_head is not None:
        parts["joints"] = joint_loss(model.joint_logits(output, first.boxes), first, batch["joints"])
    if model.vocabulary is not None:
        parts["phrases"] = phrase_loss(model, output, first, batch["phrases"], subkey(key, 3))
    return parts


def anchor_losses(
    model: RegionDetector, output: Output, boxes: jax.Array, labels: jax.Array, config: Any, key: jax.Array | None
) -> Losses:
    """Return the losses of a sample of the anchors: whether there is a thing, and how far it is from the anchor."""
    anchors = jnp.broadcast_to(model.anchors(), (len(boxes), *model.anchors().shape))
    high, low = config.anchor_overlap, config.anchor_background
    found = match(anchors, boxes, high=high, low=low, keep_best=True, is_truth=labels >= 0)
    drawn = sample(_key(key), found >= 0, found == BACKGROUND, config.anchor_samples, config.anchor_share)
    anchors, offsets, truth = (_taken(array, drawn.rows) for array in (anchors, output["offsets"], found))
    is_positive = truth >= 0
    wanted = encode_boxes(_taken(boxes, jnp.maximum(truth, 0)), anchors)
    nats = optax.losses.sigmoid_binary_cross_entropy(_taken(output["objectness"], drawn.rows), is_positive)
    off = smooth_distance(offsets, wanted, config.smooth)
    count = jnp.maximum(drawn.is_there.sum(), 1)
    sums = jnp.sum(nats * drawn.is_there), jnp.sum(off * (is_positive & drawn.is_there))
    return {"objectness": sums[0] / count, "anchors": sums[1] / count}


class Chosen(NamedTuple):
    """The regions that a step learns from, the positive ones first.

    Attributes:
        boxes: [B, n, 4] in pixels.
        truth: [B, n]: the number of the truth; below 0 for background.
        labels: [B, n]: the class; -1 for background.
        wanted: [B, n, 4]: the offsets to the truth.
        is_there: [B, n] of bool; the others are padding.
    """

    boxes: jax.Array
    truth: jax.Array
    labels: jax.Array
    wanted: jax.Array
    is_there: jax.Array

    def of_things(self, count: int) -> "Chosen":
        """Return the first rows; those of background become padding, with the first truth and class."""
        first = Chosen(*(array[:, :count] for array in self))
        is_thing = first.is_there & (first.truth >= 0)
        return first._replace(truth=jnp.maximum(first.truth, 0), labels=jnp.maximum(first.labels, 0), is_there=is_thing)


def chosen_regions(found: Proposals, boxes: jax.Array, labels: jax.Array, config: Any, key: jax.Array | None) -> Chosen:
    """Return a sample of the proposals and the truths."""
    is_truth = labels >= 0
    regions = jnp.concatenate([found.boxes, boxes], 1)
    there = jnp.concatenate([found.is_there, is_truth], 1)
    overlaps = intersection_over_union(regions, boxes) * is_truth[:, None]
    truth = match_overlaps(overlaps, high=config.region_overlap, is_truth=is_truth)
    is_background = (truth == BACKGROUND) & (overlaps.max(-1) >= config.background_overlap)
    drawn = sample(_key(key), (truth >= 0) & there, is_background & there, config.region_samples, config.region_share)
    regions, truth = (_taken(array, drawn.rows) for array in (regions, truth))
    own = jnp.maximum(truth, 0)
    wanted = encode_boxes(_taken(boxes, own), regions, REGION_WEIGHTS)
    return Chosen(regions, truth, jnp.where(truth >= 0, _taken(labels, own), -1), wanted, drawn.is_there)


def class_losses(predicted: Output, chosen: Chosen, config: Any) -> Losses:
    """Return the losses of the classes of regions, and of the offsets of the true class of positive ones."""
    nats = optax.losses.softmax_cross_entropy_with_integer_labels(predicted["logits"], chosen.labels + 1)
    kinds = jnp.minimum(jnp.maximum(chosen.labels, 0), predicted["offsets"].shape[2] - 1)
    offsets = jnp.take_along_axis(predicted["offsets"], kinds[..., None, None], 2)[:, :, 0]
    off = smooth_distance(offsets, chosen.wanted, config.smooth) * (chosen.truth >= 0)
    count = jnp.maximum(chosen.is_there.sum(), 1)
    return {"classes": jnp.sum(nats * chosen.is_there) / count, "offsets": jnp.sum(off * chosen.is_there) / count}


def mask_loss(logits: jax.Array, regions: Chosen, masks: jax.Array, aligned: bool) -> jax.Array:
    """Return the mean cross-entropy over the cells of regions with a thing; one without a mask does not count.

    Args:
        logits: [B, R, m, m] of the true class.
        regions: R with a thing each.
        masks: [B, M, H, W] of bool: those of the truths.
        aligned: as for `region_align`, by which the mask of a truth comes to the size of the region's.
    """
    batch, count, rows = logits.shape[:3]
    own = _taken(jnp.asarray(masks), regions.truth).astype(jnp.float32).reshape(batch * count, *masks.shape[2:], 1)
    boxes = regions.boxes.reshape(batch * count, 1, 4)
    wanted = region_align(own, boxes, rows, samples=0, aligned=aligned).reshape(logits.shape)
    nats = optax.losses.sigmoid_binary_cross_entropy(logits, wanted).mean((2, 3))
    has_mask = regions.is_there & (own > 0).any((1, 2, 3)).reshape(batch, count)
    return jnp.sum(nats * has_mask) / jnp.maximum(has_mask.sum(), 1)


def joint_loss(logits: jax.Array, regions: Chosen, joints: jax.Array) -> jax.Array:
    """Return the mean cross-entropy over the known joints within their regions: each is in one cell of its map.

    Args:
        logits: [B, R, m, m, J].
        regions: R with a thing each.
        joints: [B, M, J, 3]: x and y in pixels, and 1 where known, of the truths.
    """
    rows, columns = logits.shape[2:4]
    own = _taken(jnp.asarray(joints), regions.truth)
    low, high = regions.boxes[:, :, None, :2], regions.boxes[:, :, None, 2:]
    shares = (own[..., :2] - low) / jnp.maximum(high - low, 1e-6)
    is_known = (own[..., 2] > 0) & ((shares >= 0) & (shares <= 1)).all(-1) & regions.is_there[..., None]
    x, y = (jnp.clip(jnp.floor(shares[..., axis] * side), 0, side - 1) for axis, side in ((0, columns), (1, rows)))
    cells = jnp.where(is_known, y * columns + x, 0).astype(jnp.int32)
    flat = logits.reshape(*logits.shape[:2], rows * columns, -1).swapaxes(2, 3)
    nats = optax.losses.softmax_cross_entropy_with_integer_labels(flat, cells)
    return jnp.sum(nats * is_known) / jnp.maximum(is_known.sum(), 1)


def smooth_distance(offsets: jax.Array, wanted: jax.Array, smooth: float) -> jax.Array:
    """Return the sum over the last axis of smooth L1: squared below `smooth`, absolute above."""
    return optax.losses.huber_loss(offsets, wanted, delta=smooth).sum(-1) / smooth


def _taken(array: jax.Array, rows: jax.Array) -> jax.Array:
    return jnp.take_along_axis(array, rows.reshape(*rows.shape, *[1] * (array.ndim - 2)), 1)


def _key(key: jax.Array | None) -> jax.Array:
    return jax.random.key(0) if key is None else key
