"""ROUGE-L: the longest common subsequence of a hypothesis and a reference."""

from collections.abc import Hashable, Sequence

import numpy as np

from seqnets.metrics.ngrams import Words
from seqnets.metrics.references import Comparison

_BETA = 1.2  # above 1, recall weighs more than precision


def rouge_l(comparison: Comparison) -> np.ndarray:
    """Return ROUGE-L of each hypothesis; the corpus figure is their mean.

    P = max_s LCS(c, s) / l(c)        R = max_s LCS(c, s) / l(s)        ROUGE-L = (1 + b^2) P R / (R + b^2 P),  b = 1.2

    over the references s; l is the number of words. Without a common word it is 0.

    Args:
        comparison: B hypotheses with their references.

    Returns:
        float64 of shape (B,), from 0 to 1.

    Example:
        >>> from seqnets.metrics import References
        >>> references = References([["a dog runs on the grass".split()]])
        >>> rouge_l(references.compare(["a dog runs on grass".split()])).round(4).tolist()
        [0.8944]

    References:
        Lin, ROUGE: a package for automatic evaluation of summaries (2004).
    """
    captions = comparison.references.captions
    scores = [likeness(words, captions[image]) for words, image in zip(comparison.hypotheses, comparison.images.tolist())]
    return np.asarray(scores, np.float64)


def longest_common_subsequence(first: Words, second: Words) -> int:
    """Return the length of the longest common subsequence of two captions.

    The bits of one number hold a row of the usual table, so that a word costs only a few operations.

    Example:
        >>> longest_common_subsequence("a dog on the lawn".split(), "the dog runs on a lawn".split())
        3

    References:
        Hyyrö, Bit-parallel LCS-length computation revisited (2004).
    """
    return _common(_places(first), len(first), second)


def likeness(words: Words, references: Sequence[Words]) -> float:
    """Return ROUGE-L of one caption.

    Example:
        >>> round(likeness("a red dog".split(), ["a red cat".split()]), 4)
        0.6667
    """
    places = _places(words)
    common = [_common(places, len(words), reference) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(words)
    recall = max(shared / len(reference) for shared, reference in zip(common, references) if shared)
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _places(words: Words) -> dict[Hashable, int]:
    places: dict[Hashable, int] = {}
    for place, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << place
    return places


def _common(places: dict[Hashable, int], length: int, words: Words) -> int:
    every = (1 << length) - 1
    row = every
    for word in words:
        if word in places:
            step = row & places[word]
            row = (row + step | row - step) & every
    return length - row.bit_count()
