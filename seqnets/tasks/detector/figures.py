"""The figures of detections: boxes and masks as COCO has them, and the share of joints that are right."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.regions.examples import RegionExample
from seqnets.data.regions.masks import mask_pixels
from seqnets.data.regions.moves import Move
from seqnets.decode.region_maps import pasted, strongest_places
from seqnets.metrics.average_precision import coco_figures
from seqnets.metrics.detections import Detections, Truths, overlaps
from seqnets.metrics.pose import right_joints
from seqnets.models.detector.detections import Detected

Figures = dict[str, float]


class Seen(NamedTuple):
    """A picture: what was detected in it and is true of it, the move from its pixels to those of the model, and phrases."""

    detected: Detected
    example: RegionExample
    move: Move
    phrases: Sequence[str] = ()


_FOUND, _NEAR = 0.5, 0.1  # least overlap of a thing that was found; share of its longer side that a joint may be off


def in_original(seen: Seen) -> Detections:
    """Return the detections in the pixels of the original picture."""
    boxes, labels, scores = (np.asarray(array) for array in seen.detected[:3])
    corners = np.concatenate([seen.move.origins(boxes[:, :2]), seen.move.origins(boxes[:, 2:])], 1)
    return Detections(corners, labels, scores)


def box_figures(pictures: Sequence[Seen]) -> Figures:
    """Return COCO's figures of boxes."""
    examples = [seen.example for seen in pictures]
    truths = [Truths(one.boxes, one.labels, one.is_crowd, one.areas) for one in examples]
    figures = coco_figures(truths, [in_original(seen) for seen in pictures])
    return {name: figures[name] for name in ("AP", "AP50", "AP75", "AR100")}


def mask_figures(pictures: Sequence[Seen], *, rounded: bool) -> Figures:
    """Return COCO's figures of masks, at the size of the model, over the pictures of which all things have one."""
    found, truths = [], []
    for detected, example, move, _ in pictures:
        if len(example.masks) < len(example.labels):
            continue
        boxes, labels, scores = (np.asarray(array) for array in detected[:3])
        pixels = pasted(np.asarray(detected.masks), boxes, move.size, rounded=rounded) >= 0.5
        found.append(Detections(boxes, labels, scores, pixels))
        own = [move.mask(mask_pixels(mask, example.size)) for mask in example.masks]
        truth = np.stack(own) if own else np.zeros((0, *move.size), bool)
        truths.append(Truths(move.boxes(example.boxes), example.labels, example.is_crowd, example.areas, truth))
    figures = coco_figures(truths, found, of_masks=True)
    return {f"mask {name}": figures[name] for name in ("AP", "AP50")}


def joint_figures(pictures: Sequence[Seen]) -> Figures:
    """Return the share of known joints that lie within a tenth of the thing's longer side of the truth.

    Each thing has the joints of the surest detection that overlaps it by more than a half; without one, all of its joints are
    wrong.
    """
    pairs = [pair for seen in pictures if seen.example.joints is not None for pair in _joints(seen)]
    if not any((truth[:, 2] > 0).any() for _, truth, _ in pairs):
        return {}
    found, truth, lengths = (np.stack(parts) for parts in zip(*pairs))
    return {"PCK@.1": float(np.nanmean(right_joints(found, truth[..., :2], truth[..., 2] > 0, lengths, _NEAR)))}


def _joints(seen: Seen) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    example: Any = seen.example
    found = seen.move.origins(strongest_places(np.asarray(seen.detected.joints), np.asarray(seen.detected.boxes))[..., :2])
    is_near = overlaps(in_original(seen), Truths(example.boxes, example.labels)) > _FOUND
    for row in np.flatnonzero(~example.is_crowd):
        first = np.flatnonzero(is_near[:, row])[:1]
        own = found[first[0]] if len(first) else np.full(found.shape[1:], np.inf)
        yield own, example.joints[row], np.max(example.boxes[row, 2:] - example.boxes[row, :2])
