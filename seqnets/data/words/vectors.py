"""Pretrained word vectors for the words of a vocabulary, from the text files of word2vec and GloVe."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.decoders import reading, unpacked
from seqnets.errors import UserError

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class WordVectors:
    """Vectors for the tokens of a vocabulary.

    Args:
        table: float32 `(V, D)`; zero where there is none.
        found: booleans `(V,)`: which tokens have a vector; special tokens have none.
    """

    table: np.ndarray
    found: np.ndarray

    @property
    def coverage(self) -> float:
        """The share of the words that have a vector."""
        signs = len(self.found) - self._words
        return float(self.found[signs:].mean())

    @property
    def _words(self) -> int:
        return len(self.found) - 4  # pad, begin, end, unknown

    def __str__(self) -> str:
        return f"vectors of {self.table.shape[1]} features for {int(self.found.sum()):,} of {self._words:,} words"


def read_vectors(path: str | os.PathLike[str], vocabulary: WordVocabulary, *, features: int | None = None) -> WordVectors:
    """Read the vectors of a vocabulary's words line by line, so that files of any size take little memory.

    Each line is a word and D numbers. The first line of word2vec's form, which says how many lines and numbers there are,
    is recognized. If the file has a word in several cases, lower case wins. Gzip files are decompressed.

    Args:
        path: the file.
        vocabulary: the vocabulary whose words are wanted.
        features: D, if it must have a certain value.

    Raises:
        UserError: the file cannot be read, is cut short, has a malformed line, or another number of features; the message
            names the line.

    Example:
        >>> read_vectors("no/such.txt", WordVocabulary(("a",)))
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.txt': No such file or directory; check the path
    """
    path = os.fspath(path)
    token_of = {word: token for token, word in enumerate(vocabulary.words, start=len(vocabulary) - len(vocabulary.words))}
    with _opened(path) as file:
        lines = _lines(file, path, features)
        first = next(lines, None)
        if first is None:
            raise UserError(f"'{path}' has no word vectors; each line is a word and its numbers")
        table = np.zeros((len(vocabulary), first[3]), np.float32)
        exact = np.zeros(len(vocabulary), bool)
        found = np.zeros(len(vocabulary), bool)
        for number, word, numbers, width in _chain(first, lines):
            token = token_of.get(word.lower())
            if token is None or exact[token] or (found[token] and word != vocabulary.words[token - 4]):
                continue
            table[token] = _vector(numbers, width, number, path)
            found[token], exact[token] = True, word == word.lower()
    return WordVectors(table, found)


_Line = tuple[int, str, bytes, int]


def _lines(file: BinaryIO, path: str, features: int | None) -> Iterator[_Line]:
    stated, width, count, number = None, features, 0, 0
    for number, line in enumerate(file, start=1):
        line = line.strip(b" \t\r\n")
        if number == 1 and _is_header(line):
            stated, own = map(int, line.split())
            _check_width(own, features, number, path)
            width = own
            continue
        if not line:
            continue
        word, _, numbers = line.replace(b"\t", b" ").partition(b" ")
        fields = numbers.count(b" ") + 1 if numbers else 0
        width = width or fields
        if number == 1:
            _check_width(fields, features, number, path)
        if fields < width or not width:
            raise UserError(f"line {number:,} of '{path}' has {fields} numbers, not {width or 'any'}; is the file whole?")
        count += 1
        if fields == width:  # other lines are words with spaces
            yield number, word.decode("utf-8", "replace"), numbers, width
    if stated is not None and count < stated:
        raise UserError(f"'{path}' is cut short: its first line says {stated:,} words, and it has {count:,}; download it again")


def _is_header(line: bytes) -> bool:
    fields = line.split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def _check_width(width: int, features: int | None, number: int, path: str) -> None:
    if features is not None and width != features:
        raise UserError(
            f"'{path}' has vectors of {width} features (line {number}), not {features}; set the embedding's size to {width}"
        )


def _vector(numbers: bytes, width: int, number: int, path: str) -> np.ndarray:
    try:
        vector = np.array(numbers.split(), np.float32)
    except ValueError:
        raise UserError(f"line {number:,} of '{path}' does not have {width} numbers after its word") from None
    if len(vector) != width or not np.isfinite(vector).all():
        raise UserError(f"line {number:,} of '{path}' does not have {width} finite numbers after its word")
    return vector


def _chain(first: _Line, rest: Iterator[_Line]) -> Iterator[_Line]:
    yield first
    yield from rest


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    with reading(path, advice="download it again"), open(path, "rb") as stored:
        packed = stored.read(2) == _GZIP
        stored.seek(0)
        yield unpacked(stored, path) if packed else stored
