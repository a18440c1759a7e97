"""Average precision of regions that are described in words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqnets.metrics.average_precision import at_recalls
from seqnets.metrics.detections import Detections, Truths, overlaps
from seqnets.metrics.rouge import likeness
from seqnets.metrics.tokenizer import caption_words

OVERLAPS = (0.3, 0.4, 0.5, 0.6, 0.7)
LIKENESSES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_ONE_REGION = 0.7  # truths that overlap by this are one region with several phrases
_NOT_EXACT = 1 - 1e-9


class PhrasedTruths(NamedTuple):
    """The regions of a picture: boxes `(M, 4)` in pixels, and the phrases of each."""

    boxes: np.ndarray
    phrases: Sequence[Sequence[str]]


class PhrasedDetections(NamedTuple):
    """What a detector found in a picture: boxes `(D, 4)` in pixels, scores `(D,)`, and a phrase for each."""

    boxes: np.ndarray
    scores: np.ndarray
    phrases: Sequence[str]


def phrase_figures(truths: Sequence[PhrasedTruths], detections: Sequence[PhrasedDetections]) -> dict[str, float]:
    r"""Return the average precision of regions whose box and phrase are both right.

    A detection counts for the region that it overlaps most. It is right if no surer one counts for that region, the overlap of
    the boxes is at least $o$, and the likeness of its phrase with the phrases of the region is at least $l$.

    $$ \mathrm{AP} = \frac{1}{30} \sum_{o \in \{.3, .4, .5, .6, .7\}} \sum_{l \in \{0, .2, .4, .6, .8, 1\}} \mathrm{AP}_{o, l} $$

    The likeness is ROUGE-L, which is 1 for equal words (DenseCap has METEOR, from 0 to .25). Regions that overlap by .7 are one
    with the phrases of all.

    Args:
        truths: those of each picture.
        detections: those of each picture, in the same order.

    Returns:
        `phrase_AP`; and `phrase_AP50`, that of exact phrases at an overlap of .5. 0 where there are no truths.

    Example:
        >>> box = np.array([[0.0, 0.0, 4.0, 4.0]])
        >>> found = PhrasedDetections(box, np.ones(1), ["a red dog"])
        >>> phrase_figures([PhrasedTruths(box, [["a red cat"]])], [found])["phrase_AP50"]
        0.0

    References:
        Johnson, Karpathy and Fei-Fei, "DenseCap: fully convolutional localization networks for dense captioning", 2016.
    """
    regions = [_as_regions(one) for one in truths]
    judged = [_judged(*pair) for pair in zip(regions, detections, strict=True)]
    count = sum(len(one.boxes) for one in regions)
    scores, shares, likenesses, firsts = (np.concatenate(parts) for parts in zip(*judged, (np.zeros(0),) * 4))
    order = np.argsort(-scores, kind="stable")
    shares, likenesses, firsts = shares[order], likenesses[order], firsts[order].astype(bool)

    def precision(overlap: float, alike: float) -> float:
        return _average(firsts & (shares >= overlap) & (likenesses >= alike), count)

    every = [precision(overlap, alike) for overlap in OVERLAPS for alike in LIKENESSES]
    return {"phrase_AP": float(np.mean(every)), "phrase_AP50": precision(0.5, 1.0)}


def _average(right: np.ndarray, count: int) -> float:
    if not count:
        return 0.0
    hits = np.cumsum(right)
    return float(at_recalls(hits / count, hits / np.arange(1, len(right) + 1)).mean())


def _judged(truths: PhrasedTruths, found: PhrasedDetections) -> tuple[np.ndarray, ...]:
    order = np.argsort(-found.scores, kind="stable")
    if not len(truths.boxes):
        return found.scores[order], *np.zeros((3, len(order)))
    shares = _shares(found.boxes[order], truths.boxes)
    best, most = shares.argmax(1), shares.max(1)
    first = np.zeros(len(order), bool)
    first[np.unique(best, return_index=True)[1]] = True
    pairs: list[tuple[int, int]] = list(zip(order.tolist(), best.tolist()))
    alike = [_likeness(found.phrases[row], truths.phrases[truth]) for row, truth in pairs]
    return found.scores[order], most, np.array(alike, float), first & (most > 0)


def _likeness(phrase: str, references: Sequence[str]) -> float:
    words, known = caption_words(phrase), [caption_words(text) for text in references]
    # two references may have all words together, and neither is the phrase
    return 1.0 if words in known else min(likeness(words, known), _NOT_EXACT)


def _shares(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    found, truths = (np.zeros(len(some)) for some in (boxes, others))
    return overlaps(Detections(boxes, found, found), Truths(others, truths))


def _as_regions(truths: PhrasedTruths) -> PhrasedTruths:
    boxes = np.asarray(truths.boxes, float).reshape(-1, 4)
    near = _shares(boxes, boxes) >= _ONE_REGION
    merged, phrases = [], []
    while near.any():
        rows = near[near.sum(1).argmax()].nonzero()[0].tolist()
        merged.append(boxes[rows].mean(0))
        phrases.append([phrase for row in rows for phrase in truths.phrases[row]])
        near[rows], near[:, rows] = False, False
    return PhrasedTruths(np.array(merged).reshape(-1, 4), phrases)
