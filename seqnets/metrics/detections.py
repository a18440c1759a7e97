"""What is in a picture and what a detector found there, for the metrics of detection."""

import math
from dataclasses import dataclass

import numpy as np

from seqnets.errors import UserError


@dataclass(frozen=True)
class Truths:
    """The things in one picture.

    Args:
        boxes: `(M, 4)` left, top, right, bottom in pixels.
        labels: `(M,)` class numbers.
        is_ignored: `(M,)` of bool: COCO's crowds and VOC's difficult things, which are neither right nor wrong; none by default.
        areas: `(M,)` square pixels, such as those of the masks; those of the boxes by default.
        masks: `(M, H, W)` of bool, for the overlap of masks.

    Raises:
        UserError: the lengths differ.

    Example:
        >>> Truths(np.array([[0, 0, 4, 3]]), np.array([1])).areas.tolist()
        [12.0]
    """

    boxes: np.ndarray
    labels: np.ndarray
    # set below where they are left out
    is_ignored: np.ndarray = None  # pyright: ignore[reportAssignmentType]
    areas: np.ndarray = None  # pyright: ignore[reportAssignmentType]
    masks: np.ndarray | None = None

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, np.float64).reshape(-1, 4)
        ignored = np.zeros(len(boxes), bool) if self.is_ignored is None else np.asarray(self.is_ignored, bool)
        areas = box_areas(boxes) if self.areas is None else np.asarray(self.areas, np.float64)
        _settle(self, boxes=boxes, labels=np.asarray(self.labels), is_ignored=ignored, areas=areas)


@dataclass(frozen=True)
class Detections:
    """What a detector found in one picture.

    Args:
        boxes: `(D, 4)` left, top, right, bottom in pixels.
        labels: `(D,)` class numbers.
        scores: `(D,)`, the highest the surest.
        masks: `(D, H, W)` of bool, for the overlap of masks.

    Raises:
        UserError: the lengths differ.

    Example:
        >>> Detections(np.zeros((2, 4)), np.array([1, 1]), np.array([0.5]))
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: Detections: scores has 1 rows, but there are 2 boxes
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    masks: np.ndarray | None = None

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, np.float64).reshape(-1, 4)
        _settle(self, boxes=boxes, labels=np.asarray(self.labels), scores=np.asarray(self.scores, np.float64))

    @property
    def areas(self) -> np.ndarray:
        """`(D,)` square pixels: those of the masks, or of the boxes where there are none."""
        return box_areas(self.boxes) if self.masks is None else self.masks.sum((1, 2)).astype(np.float64)


def box_areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of boxes `(N, 4)`, in square pixels."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def overlaps(found: Detections, truths: Truths, *, of_masks: bool = False) -> np.ndarray:
    """Return the overlap of every detection with every truth.

    Args:
        found: D detections.
        truths: M truths; where one is ignored, the overlap is the share of the detection that lies in it, as COCO has it for
            crowds.
        of_masks: compare the masks, not the boxes.

    Returns:
        `(D, M)` in [0, 1].

    Raises:
        UserError: there are no masks.

    Example:
        >>> box = np.array([[0.0, 0.0, 2.0, 2.0]])
        >>> overlaps(Detections(box, np.ones(1), np.ones(1)), Truths(box + [1, 0, 1, 0], np.ones(1)))
        array([[0.33333333]])
    """
    shared = _shared_pixels(found.masks, truths.masks) if of_masks else _shared_area(found.boxes, truths.boxes)
    own, theirs = found.areas if of_masks else box_areas(found.boxes), _areas(truths, of_masks)
    whole = np.where(truths.is_ignored, own[:, None], own[:, None] + theirs - shared)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def _areas(truths: Truths, of_masks: bool) -> np.ndarray:
    return truths.masks.sum((1, 2)) if of_masks and truths.masks is not None else box_areas(truths.boxes)


def _shared_area(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    low, high = np.maximum(boxes[:, None, :2], others[:, :2]), np.minimum(boxes[:, None, 2:], others[:, 2:])
    return np.prod(np.maximum(high - low, 0), -1)


def _shared_pixels(masks: np.ndarray | None, others: np.ndarray | None) -> np.ndarray:
    if masks is None or others is None:
        raise UserError("the overlap of masks needs the masks of detections and truths; give both, or compare boxes")
    # a size of -1 is ambiguous where there is no mask
    one, other = (array.reshape(len(array), math.prod(array.shape[1:])).astype(np.float32) for array in (masks, others))
    return (one @ other.T).astype(np.float64)


def _settle(record: Truths | Detections, **arrays: np.ndarray) -> None:
    masks = {} if record.masks is None else {"masks": np.asarray(record.masks, bool)}
    for name, array in {**arrays, **masks}.items():
        if len(array) != len(arrays["boxes"]):
            raise UserError(f"{type(record).__name__}: {name} has {len(array)} rows, but there are {len(arrays['boxes'])} boxes")
        object.__setattr__(record, name, array)
