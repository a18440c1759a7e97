"""BLEU: the share of a hypothesis's n-grams that its references contain."""

import numpy as np

from seqnets.metrics.ngrams import LONGEST
from seqnets.metrics.references import Comparison

_TINY, _SMALL = 1e-15, 1e-9  # the reference code's values, so that hypotheses without a match get the same figures


def bleu(comparison: Comparison) -> tuple[np.ndarray, np.ndarray]:
    """Return BLEU-1 to BLEU-4 of all hypotheses together and of each one.

    p_n = (sum over n-grams of min(count, largest count in one reference) + 1e-15) / (number of n-grams + 1e-9)
    BLEU-n = exp(min(0, 1 - r / c)) (p_1 ... p_n)^(1/n)

    with c the words of the hypothesis and r those of the reference closest in length, the shorter one in a tie. For
    all together, counts and lengths are summed before they are divided; that is not the mean over hypotheses.

    Args:
        comparison: B hypotheses with their references.

    Returns:
        float64 of shape (4,) and of shape (B, 4).

    Example:
        >>> from seqnets.metrics import References
        >>> references = References([["a dog runs on the grass".split(), "the dog runs".split()]])
        >>> together, each = bleu(references.compare(["a dog runs on grass".split()]))
        >>> together.round(4).tolist()
        [0.8187, 0.709, 0.6498, 0.5789]

    References:
        Papineni, Roukos, Ward and Zhu, BLEU: a method for automatic evaluation of machine translation (2002).
    """
    correct = np.stack([_clipped(comparison, order) for order in range(LONGEST)], -1)
    guessed = np.maximum(comparison.lengths[:, None] - np.arange(LONGEST), 0)
    closest = _closest_lengths(comparison)
    together = _bleu(correct.sum(0), guessed.sum(0), comparison.lengths.sum(), closest.sum())
    return together, _bleu(correct, guessed, comparison.lengths, closest)


def _clipped(comparison: Comparison, order: int) -> np.ndarray:
    counts, postings = comparison.counts[order], comparison.references.orders[order]
    slot, missing = postings.slots(comparison.images[counts.row], counts.gram)
    held = ~missing
    matched = np.minimum(counts.count[held], postings.most[slot[held]])
    return np.bincount(counts.row[held], matched, minlength=len(comparison.lengths))


def _closest_lengths(comparison: Comparison) -> np.ndarray:
    hypothesis, reference = comparison.pairs
    if not len(hypothesis):
        return np.zeros(0)
    length = comparison.references.lengths[reference]
    distance = np.abs(length - comparison.lengths[hypothesis])
    return np.minimum.reduceat(distance << 32 | length, comparison.begin[:-1]) & 0xFFFFFFFF


def _bleu(correct: np.ndarray, guessed: np.ndarray, length: np.ndarray, closest: np.ndarray) -> np.ndarray:
    precision = (correct + _TINY) / (guessed + _SMALL)
    ratio = (length + _TINY) / (closest + _SMALL)
    penalty = np.exp(np.minimum(0, 1 - 1 / ratio))
    found = penalty[..., None] * np.exp(np.cumsum(np.log(precision), -1) / np.arange(1, LONGEST + 1))
    return np.where(found < _SMALL, 0.0, found)  # the remainder of the tiny constants where nothing matches
