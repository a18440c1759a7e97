"""CIDEr-D: the similarity of a hypothesis and its references in the n-grams that distinguish images."""

from collections.abc import Sequence

import numpy as np

from seqnets.metrics.ngrams import LONGEST, Words
from seqnets.metrics.references import Comparison, References, norms, ranges

_SIGMA = 6.0  # words
_SCALE = 10.0


def cider(comparison: Comparison) -> np.ndarray:
    r"""Return CIDEr-D of each hypothesis; the corpus figure is their mean.

    $$ \text{CIDEr-D}(c, S) = \frac{10}{4 |S|} \sum_{n=1}^4 \sum_{s \in S} \exp\Big(-\frac{(l(c) - l(s))^2}{2 \cdot 6^2}\Big)
       \frac{\min(g_n(c), g_n(s)) \cdot g_n(s)}{|g_n(c)| |g_n(s)|} $$

    with l the number of words and, for each n-gram, $g_n(c) = \text{count}_n(c) \ln(N / \max(1, N_n))$, where $N_n$ of the N
    images have a reference that contains it. Document frequencies come from the references, all N images of them: a single
    image gives zero, and figures of different sets of images are not comparable. Words are not stemmed, as in the reference code.

    Args:
        comparison: B hypotheses with their references.

    Returns:
        float64 of shape (B,), from 0 to 10.

    Example:
        >>> references = References([["a dog runs fast".split(), "the dog runs".split()], ["a cat sleeps".split()]])
        >>> cider(references.compare(["a dog runs fast".split(), "a dog".split()])).round(4).tolist()
        [6.3251, 0.0]

    References:
        Vedantam, Zitnick and Parikh, CIDEr: consensus-based image description evaluation (2015).
    """
    hypothesis, reference = comparison.pairs
    distance = comparison.lengths[hypothesis] - comparison.references.lengths[reference]
    alike = sum(_cosines(comparison, order) for order in range(LONGEST)) * np.exp(-(distance**2) / (2 * _SIGMA**2))
    total = np.bincount(hypothesis, alike, minlength=len(comparison.lengths))
    return _SCALE / LONGEST * total / np.diff(comparison.begin)


class CiderReward:
    """CIDEr-D as a reward: references are counted once, then any number of batches is scored.

    Words may be strings or the numbers of tokens. For self-critical training let both references and hypotheses end
    with the end token; otherwise, captions that break off score like finished ones.

    Args:
        references: the references of each image, as lists of words.

    Example:
        >>> reward = CiderReward([[[3, 1, 4, 0], [3, 1, 0]], [[5, 9, 0]]])
        >>> reward([[5, 9, 0], [5, 9, 0], [3, 1]], images=[1, 0, 0]).round(3).tolist()
        [7.5, 0.0, 3.753]

    References:
        Rennie et al., Self-critical sequence training for image captioning (2017).
    """

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        self.references = References(references)

    def __call__(self, hypotheses: Sequence[Words], images: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the reward of each hypothesis, float64 of shape (B,).

        Args:
            hypotheses: the words of each; B of them.
            images: whole numbers of shape (B,): the image of each hypothesis.

        Raises:
            UserError: the numbers of hypotheses and images differ, or an image does not exist.
        """
        return cider(self.references.compare(hypotheses, images))


def _cosines(comparison: Comparison, order: int) -> np.ndarray:
    """Return min(g(c), g(s)) . g(s) / (|g(c)| |g(s)|) of every pair."""
    counts, postings = comparison.counts[order], comparison.references.orders[order]
    weight = postings.rarity[np.minimum(counts.gram, len(postings.rarity) - 1)]
    slot, missing = postings.slots(comparison.images[counts.row], counts.gram)
    held = np.flatnonzero(~missing)
    which, entry = ranges(postings.begin[slot[held]], postings.begin[slot[held] + 1])
    which = held[which]
    row = counts.row[which]
    pair = comparison.begin[row] + postings.row[entry] - comparison.references.begin[comparison.images[row]]
    shared = np.minimum(counts.count[which], postings.count[entry]) * postings.count[entry] * weight[which] ** 2
    hypothesis, reference = comparison.pairs
    own = norms(counts.row, counts.count * weight, len(comparison.lengths))
    product = own[hypothesis] * postings.norms[reference]
    return np.bincount(pair, shared, minlength=len(hypothesis)) / np.where(product > 0, product, 1)
