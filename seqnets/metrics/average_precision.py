"""Average precision of detections, as VOC and COCO define it.

References:
    Everingham et al., "The Pascal visual object classes (VOC) challenge", 2010.
    Lin et al., "Microsoft COCO: common objects in context", 2014.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from seqnets.errors import UserError
from seqnets.metrics.detections import Detections, Truths, overlaps

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
Record = TypeVar("Record", Truths, Detections)

_RECALLS = np.linspace(0, 1, 101)
_SIZES = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
_MOST = (1, 10, 100)  # detections of a picture and a class


class Curves(NamedTuple):
    """COCO's arrays for T thresholds, C classes, 4 sizes and 3 limits of detections; -1 where there are no truths.

    Attributes:
        precision: `(T, 101, C, 4, 3)`, at 101 recalls.
        recall: `(T, C, 4, 3)`, the highest one.
    """

    precision: np.ndarray
    recall: np.ndarray


def coco_figures(truths: Sequence[Truths], detections: Sequence[Detections], *, of_masks: bool = False) -> dict[str, float]:
    """Return COCO's twelve figures; -1 where there are no truths.

    AP is the mean over classes and over overlaps of .50, .55, ..., .95; AP50 and AP75 are those of one overlap; small, medium and
    large are things below 32 x 32, below 96 x 96 and above. AR1, AR10 and AR100 are the recall with that many detections
    for each picture and class. An ignored truth is COCO's crowd.

    Args:
        truths: those of each picture.
        detections: those of each picture, in the same order.
        of_masks: compare masks, not boxes.

    Raises:
        UserError: the two lists differ in length.

    Example:
        >>> box = np.array([[0.0, 0.0, 50.0, 50.0]])
        >>> found = coco_figures([Truths(box, np.array([3]))], [Detections(box + 5, np.array([3]), np.array([0.9]))])
        >>> list(found), round(found["AP50"], 3), round(found["AP75"], 3), found["AP_small"]
        (['AP', 'AP50', 'AP75', 'AP_small', ..., 'AR_large'], 1.0, 0.0, -1.0)
    """
    curves = coco_curves(truths, detections, of_masks=of_masks)
    half, more = 0, 5  # positions of .50 and .75
    sizes, most = list(_SIZES), len(_MOST) - 1
    return {
        "AP": _mean(curves.precision[..., 0, most]),
        "AP50": _mean(curves.precision[half, ..., 0, most]),
        "AP75": _mean(curves.precision[more, ..., 0, most]),
        **{f"AP_{name}": _mean(curves.precision[..., sizes.index(name), most]) for name in sizes[1:]},
        **{f"AR{limit}": _mean(curves.recall[..., 0, at]) for at, limit in enumerate(_MOST)},
        **{f"AR_{name}": _mean(curves.recall[..., sizes.index(name), most]) for name in sizes[1:]},
    }


def coco_curves(
    truths: Sequence[Truths],
    detections: Sequence[Detections],
    *,
    of_masks: bool = False,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Curves:
    """Return precision and recall of every threshold, class, size and limit, as pycocotools computes them.

    Args:
        truths: those of each picture.
        detections: those of each picture, in the same order.
        of_masks: compare masks, not boxes.
        thresholds: overlaps from which a detection is right.

    Raises:
        UserError: the two lists differ in length.

    Example:
        >>> box = np.array([[0.0, 0.0, 4.0, 4.0]])
        >>> curves = coco_curves([Truths(box, np.array([0]))], [Detections(box, np.array([0]), np.array([0.9]))])
        >>> float(curves.recall[0, 0, 0, 2])
        1.0
    """
    _check_lengths(truths, detections)
    classes = sorted({int(label) for one in truths for label in one.labels})
    shape = (len(thresholds), max(len(classes), 1), len(_SIZES), len(_MOST))
    precision, recall = -np.ones((shape[0], len(_RECALLS), *shape[1:])), -np.ones(shape)
    for number, label in enumerate(classes):
        pairs = [_of_class(one, found, label, of_masks) for one, found in zip(truths, detections)]
        for size, limits in enumerate(_SIZES.values()):
            judged = [_judged(*pair, limits, thresholds) for pair in pairs if len(pair[0].labels) + len(pair[1].labels)]
            for at, most in enumerate(_MOST):
                if sum(one.count for one in judged):
                    precision[:, :, number, size, at], recall[:, number, size, at] = _accumulated(judged, most)
    return Curves(precision, recall)


def voc_average_precision(
    truths: Sequence[Truths], detections: Sequence[Detections], *, threshold: float = 0.5, eleven_points: bool = False
) -> dict[int, float]:
    """Return VOC's average precision of every class that has truths.

    A detection counts for the truth that it overlaps most. It is right if the overlap reaches the threshold and no surer
    detection has that truth; one of an ignored ("difficult") truth does not count at all.

    Args:
        truths: those of each picture.
        detections: those of each picture, in the same order.
        threshold: the least overlap of a right detection.
        eleven_points: average the precision at 11 recalls, as until 2009; False takes the area under the curve.

    Raises:
        UserError: the two lists differ in length.

    Example:
        >>> box = np.array([[0.0, 0.0, 4.0, 4.0]])
        >>> found = Detections(np.concatenate([box, box + 9]), np.array([7, 7]), np.array([0.8, 0.9]))
        >>> voc_average_precision([Truths(box, np.array([7]))], [found])
        {7: 0.5}
    """
    _check_lengths(truths, detections)
    classes = sorted({int(label) for one in truths for label in one.labels[~one.is_ignored]})
    return {label: _voc_of_class(truths, detections, label, threshold, eleven_points) for label in classes}


class _Judged(NamedTuple):
    scores: np.ndarray  # (D,), the best first
    is_right: np.ndarray  # (T, D)
    is_left_out: np.ndarray  # (T, D)
    count: int  # truths that count


def _check_lengths(truths: Sequence[Truths], detections: Sequence[Detections]) -> None:
    if len(truths) != len(detections):
        raise UserError(f"there are truths of {len(truths):,} pictures, but detections of {len(detections):,}; give one each")


def _of_class(truths: Truths, found: Detections, label: int, of_masks: bool) -> tuple[Truths, Detections, np.ndarray]:
    there, best = truths.labels == label, np.flatnonzero(found.labels == label)
    best = best[np.argsort(-found.scores[best], kind="stable")][: _MOST[-1]]
    some, chosen = _chosen(truths, there), _chosen(found, best)
    return some, chosen, overlaps(chosen, some, of_masks=of_masks) if len(some.labels) else np.zeros((len(best), 0))


def _chosen(record: Record, rows: np.ndarray) -> Record:
    parts: dict[str, Any] = {name: None if array is None else array[rows] for name, array in vars(record).items()}
    return type(record)(**parts)


def _judged(
    truths: Truths, found: Detections, shares: np.ndarray, limits: tuple[float, float], thresholds: Sequence[float]
) -> _Judged:
    areas, crowds = truths.areas, truths.is_ignored
    left_out = crowds | (areas < limits[0]) | (areas > limits[1])
    least = np.minimum(thresholds, 1 - 1e-10)[:, None]
    taken = np.zeros((len(thresholds), len(areas)), bool)
    right, outside = (np.zeros((len(thresholds), len(found.scores)), bool) for _ in range(2))
    rows = np.arange(len(thresholds))
    for number, share in enumerate(shares):
        free = (share >= least) & (~taken | crowds)
        counted = free & ~left_out
        # truths that count come first, whatever the overlap
        free = np.where(counted.any(1, keepdims=True), counted, free)
        any_free = free.any(1)
        best = _last_largest(np.where(free, share, -1))
        taken[rows[any_free], best[any_free]] = True
        right[:, number] = any_free
        outside[:, number] = any_free & left_out[best] if len(areas) else False
    of_other_size = (found.areas < limits[0]) | (found.areas > limits[1])
    return _Judged(found.scores, right, outside | (~right & of_other_size), int((~left_out).sum()))


def _last_largest(values: np.ndarray) -> np.ndarray:
    if not values.shape[1]:
        return np.zeros(len(values), int)
    return values.shape[1] - 1 - np.argmax(values[:, ::-1], 1)


def _accumulated(judged: Sequence[_Judged], most: int) -> tuple[np.ndarray, np.ndarray]:
    scores = np.concatenate([one.scores[:most] for one in judged])
    order = np.argsort(-scores, kind="stable")
    right, left_out = (
        np.concatenate([parts[:, :most] for parts in all_parts], 1)[:, order]
        for all_parts in ([one.is_right for one in judged], [one.is_left_out for one in judged])
    )
    hits, misses = np.cumsum(right & ~left_out, 1, dtype=float), np.cumsum(~right & ~left_out, 1, dtype=float)
    recall, precision = hits / sum(one.count for one in judged), hits / (hits + misses + np.spacing(1))
    sampled = np.stack([at_recalls(*row) for row in zip(recall, precision)])
    return sampled, recall[:, -1] if recall.shape[1] else np.zeros(len(recall))


def at_recalls(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return the highest precision at each of 101 recalls or beyond it; 0 where it is not reached.

    Args:
        recall: `(D,)`, that of the surest detections.
        precision: `(D,)`, that of the same ones.

    Returns:
        `(101,)`.
    """
    places = np.searchsorted(recall, _RECALLS, side="left")
    return np.append(_envelope(precision), 0.0)[places]


def _envelope(precision: np.ndarray) -> np.ndarray:
    return np.maximum.accumulate(precision[::-1])[::-1]


def _mean(values: np.ndarray) -> float:
    there = values[values > -1]
    return float(there.mean()) if there.size else -1.0


def _voc_of_class(
    truths: Sequence[Truths], detections: Sequence[Detections], label: int, threshold: float, eleven_points: bool
) -> float:
    scores, hits, count = [], [], 0
    for one, found in zip(truths, detections):
        there, mine = _chosen(one, one.labels == label), _chosen(found, found.labels == label)
        plain = replace(there, is_ignored=np.zeros(len(there.labels), bool))
        count += int((~there.is_ignored).sum())
        scores.append(mine.scores)
        hits.append(_voc_hits(overlaps(mine, plain), mine.scores, there.is_ignored, threshold))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    marks = np.concatenate(hits)[order]
    right, wrong = np.cumsum(marks == 1), np.cumsum(marks == 0)
    recall, precision = right / count, right / np.maximum(right + wrong, 1)
    if eleven_points:
        return float(np.mean([precision[recall >= at].max(initial=0) for at in np.linspace(0, 1, 11)]))
    return float(np.sum(np.diff(recall, prepend=0) * _envelope(precision)))


def _voc_hits(shares: np.ndarray, scores: np.ndarray, ignored: np.ndarray, threshold: float) -> np.ndarray:
    """1 right, 0 wrong, -1 neither, of the detections `(D,)` of a picture."""
    marks, taken = np.zeros(len(scores), int), set[int]()
    for number in np.argsort(-scores, kind="stable") if len(ignored) else ():
        best = int(np.argmax(shares[number]))
        if shares[number, best] < threshold:
            continue
        marks[number] = -1 if ignored[best] else int(best not in taken)
        taken.add(best)
    return marks
