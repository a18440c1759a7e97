"""Streams of tokens, and the windows of truncated back-propagation through time."""

import hashlib
import mmap
from typing import Any, NamedTuple

import numpy as np

from seqnets import settings
from seqnets.errors import UserError

_RELEASE_BYTES = 1 << 28
_FAULT_BYTES = 1 << 17


class TextBatch(NamedTuple):
    """One window of every stream.

    Args:
        inputs: tokens to read, int32 of shape (B, T).
        targets: the token after each input, int32 of shape (B, T).
        resets: bool of shape (B, T); True where the carry must be the initial one before this input is read.
    """

    inputs: np.ndarray
    targets: np.ndarray
    resets: np.ndarray


class TokenStream:
    """The tokens of one split, in memory or in a memory-mapped file.

    A separator ends a document. The carry is reset before the *last* token of a separator is read, so that token
    is both the last target of one document (the model learns to end) and the first input of the next (the model
    learns to begin, from the initial carry), and nothing flows between documents. To sample a new document, start
    from the initial carry with the separator's last token.

    Args:
        tokens: unsigned or signed integers of shape (N,); a view of an `np.memmap` is read page by page, and pages
            are released as reading continues, so that resident memory stays small.
        separator: the tokens of the document separator; empty for none.

    Raises:
        UserError: the tokens are not integers of shape (N,).

    Example:
        >>> stream = TokenStream(np.array([5, 6, 0, 7, 8, 0], np.uint8), separator=(0,))
        >>> stream.gather(np.array([3, 4])).tolist()
        [7, 8]
        >>> stream.document_starts(np.arange(6)).tolist()
        [False, False, True, False, False, True]
    """

    def __init__(self, tokens: Any, separator: tuple[int, ...] = ()) -> None:
        self.tokens = np.asarray(tokens)
        self.separator = tuple(separator)
        if self.tokens.ndim != 1 or self.tokens.dtype.kind not in "iu":
            raise UserError(f"tokens must be integers of shape (N,), not {self.tokens.dtype} {self.tokens.shape}")
        self._map = _mapping_below(self.tokens)
        self._touched = 0

    def __len__(self) -> int:
        return len(self.tokens)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.tokens, dtype, copy=copy)

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """Return the tokens at some positions, int32, of the positions' shape."""
        tokens = self.tokens[positions].astype(np.int32)
        self._release(tokens.size, len(tokens) if tokens.ndim > 1 else 1)
        return tokens

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the tokens from `start` up to `stop`, int32."""
        tokens = self.tokens[start:stop].astype(np.int32)
        self._release(tokens.size, 1)
        return tokens

    def document_starts(self, positions: np.ndarray) -> np.ndarray:
        """Return where the carry is reset: a bool for each position, True at the last token of every separator."""
        starts = np.full(positions.shape, bool(self.separator))
        for back, token in enumerate(reversed(self.separator)):
            before = positions - back
            starts &= (before >= 0) & (self.gather(np.maximum(before, 0)) == token)
        return starts

    def aligned(self, positions: np.ndarray) -> np.ndarray:
        """Return where reading may begin near some positions: anywhere in a text without items."""
        return positions

    def of_epoch(self, seed: int, epoch: int) -> "TokenStream":
        """Return the stream in the order of an epoch: always the same in a text without items."""
        return self

    def _release(self, tokens: int, places: int) -> None:
        if self._map is None:
            return
        self._touched += tokens * self.tokens.itemsize + places * _FAULT_BYTES
        if self._touched > _RELEASE_BYTES:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0


class Windows:
    """Batches for truncated back-propagation through time, each a pure function of the step.

    The N tokens are cut into B streams of K windows of T tokens. Window k of an epoch follows window k-1 in every
    stream, so the carry is kept from step to step; it is reset at the first window of each epoch. Stream b of epoch
    e begins at

        s(b, e) = o(e) + floor(b (N - K T - R) / (B - 1)),    o(e) uniform in [0, R) from (seed, e),    R = min(T, N - K T),

    where K = ceil((N - T) / (B T)) is the least that leaves no gap between streams (they overlap by less than a
    window). The offset o(e) moves the windows' borders from one epoch to the next; each epoch leaves out fewer than
    T tokens, at the two ends. With B = 1 no stream can overlap another: there K = floor((N - T) / T) and R = N - K T, so
    that an epoch leaves out up to 2 T - 2 tokens, different ones in each epoch. A text shorter than B windows still fills a
    batch: the streams then overlap more.

    A stream of items (`seqnets.data.text.items.ItemStream`) has another order in every epoch, and its B streams begin where the
    items at those places begin.

    Args:
        tokens: a `TokenStream`, or integers of shape (N,), in memory or memory-mapped; N > T.
        batch_size: B, the number of streams.
        window: T, tokens per window.
        seed: any integer.
        separator: the tokens that separate documents (see `TokenStream`); the stream's own by default.
        rows: index of the streams that are read.

    Raises:
        UserError: a size is not positive, or there are too few tokens for one window and its last target.

    Example:
        >>> windows = Windows(np.arange(100), batch_size=2, window=5, seed=0)
        >>> windows.windows_per_epoch
        10
        >>> first, second = windows.batch(0), windows.batch(1)
        >>> bool((first.targets[:, -1] == second.inputs[:, 0]).all()), first.resets[:, 0].tolist()
        (True, [True, True])
    """

    def __init__(
        self,
        tokens: Any,
        *,
        batch_size: int,
        window: int,
        seed: int = 0,
        separator: tuple[int, ...] | None = None,
        rows: slice | np.ndarray = slice(None),
    ) -> None:
        _check_positive(batch_size=batch_size, window=window)
        held = tokens if isinstance(tokens, TokenStream) else TokenStream(tokens)
        self.stream = held if separator is None else TokenStream(held.tokens, separator)
        self.batch_size, self.window, self.seed = batch_size, window, seed
        size = len(self.stream)
        if size <= window:
            raise UserError(
                f"{size:,} tokens are too few for one window of {window:,}, which needs {window + 1:,}; "
                "give a longer text or lower --data.window"
            )
        beyond = size - window
        self.windows_per_epoch = max(1, min(-(-beyond // (batch_size * window)), beyond // window))
        slack = size - self.windows_per_epoch * window
        self._offsets = slack if batch_size == 1 else min(window, slack)
        self._starts = (np.arange(batch_size) * (slack - self._offsets) // max(1, batch_size - 1))[rows]

    def offset(self, epoch: int) -> int:
        """Return how far the streams of an epoch are shifted: the same for the same (seed, epoch) everywhere."""
        digest = hashlib.sha256(f"{self.seed}:{epoch}".encode()).digest()
        return int.from_bytes(digest[:16], "little") % self._offsets

    def batch(self, step: int) -> TextBatch:
        """Return the batch of a step, counted from 0 over all epochs.

        Raises:
            UserError: the step is negative.
        """
        settings.NOT_NEGATIVE.check("step", step)
        epoch, k = divmod(int(step), self.windows_per_epoch)
        stream = self.stream.of_epoch(self.seed, epoch)
        first = stream.aligned(self._starts + self.offset(epoch)) + k * self.window
        positions = first[:, None] + np.arange(self.window + 1)
        tokens = stream.gather(positions)
        resets = stream.document_starts(positions[:, :-1])
        resets[:, 0] |= k == 0
        return TextBatch(tokens[:, :-1], tokens[:, 1:], resets)


def _check_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        settings.whole(name, size, settings.POSITIVE)


def _mapping_below(tokens: np.ndarray) -> mmap.mmap | None:
    base = tokens
    while isinstance(base, np.ndarray):
        base = base.base
    # pages of a writable mapping must stay, and only some systems can drop pages
    mapped = isinstance(base, mmap.mmap) and not tokens.flags.writeable and hasattr(mmap, "MADV_DONTNEED")
    return base if mapped else None
