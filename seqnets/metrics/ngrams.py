"""Captions as counts of n-grams. An n-gram is a whole number, the same in references and hypotheses."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

LONGEST = 4

Words = Sequence[Hashable]  # the words of one caption: strings, or token numbers


class Counts(NamedTuple):
    """The distinct n-grams of one length in some captions: caption `row[k]` holds n-gram `gram[k]` `count[k]` times.

    Args:
        row: int64 of shape (E,), ascending.
        gram: int64 of shape (E,), ascending within a row.
        count: int64 of shape (E,).
    """

    row: np.ndarray
    gram: np.ndarray
    count: np.ndarray


class NgramCodes:
    """The numbers of all n-grams of up to four words in a set of captions, and their counts.

    An n-gram is a pair: the (n-1)-gram that it begins with, and its last word. Its number is the place of that pair among
    the sorted pairs. Unknown n-grams get the numbers above, which are valid for one call of `counts` only.

    Args:
        captions: the words of each caption.

    Example:
        >>> codes = NgramCodes([["a", "dog"], ["a", "cat"]])
        >>> [counts.gram.tolist() for counts in codes.counts([["a", "dog"], ["a", "bird"]])]
        [[0, 1, 0, 3], [0, 2], [], []]
        >>> codes.sizes
        [3, 2, 0, 0]
    """

    def __init__(self, captions: Sequence[Words]) -> None:
        self._words: dict[Hashable, int] = {}
        self._pairs: list[np.ndarray] = []
        self.learned = list(_walk(self._flat(captions, self._words), _lengths(captions), self._learn))
        self.sizes = [len(self._words), *map(len, self._pairs)]

    def counts(self, captions: Sequence[Words]) -> list[Counts]:
        """Return the counts of the n-grams of every caption, for n = 1 .. 4; `learned` are the counts of the set itself."""
        return list(_walk(self._flat(captions, {}), _lengths(captions), self._find))

    def _flat(self, captions: Sequence[Words], new: dict[Hashable, int]) -> np.ndarray:
        known, count = self._words, 0 if new is self._words else len(self._words)
        words = chain.from_iterable(captions)
        return np.fromiter((known[w] if w in known else new.setdefault(w, count + len(new)) for w in words), np.int64)

    def _learn(self, size: int, pairs: np.ndarray) -> np.ndarray:
        known, numbers = np.unique(pairs, return_inverse=True)
        self._pairs.append(known)
        return numbers

    def _find(self, size: int, pairs: np.ndarray) -> np.ndarray:
        known = self._pairs[size - 2]
        numbers, new = find(known, pairs)
        numbers[new] = len(known) + np.unique(pairs[new], return_inverse=True)[1]
        return numbers


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return one int64 for each pair of whole numbers below 2**31, in the same sort order."""
    return first << 32 | second


def find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of numbers among sorted keys, and which of them are missing."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.ones(len(wanted), bool)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return places, keys[places] != wanted


def _lengths(captions: Sequence[Words]) -> np.ndarray:
    return np.fromiter(map(len, captions), np.int64, len(captions))


def _walk(words: np.ndarray, lengths: np.ndarray, number: Callable[[int, np.ndarray], np.ndarray]) -> Iterator[Counts]:
    """Count n-grams for n = 1 .. 4; `number` maps pairs of an (n-1)-gram and a word to numbers."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))  # words left in the caption from here
    start, gram = np.arange(len(words)), words
    yield _counted(row, gram)
    for size in range(2, LONGEST + 1):
        inside = left[start] >= size
        start, gram = start[inside], gram[inside]
        gram = number(size, joined(gram, words[start + size - 1]))
        yield _counted(row[start], gram)


def _counted(row: np.ndarray, gram: np.ndarray) -> Counts:
    keys, count = np.unique(joined(row, gram), return_counts=True)
    return Counts(keys >> 32, keys & 0xFFFFFFFF, count)
