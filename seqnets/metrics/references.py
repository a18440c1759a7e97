"""The reference captions of many images, counted once, and the comparison of hypotheses with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from seqnets.errors import UserError
from seqnets.metrics.ngrams import Counts, NgramCodes, Words, find, joined


class References:
    """The reference captions of N images, against which any number of hypotheses are scored.

    Args:
        captions: the references of each image as lists of words: strings as from `caption_words`, or token
            numbers; at least one image, and one reference per image.

    Raises:
        UserError: there are no images, or an image has no reference.

    Example:
        >>> references = References([[["a", "dog"], ["the", "dog"]], [["a", "red", "cat"]]])
        >>> len(references), references.lengths.tolist()
        (2, [2, 2, 3])
    """

    def __init__(self, captions: Sequence[Sequence[Words]]) -> None:
        _check_references(captions)
        self.captions = captions
        self.rows = list(chain.from_iterable(captions))
        counts = np.fromiter(map(len, captions), np.int64, len(captions))
        self.begin = np.concatenate([[0], np.cumsum(counts)])  # image i has the references begin[i] .. begin[i + 1]
        self.lengths = np.fromiter(map(len, self.rows), np.int64, len(self.rows))
        self._codes = NgramCodes(self.rows)
        image = np.repeat(np.arange(len(captions)), counts)
        self.orders = [Postings(each, image, len(captions), size) for each, size in zip(self._codes.learned, self._codes.sizes)]

    def __len__(self) -> int:
        return len(self.captions)

    def compare(self, hypotheses: Sequence[Words], images: Sequence[int] | np.ndarray | None = None) -> "Comparison":
        """Return the comparison of some hypotheses with the references of their images.

        Args:
            hypotheses: the words of each; B of them.
            images: whole numbers of shape (B,): the image of each hypothesis; images may repeat or be absent. By
                default there is one hypothesis for each image, in order.

        Raises:
            UserError: the numbers of hypotheses and images differ, or an image does not exist.
        """
        chosen = np.arange(len(self)) if images is None else np.asarray(images, np.int64).reshape(-1)
        _check_images(chosen, len(hypotheses), len(self))
        return Comparison(self, hypotheses, chosen, self._codes.counts(hypotheses))


class Postings:
    """Which references hold which n-grams of one length, and how often; the n-grams of an image are adjacent.

    Args:
        counts: the n-grams of every reference.
        image: int64 of shape (R,): the image of every reference, ascending.
        images: number of images, N.
        size: number of distinct n-grams, G.
    """

    def __init__(self, counts: Counts, image: np.ndarray, images: int, size: int) -> None:
        keys = joined(image[counts.row], counts.gram)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        begin = np.flatnonzero(np.diff(keys, prepend=-1))
        self._slots = keys[begin]
        self.begin = np.append(begin, len(keys))  # slot s, an n-gram of an image, has the entries begin[s] .. begin[s + 1]
        self.row, self.gram, self.count = (values[order] for values in counts)
        self._images, self._references = images, len(image)
        self._frequency = np.bincount(self._slots & 0xFFFFFFFF, minlength=size)

    @cached_property
    def most(self) -> np.ndarray:
        """The largest count in one reference, by slot."""
        return np.maximum.reduceat(self.count, self.begin[:-1]) if len(self.count) else self.count

    @cached_property
    def rarity(self) -> np.ndarray:
        """log(N / document frequency) by n-gram; the last entry stands for all n-grams in no reference."""
        return np.log(self._images) - np.log(np.maximum(1, np.append(self._frequency, 0)))

    @cached_property
    def norms(self) -> np.ndarray:
        """The length of each reference's vector of count times rarity."""
        return norms(self.row, self.count * self.rarity[self.gram], self._references)

    def slots(self, image: np.ndarray, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the references of an image hold each n-gram, and which n-grams they do not hold."""
        return find(self._slots, joined(image, gram))


@dataclass(frozen=True)
class Comparison:
    """Hypotheses with the references of their images.

    Args:
        references: the references of all images.
        hypotheses: the words of each; B of them.
        images: int64 of shape (B,): the image of each.
        counts: their n-grams, for n = 1 .. 4.
    """

    references: References
    hypotheses: Sequence[Words]
    images: np.ndarray
    counts: list[Counts]

    @cached_property
    def lengths(self) -> np.ndarray:
        """Words of each hypothesis, int64 of shape (B,)."""
        return np.fromiter(map(len, self.hypotheses), np.int64, len(self.hypotheses))

    @cached_property
    def begin(self) -> np.ndarray:
        """Where the pairs of each hypothesis with a reference begin, int64 of shape (B + 1,)."""
        begin = self.references.begin
        return np.concatenate([[0], np.cumsum(begin[self.images + 1] - begin[self.images])])

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Hypothesis and reference of every pair, int64 of shape (P,) each."""
        first = self.references.begin[self.images]
        return ranges(first, first + np.diff(self.begin))


def norms(row: np.ndarray, weight: np.ndarray, rows: int) -> np.ndarray:
    """Return the Euclidean length of each row of a sparse matrix."""
    return np.sqrt(np.bincount(row, weight**2, minlength=rows))


def ranges(begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all whole numbers of some ranges, one range after the other: the range of each, and the number.

    Example:
        >>> ranges(np.array([5, 0]), np.array([7, 1]))
        (array([0, 0, 1]), array([5, 6, 0]))
    """
    sizes = end - begin
    which = np.repeat(np.arange(len(sizes)), sizes)
    return which, np.arange(len(which)) + (begin - (np.cumsum(sizes) - sizes))[which]


def _check_references(captions: Sequence[Sequence[Words]]) -> None:
    if not len(captions):
        raise UserError("references hold no images; give at least one, with a caption")
    empty = next((i for i, references in enumerate(captions) if not len(references)), None)
    if empty is not None:
        raise UserError(f"image {empty} has no reference caption; give it one, or leave the image out")


def _check_images(images: np.ndarray, hypotheses: int, count: int) -> None:
    if len(images) != hypotheses:
        raise UserError(f"{hypotheses:,} hypotheses come with {len(images):,} images; name the image of each hypothesis")
    wrong = images[(images < 0) | (images >= count)]
    if len(wrong):
        raise UserError(f"image {wrong[0]} is not among the {count:,} images of the references, which are numbered from 0")
