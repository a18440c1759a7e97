"""Texts of many separate items, such as one name on each line: how they are found, split and shuffled."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from seqnets.data.examples.examples import shuffled
from seqnets.data.text.config import TextConfig
from seqnets.data.text.splits import split_bounds
from seqnets.data.text.streams import TokenStream
from seqnets.data.text.text_vocabulary import TextVocabulary
from seqnets.decoders import read_bytes, reading
from seqnets.errors import UserError

_SPACE = " \t\r\f\v"  # the same for characters and for bytes; str.strip() would take parts of UTF-8 characters
_BLOCK = 1 << 20


def item_blocks(blocks: Iterable[str], kind: str) -> Iterator[str]:
    r"""Yield a text with its items in one form: each ends with its separator, and nothing else is between them.

    Args:
        blocks: the pieces of the text.
        kind: "lines": an item is a line without the spaces at its ends; "paragraphs": an item is a group of lines between blank
            ones. Blank lines are no items.

    Example:
        >>> list(item_blocks(["emma \r\n\nol", "ivia"], "lines"))
        ['emma\nolivia\n']
        >>> list(item_blocks(["a\nb\n\n\n c\n"], "paragraphs"))
        ['a\nb\n\n c\n\n']
    """
    held, size = [], 0
    for item in _items(_lines(blocks), kind):
        held.append(item)
        size += len(item)
        if size > _BLOCK:
            yield "".join(held)
            held, size = [], 0
    if held:
        yield "".join(held)


def _lines(blocks: Iterable[str]) -> Iterator[str]:
    rest = ""
    for block in blocks:
        *lines, rest = (rest + block).split("\n")
        yield from lines
    yield rest


def _items(lines: Iterable[str], kind: str) -> Iterator[str]:
    if kind == "lines":
        yield from (f"{item}\n" for line in lines if (item := line.strip(_SPACE)))
        return
    held = []
    for line in lines:
        if line.strip(_SPACE):
            held.append(line.rstrip(_SPACE) + "\n")
        elif held:
            yield "".join(held) + "\n"
            held = []
    if held:
        yield "".join(held) + "\n"


def item_hash(item: str) -> int:
    """Return the number of 64 bits that stands for an item: the first 8 bytes of its BLAKE2b.

    Example:
        >>> item_hash("emma") == item_hash("emma"), item_hash("emma") == item_hash("Emma")
        (True, False)
    """
    return int.from_bytes(hashlib.blake2b(item.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Items:
    """Where the items of a text are, and a hash of each.

    Args:
        starts: the position of each item's first token, and the length of the text, int64 `(M + 1,)`.
        hashes: `item_hash` of each item, uint64 `(M,)`.
    """

    starts: np.ndarray
    hashes: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray, separator: tuple[int, ...], vocabulary: TextVocabulary) -> "Items":
        r"""Find the items of a text in the form of `item_blocks`.

        Example:
            >>> from seqnets.data import Vocabulary
            >>> vocabulary = Vocabulary.from_text("\nab")
            >>> Items.of(vocabulary.encode("ab\nb\n"), (0,), vocabulary).starts.tolist()
            [0, 3, 5]
        """
        last, before = tokens == separator[-1], len(separator) - 1
        ends = np.flatnonzero(last[before:] & (tokens[: len(tokens) - before] == separator[0]))
        starts = np.concatenate([[0], ends + len(separator)]).astype(np.int64)
        between = vocabulary.decode(separator)
        hashes = np.empty(len(starts) - 1, np.uint64)
        done = 0
        while done < len(hashes):  # in pieces: a long text is not in memory
            stop = max(done + 1, int(np.searchsorted(starts, starts[done] + _BLOCK)) - 1)
            text = vocabulary.decode(np.asarray(tokens[starts[done] : starts[stop]]))
            hashes[done:stop] = list(map(item_hash, text.split(between)[:-1]))
            done = stop
        return cls(starts, hashes)

    def __len__(self) -> int:
        return len(self.hashes)

    @cached_property
    def known(self) -> np.ndarray:
        """The hashes of the different items in ascending order, uint64."""
        return np.unique(self.hashes)

    @property
    def longest(self) -> int:
        """Tokens of the longest item, its separator included."""
        return int(np.diff(self.starts).max(initial=0))

    def to_file(self) -> bytes:
        """Return the hashes of the different items as a file of safetensors, for `read_known`."""
        from safetensors.numpy import save

        return save({"hashes": self.known})

    def splits(self, config: TextConfig, name: str) -> dict[str, np.ndarray]:
        """Return the items of each split, in the order of the text; equal items are in the same split.

        The hash decides, which is as good as chance and needs no seed: an item stays where it is when others are added far
        from the border.

        Raises:
            UserError: there are too few different items for the splits.
        """
        bounds = split_bounds(len(self.known), config)
        empty = [part for part, (start, stop) in bounds.items() if start == stop]
        if empty:
            items = f"{len(self.known):,} different item{'' if len(self.known) == 1 else 's'}"
            fractions = [f"--data.{part}-fraction" for part in bounds if part != "train"]
            advice = f", or set {' and '.join(fractions)} to 0" if fractions and len(self.known) else ""
            raise UserError(f"{name} has {items}, which leaves {' and '.join(empty)} without any; give more{advice}")
        ranks = np.searchsorted(self.known, self.hashes)
        return {part: np.flatnonzero((ranks >= start) & (ranks < stop)) for part, (start, stop) in bounds.items()}


def read_known(path: Path) -> np.ndarray:
    """Return the hashes that `Items.to_file` wrote, uint64 in ascending order.

    Raises:
        UserError: the file is missing or damaged.
    """
    from safetensors.numpy import load

    with reading(path, advice="put back a copy of it"):
        return load(read_bytes(path))["hashes"]


class ItemStream(TokenStream):
    r"""Some items of a text in some order, as a stream that begins with the last token of a separator.

    Every item therefore begins after a reset, with the separator's last token as its first input, and ends with its separator as
    the last target. `of_epoch` gives the same items in another order.

    Args:
        text: the whole text.
        starts: see `Items`.
        order: the numbers of the items, int64 `(n,)`.

    Example:
        >>> text = TokenStream(np.array([5, 6, 0, 7, 0, 8, 0], np.uint8), separator=(0,))
        >>> stream = ItemStream(text, np.array([0, 3, 5, 7]), np.array([2, 0]))
        >>> stream.read(0, len(stream)).tolist()
        [0, 8, 0, 5, 6, 0]
        >>> stream.aligned(np.array([0, 1, 2, 4])).tolist()
        [0, 0, 2, 2]
    """

    def __init__(self, text: TokenStream, starts: np.ndarray, order: np.ndarray) -> None:
        self.separator = text.separator
        self._text, self._starts, self._order = text, starts, order
        self._begins = 1 + np.concatenate([[0], np.cumsum(starts[order + 1] - starts[order])])
        self._shifts = starts[order] - self._begins[:-1]

    def __len__(self) -> int:
        return int(self._begins[-1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.tokens if dtype is None else self.tokens.astype(dtype)

    @property
    def tokens(self) -> np.ndarray:
        """All tokens of the stream, int32, in memory."""
        return self.read(0, len(self))

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """Return the tokens at some positions, int32, of the positions' shape."""
        items = np.maximum(np.searchsorted(self._begins, positions, side="right") - 1, 0)
        found = self._text.gather(np.maximum(positions + self._shifts[items], 0))
        return np.where(positions > 0, found, np.int32(self.separator[-1]))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the tokens from `start` up to `stop`, int32."""
        return self.gather(np.arange(start, min(stop, len(self))))

    def aligned(self, positions: np.ndarray) -> np.ndarray:
        """Return where the items begin in which some positions are."""
        items = np.searchsorted(self._begins, positions + 1, side="right") - 1
        return self._begins[items] - 1

    def of_epoch(self, seed: int, epoch: int) -> "ItemStream":
        """Return the same items in the order of an epoch."""
        return _in_order_of(self, seed, epoch)


@lru_cache(maxsize=2)
def _in_order_of(stream: ItemStream, seed: int, epoch: int) -> ItemStream:
    order = stream._order[shuffled(len(stream._order), seed, epoch)]
    return ItemStream(stream._text, stream._starts, order)
