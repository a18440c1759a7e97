"""A text as a corpus: its vocabulary and its tokens, split into training, validation and test."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any, cast

import numpy as np

from seqnets.data.demo.library_text import standard_library
from seqnets.data.text import cache
from seqnets.data.text.config import TextConfig
from seqnets.data.text.encoding import Meter, collect_vocabulary, encode_blocks, in_parts, normal_texts
from seqnets.data.text.items import Items, ItemStream
from seqnets.data.text.normal_form import normalized
from seqnets.data.text.pieces import PIECES, PieceVocabulary, TextSubwords, safe_blocks
from seqnets.data.text.sources import Progress, Source, opened
from seqnets.data.text.splits import check_long_enough, split_bounds
from seqnets.data.text.streams import TokenStream
from seqnets.data.text.text_vocabulary import TextVocabulary
from seqnets.data.text.vocabulary import Vocabulary, bytes_vocabulary
from seqnets.data.token_kinds import UnknownPolicy
from seqnets.errors import UserError


@dataclass(frozen=True)
class Corpus:
    """A text as tokens, with its vocabulary.

    Args:
        vocabulary: the map between characters and tokens.
        tokens: the whole text, unsigned integers of shape (N,), in memory or memory-mapped.
        splits: "train", and "validation" and "test" where their share is not 0.
        separator: the tokens that end a document or an item; empty for none.
        sources: the names of the texts, in order.
        unknown: the number of characters that the vocabulary lacks; they were left out or replaced.
        items: where the items are, if the text is a list of them.
    """

    vocabulary: TextVocabulary
    tokens: np.ndarray = field(repr=False)
    splits: dict[str, TokenStream] = field(repr=False)
    separator: tuple[int, ...] = ()
    sources: tuple[str, ...] = field(default=(), repr=False)
    digest: str = field(default="", repr=False)
    unknown: int = 0
    items: Items | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def train(self) -> TokenStream:
        """The part to train on."""
        return self._split("train")

    @property
    def validation(self) -> TokenStream:
        """The next part, for validation."""
        return self._split("validation")

    @property
    def test(self) -> TokenStream:
        """The last part, for the final test."""
        return self._split("test")

    def _split(self, name: str) -> TokenStream:
        if name not in self.splits:
            raise UserError(f"the corpus has no {name} split; train with --data.{name}-fraction above 0")
        return self.splits[name]

    @cached_property
    def _digest(self) -> str:
        return self.digest or hashlib.sha256(np.ascontiguousarray(self.tokens).data).hexdigest()

    def fingerprint(self) -> dict[str, str | int]:
        """Return what identifies this corpus: hashes of text and vocabulary, and the sizes of its splits.

        Example:
            >>> fingerprint = read_text(__file__).fingerprint()
            >>> list(fingerprint)
            ['text', 'vocabulary', 'separator', 'train_tokens', 'validation_tokens', 'test_tokens']
        """
        sizes = {f"{name}_tokens": len(self.splits.get(name, ())) for name in ("train", "validation", "test")}
        separator = self.vocabulary.decode(self.separator)
        items = {} if self.items is None else {"items": len(self.items), "longest_item": self.items.longest}
        return {"text": self._digest, "vocabulary": self.vocabulary.digest, "separator": separator, **sizes, **items}


def read_text(
    *sources: str | os.PathLike[str],
    config: TextConfig | None = None,
    vocabulary: TextVocabulary | None = None,
    unknown: UnknownPolicy = "error",
    extends: TextVocabulary | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Read texts, one after the other, into a corpus.

    The text is not changed: line ends stay as they are, nothing is put between files (except a separator, if there
    is one), characters stay as they are (unless `config.normalize` names a normal form), and only a byte order mark is left
    out, under a vocabulary of characters. A vocabulary of characters takes
    two passes, one of bytes a single one. Text beyond `config.in_memory_megabytes` is never held in memory: it is
    encoded in blocks into a file of the cache folder, which is used again as long as the sources stay the same.

    Args:
        sources: files (gzip if they end in .gz), folders (see `seqnets.data.text.sources.find`), globs, or "-" for
            standard input; the source of Python's standard library by default.
        config: how to read and split; `TextConfig()` by default.
        vocabulary: the vocabulary to encode with, such as a trained model's; collected from the text by default.
        unknown: what to do with characters that the given vocabulary lacks: "error", "skip" or "replace"; the corpus counts
            them.
        extends: a vocabulary, such as a trained model's, to which the characters of the text that it lacks are added; it also
            decides about the kind and the normal form.
        progress: called from time to time with the stored bytes read so far and in total (over all passes; a total of 0 if
            unknown).

    Returns:
        The corpus; split s holds the tokens from floor(N a) to floor(N b) for its shares a to b, so that 10% of
        1,115,394 characters for validation leave 1,003,854 for training and give 111,540.

    Raises:
        UserError: a source is missing, empty, unreadable, not a text of this encoding, or too short to train on one
            window; or a setting is impossible.

    Example:
        >>> corpus = read_text(__file__)
        >>> corpus.vocabulary.decode(corpus.train.read(0, 21))
        '\"\"\"A text as a corpus'
    """
    config = config or TextConfig()
    if extends is not None:
        config = replace(config, vocabulary=extends.kind, normalize=extends.normalize)
    wanted = vocabulary or (bytes_vocabulary() if config.vocabulary == "bytes" else None)
    limit = config.in_memory_megabytes << 20
    with opened(sources or standard_library(), limit, lambda: cache.cache_folder(config.cache_directory)) as texts:
        _check_not_empty(texts)
        of_pieces = isinstance(wanted, PieceVocabulary) or (wanted is None and config.vocabulary in PIECES)
        reading = (_PieceReading if of_pieces else _Reading)(texts, config, wanted, unknown, extends, progress)
        encoded = reading.in_memory(limit) or reading.cached()
    return _split_up(encoded, config, tuple(text.name for text in texts))


@dataclass(frozen=True)
class _Reading:
    texts: list[Source]
    config: TextConfig
    vocabulary: TextVocabulary | None
    unknown: UnknownPolicy
    extends: TextVocabulary | None
    progress: Progress | None

    def in_memory(self, limit: int) -> cache.CachedTokens | None:
        if self._stored > limit:
            return None
        meter = self._meter()
        vocabulary = self._collected(meter)
        blocks, held = [], 0
        for block in self._blocks(vocabulary, meter):
            blocks.append(block)
            held += len(block)
            if held > limit:  # a compressed text can be far longer than its file
                return None
        tokens = np.concatenate([np.empty(0, vocabulary.dtype), *blocks])
        return cache.CachedTokens(tokens, vocabulary, "", meter.unknown, self.stops)

    def cached(self) -> cache.CachedTokens:
        identity = self._identity()
        path = cache.cache_path(cache.cache_folder(self.config.cache_directory), identity)
        found = cache.load(path, identity)
        if found is None:
            meter = self._meter()
            vocabulary = self._collected(meter)
            counts = lambda: {"unknown": meter.unknown, "stops": self.stops}  # noqa: E731
            cache.store(path, identity, vocabulary, self._blocks(vocabulary, meter), counts)
            self._check_unchanged(identity)
            found = cache.load(path, identity)
        if found is None:
            raise UserError(f"the encoded text at '{path}' vanished or was replaced while it was written; start again")
        return found

    @property
    def stops(self) -> tuple[int, ...]:
        """Where each part of the text ends, once all tokens are read; none if the number of tokens decides."""
        return ()

    @property
    def _stored(self) -> int:
        return sum(text.size for text in self.texts)

    def _meter(self) -> Meter:
        return Meter(self.progress, self._stored * (1 if self.vocabulary else 2))

    def _collected(self, meter: Meter) -> Vocabulary:
        separator = self.config.separator_text
        vocabulary: Any = self.vocabulary
        if vocabulary is None:
            vocabulary = collect_vocabulary(
                self.texts,
                encoding=self.config.encoding,
                separator=separator,
                meter=meter,
                normalize=self.config.normalize,
                items=self.config.items,
            )
            vocabulary = self.extends.grown(vocabulary) if self.extends else vocabulary
        if vocabulary.kind == "chars" and set(normalized(separator, vocabulary.normalize)) - set(vocabulary.characters):
            raise UserError(f"the separator {separator!r} does not occur in the text; set --data.separator to one that does")
        return vocabulary

    def _blocks(self, vocabulary: Vocabulary, meter: Meter) -> Iterator[np.ndarray]:
        config, unknown = self.config, self.unknown
        rules = {"encoding": config.encoding, "separator": config.separator_text, "items": config.items}
        return encode_blocks(self.texts, vocabulary, **rules, unknown=unknown, meter=meter)  # pyright: ignore[reportArgumentType]

    def _identity(self) -> dict[str, Any]:
        return {
            "sources": [os.path.abspath(text.path) if not text.temporary else text.name for text in self.texts],
            "state": [_state(text) for text in self.texts],
            "kind": self.config.vocabulary,
            "normalize": self.vocabulary.normalize if self.vocabulary else self.config.normalize,
            "encoding": self.config.encoding,
            "separator": self.config.separator_text,
            "items": self.config.items,
            "vocabulary": self.vocabulary.digest if self.vocabulary else "",
            "unknown": self.unknown,
            "size": self.config.vocabulary_size,
            "extends": self.extends.digest if self.extends else "",
        }

    def _check_unchanged(self, identity: dict[str, Any]) -> None:
        for text, before in zip(self.texts, identity["state"]):
            if _state(text) != before:
                raise UserError(f"{text.name!r} changed while it was read; start again when it is complete")


class _PieceReading(_Reading):
    """Reads a text as words or pieces: its parts are cut by characters, so that they are the same text for every vocabulary."""

    _borders: list[int]  # of characters, between the parts
    _ends: list[int]  # of tokens

    @property
    def stops(self) -> tuple[int, ...]:
        return tuple(self._ends)

    def _meter(self) -> Meter:
        return Meter(self.progress, self._stored * ((1 if self.vocabulary else 2) + (len(split_bounds(0, self.config)) > 1)))

    def _collected(self, meter: Meter) -> Any:
        bounds = split_bounds(0, self.config)
        if len(bounds) > 1:
            size = sum(map(len, self._texts(meter)))
            bounds = split_bounds(size, self.config)
        object.__setattr__(self, "_borders", [stop for _, stop in bounds.values()][:-1])
        if self.vocabulary is not None:
            return self.vocabulary
        if self.extends is not None and self.extends.kind == "bpe":  # it knows every text
            return cast(TextSubwords, self.extends).separated(self.config.separator_text)
        separator, kind = self.config.separator_text, PIECES[self.config.vocabulary]
        training = safe_blocks((text for part, text in in_parts(self._texts(meter), self._borders) if part == 0), separator)
        found = kind.from_texts(training, self.config.vocabulary_size, normalize=self.config.normalize, separator=separator)
        return found if self.extends is None else self.extends.grown(found)

    def _texts(self, meter: Meter) -> Iterator[str]:
        config = self.config
        form = self.vocabulary.normalize if self.vocabulary else config.normalize
        return normal_texts(self.texts, encoding=config.encoding, separator=config.separator_text, meter=meter, normalize=form)

    def _blocks(self, vocabulary: Any, meter: Meter) -> Iterator[np.ndarray]:
        object.__setattr__(self, "_ends", [])
        count = 0
        for _, parts in groupby(in_parts(self._texts(meter), self._borders), key=lambda found: found[0]):
            for text in safe_blocks((text for _, text in parts), vocabulary.separator):
                tokens = vocabulary.encode(text).astype(vocabulary.dtype)
                count += len(tokens)
                yield tokens
            self._ends.append(count)

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "shares": [self.config.validation_fraction, self.config.test_fraction]}


def _state(text: Source) -> list[Any]:
    if text.temporary:
        digest = hashlib.sha256()
        for block, _ in text.blocks():
            digest.update(block)
        return [digest.hexdigest()]
    status = os.stat(text.path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _split_up(encoded: cache.CachedTokens, config: TextConfig, sources: tuple[str, ...]) -> Corpus:
    tokens, vocabulary = encoded.tokens, encoded.vocabulary
    separator = tuple(vocabulary.encode(config.separator_text).tolist())
    if config.items != "none":
        return _split_items(encoded, config, separator, sources)
    if isinstance(vocabulary, PieceVocabulary):
        return _split_pieces(encoded, config, separator, sources)
    check_long_enough(len(tokens), config, _named(sources), "byte" if vocabulary.kind == "bytes" else "character")
    splits = {
        name: TokenStream(tokens[start:stop], separator) for name, (start, stop) in split_bounds(len(tokens), config).items()
    }
    return Corpus(vocabulary, tokens, splits, separator, sources, encoded.digest, encoded.unknown)


def _split_pieces(
    encoded: cache.CachedTokens, config: TextConfig, separator: tuple[int, ...], sources: tuple[str, ...]
) -> Corpus:
    names, tokens = list(split_bounds(0, config)), encoded.tokens
    bounds = dict(zip(names, pairwise([0, *encoded.stops])))
    short = [name for name in names if name not in bounds or bounds[name][1] - bounds[name][0] < 2]
    if short or bounds["train"][1] <= config.window:
        raise UserError(
            f"{_named(sources)} has {len(tokens):,} tokens, too few for one window of {config.window:,} to train on and 2 in "
            "each part that is held out; give a longer text, or lower --data.window"
        )
    splits = {name: TokenStream(tokens[start:stop], separator) for name, (start, stop) in bounds.items()}
    return Corpus(encoded.vocabulary, tokens, splits, separator, sources, encoded.digest, encoded.unknown)


def _split_items(encoded: cache.CachedTokens, config: TextConfig, separator: tuple[int, ...], sources: tuple[str, ...]) -> Corpus:
    text, vocabulary = TokenStream(encoded.tokens, separator), encoded.vocabulary
    items = Items.of(text.tokens, separator, vocabulary)
    splits: dict[str, TokenStream] = {
        name: ItemStream(text, items.starts, order) for name, order in items.splits(config, _named(sources)).items()
    }
    size = len(splits["train"])
    if size <= config.window:
        raise UserError(
            f"{_named(sources)} has {size - 1:,} characters of items to train on, too few for one window of {config.window:,}; "
            f"give more items or lower --data.window to {size - 1:,} or less"
        )
    return Corpus(vocabulary, text.tokens, splits, separator, sources, encoded.digest, encoded.unknown, items)


def _check_not_empty(texts: Sequence[Source]) -> None:
    if all(text.size == 0 for text in texts):
        raise UserError(f"{_named([text.name for text in texts])} is empty; give a text to read")


def _named(sources: Sequence[str]) -> str:
    return repr(sources[0]) if len(sources) == 1 else f"the text (of {len(sources):,} files)"
