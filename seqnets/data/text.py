"""A text as a corpus: its vocabulary and its tokens, split into training, validation and test."""

import codecs
import hashlib
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, get_args

import numpy as np

from seqnets.data import cache
from seqnets.data.demo import standard_library
from seqnets.data.encoding import Meter, collect_vocabulary, encode_blocks
from seqnets.data.sources import Progress, Source, opened
from seqnets.data.streams import TokenStream
from seqnets.data.vocabulary import UnknownPolicy, Vocabulary, VocabularyKind, bytes_vocabulary
from seqnets.errors import UserError

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}


@dataclass(frozen=True)
class TextConfig:
    """How a text is read, encoded and split.

    Example:
        >>> TextConfig(vocabulary="bytes", validation_fraction=0.05).window
        128
    """

    vocabulary: VocabularyKind = "chars"
    """What a token is: a character (Unicode code point) of the text, or a byte, which fits every text."""
    window: int = 128
    """Tokens that the gradient flows back through; the state is carried on from window to window."""
    validation_fraction: float = 0.1
    """Share of the text, after the training part, that is held out for validation; 0 for none."""
    test_fraction: float = 0.0
    """Share of the text, at its end, that is held out for testing; 0 for none."""
    separator: str = ""
    r"""What ends a document (\n, \t, \r, \0, \xNN, \uNNNN are understood): the state starts afresh there. Also put
    between files that do not end with it. Empty for none."""
    encoding: str = "utf-8"
    """Encoding of the files, for a vocabulary of characters; a byte order mark at the start of a file is left out."""
    in_memory_megabytes: int = 64
    """Texts up to this size are held in memory; longer ones are encoded once into a memory-mapped file."""
    cache_directory: str = ""
    """Where encoded texts are kept; empty for $SEQNETS_CACHE or ~/.cache/seqnets."""

    @property
    def separator_text(self) -> str:
        r"""The separator with its escapes resolved.

        Example:
            >>> TextConfig(separator=r"\n\n").separator_text == "\n" * 2
            True
        """
        return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", _unescaped, self.separator)

    def check(self) -> None:
        """Refuse settings that cannot be.

        Raises:
            UserError: a setting is out of range or contradicts another one; the message names it.
        """
        if self.vocabulary not in get_args(VocabularyKind):
            raise UserError(f"data.vocabulary must be 'chars' or 'bytes', not {self.vocabulary!r}")
        if self.window < 1:
            raise UserError(f"data.window must be at least 1, not {self.window}")
        if self.in_memory_megabytes < 0:
            raise UserError(f"data.in_memory_megabytes must be at least 0, not {self.in_memory_megabytes}")
        _check_fractions(self.validation_fraction, self.test_fraction)
        _check_encoding(self.encoding, self.vocabulary)
        _ = self.separator_text


@dataclass(frozen=True)
class Corpus:
    """A text as tokens, with its vocabulary.

    Args:
        vocabulary: the map between characters and tokens.
        tokens: the whole text, unsigned integers of shape (N,), in memory or memory-mapped.
        splits: "train", and "validation" and "test" where their share is not 0.
        separator: the tokens that end a document; empty for none.
        sources: the names of the texts, in order.
    """

    vocabulary: Vocabulary
    tokens: np.ndarray = field(repr=False)
    splits: dict[str, TokenStream] = field(repr=False)
    separator: tuple[int, ...] = ()
    sources: tuple[str, ...] = field(default=(), repr=False)
    digest: str = field(default="", repr=False)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def train(self) -> TokenStream:
        """The part to learn from."""
        return self._split("train")

    @property
    def validation(self) -> TokenStream:
        """The part after it, to choose by."""
        return self._split("validation")

    @property
    def test(self) -> TokenStream:
        """The last part, to report."""
        return self._split("test")

    def _split(self, name: str) -> TokenStream:
        if name not in self.splits:
            raise UserError(f"the corpus has no {name} split; set --data.{name}-fraction above 0")
        return self.splits[name]

    @cached_property
    def _digest(self) -> str:
        return self.digest or hashlib.sha256(np.ascontiguousarray(self.tokens).data).hexdigest()

    def fingerprint(self) -> dict[str, str | int]:
        """Return what tells this corpus from any other: hashes of text and vocabulary, and the sizes of its splits.

        Example:
            >>> fingerprint = read_text(__file__).fingerprint()
            >>> list(fingerprint)
            ['text', 'vocabulary', 'separator', 'train_tokens', 'validation_tokens', 'test_tokens']
        """
        sizes = {f"{name}_tokens": len(self.splits.get(name, ())) for name in ("train", "validation", "test")}
        separator = self.vocabulary.decode(self.separator)
        return {"text": self._digest, "vocabulary": self.vocabulary.digest, "separator": separator, **sizes}


def read_text(
    *sources: str | os.PathLike[str],
    config: TextConfig | None = None,
    vocabulary: Vocabulary | None = None,
    unknown: UnknownPolicy = "error",
    progress: Progress | None = None,
) -> Corpus:
    """Read texts, one after the other, into a corpus.

    Nothing is changed on the way: line ends stay as they are, nothing is put between files (but a separator, if there
    is one), and only a byte order mark is left out, under a vocabulary of characters. A vocabulary of characters takes
    two passes, one of bytes a single one. Text beyond `config.in_memory_megabytes` is never held in memory: it is
    encoded in blocks into a file of the cache folder, which is used again as long as the sources stay the same.

    Args:
        sources: files (gzip if they end in .gz), folders (see `seqnets.data.sources.find`), globs, or "-" for
            standard input; the source of Python's standard library where left out.
        config: how to read and split; `TextConfig()` where left out.
        vocabulary: the vocabulary to encode with, such as a trained model's; collected from the text where left out.
        unknown: what to do with characters that the given vocabulary lacks: "error", "skip" or "replace".
        progress: called now and then with the stored bytes read so far and in all (over all passes; 0 in all if
            unknown).

    Returns:
        The corpus; split s holds the tokens from floor(N a) to floor(N b) for its shares a to b, so that 10% of
        1,115,394 characters for validation leave 1,003,854 for training and give 111,540.

    Raises:
        UserError: a source is missing, empty, unreadable, not a text of this encoding, or too short to train on one
            window; or a setting cannot be.

    Example:
        >>> corpus = read_text(__file__)
        >>> corpus.vocabulary.decode(corpus.train.read(0, 21))
        '\"\"\"A text as a corpus'
    """
    config = config or TextConfig()
    config.check()
    wanted = vocabulary or (bytes_vocabulary() if config.vocabulary == "bytes" else None)
    limit = config.in_memory_megabytes << 20
    with opened(sources or standard_library(), limit, lambda: cache.cache_folder(config.cache_directory)) as texts:
        _check_not_empty(texts)
        reading = _Reading(texts, config, wanted, unknown, progress)
        encoded = reading.in_memory(limit) or reading.cached()
    return _split_up(encoded, config, tuple(text.name for text in texts))


@dataclass(frozen=True)
class _Reading:
    texts: list[Source]
    config: TextConfig
    vocabulary: Vocabulary | None
    unknown: UnknownPolicy
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
            if held > limit:  # a packed text can turn out far longer than its file
                return None
        return cache.CachedTokens(np.concatenate([np.empty(0, vocabulary.dtype), *blocks]), vocabulary, "")

    def cached(self) -> cache.CachedTokens:
        identity = self._identity()
        path = cache.cache_path(cache.cache_folder(self.config.cache_directory), identity)
        found = cache.load(path, identity)
        if found is None:
            meter = self._meter()
            vocabulary = self._collected(meter)
            cache.store(path, identity, vocabulary, self._blocks(vocabulary, meter))
            self._check_unchanged(identity)
            found = cache.load(path, identity)
        if found is None:
            raise UserError(f"the encoded text at '{path}' vanished or was replaced while it was written; start again")
        return found

    @property
    def _stored(self) -> int:
        return sum(text.size for text in self.texts)

    def _meter(self) -> Meter:
        return Meter(self.progress, self._stored * (1 if self.vocabulary else 2))

    def _collected(self, meter: Meter) -> Vocabulary:
        separator = self.config.separator_text
        vocabulary = self.vocabulary or collect_vocabulary(
            self.texts, encoding=self.config.encoding, separator=separator, meter=meter
        )
        if vocabulary.kind == "chars" and set(separator) - set(vocabulary.characters):
            raise UserError(f"the separator {separator!r} does not occur in the text; set --data.separator to one that does")
        return vocabulary

    def _blocks(self, vocabulary: Vocabulary, meter: Meter) -> Iterator[np.ndarray]:
        separator, encoding = self.config.separator_text, self.config.encoding
        return encode_blocks(self.texts, vocabulary, encoding=encoding, separator=separator, unknown=self.unknown, meter=meter)

    def _identity(self) -> dict[str, Any]:
        return {
            "sources": [os.path.abspath(text.path) if not text.temporary else text.name for text in self.texts],
            "state": [_state(text) for text in self.texts],
            "kind": self.config.vocabulary,
            "encoding": self.config.encoding,
            "separator": self.config.separator_text,
            "vocabulary": self.vocabulary.digest if self.vocabulary else "",
            "unknown": self.unknown,
        }

    def _check_unchanged(self, identity: dict[str, Any]) -> None:
        for text, before in zip(self.texts, identity["state"]):
            if _state(text) != before:
                raise UserError(f"{text.name!r} changed while it was read; start again when it is complete")


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
    bounds = _bounds(len(tokens), config)
    _check_long_enough(len(tokens), config, vocabulary, sources)
    separator = tuple(vocabulary.encode(config.separator_text).tolist())
    splits = {name: TokenStream(tokens[start:stop], separator) for name, (start, stop) in bounds.items()}
    return Corpus(vocabulary, tokens, splits, separator, sources, encoded.digest)


def _bounds(size: int, config: TextConfig) -> dict[str, tuple[int, int]]:
    # decimal fractions, not binary ones: 0.9 of 10 characters is 9, and 1 - 0.1 - 0.2 is 0.7
    shares = {"validation": Fraction(str(config.validation_fraction)), "test": Fraction(str(config.test_fraction))}
    train = math.floor(size * (1 - sum(shares.values())))
    validation = math.floor(size * (1 - shares["test"]))
    bounds = {"train": (0, train), "validation": (train, validation), "test": (validation, size)}
    return {name: bound for name, bound in bounds.items() if shares.get(name, 1)}


def _is_long_enough(size: int, config: TextConfig) -> bool:
    least = {"train": config.window + 1}
    return all(stop - start >= least.get(name, 2) for name, (start, stop) in _bounds(size, config).items())


def _check_long_enough(size: int, config: TextConfig, vocabulary: Vocabulary, sources: Sequence[str]) -> None:
    if _is_long_enough(size, config):
        return
    needed = size + 1
    while not _is_long_enough(needed, config):
        needed *= 2
    low, high = size, needed
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_long_enough(middle, config) else (middle, high)
    unit = "byte" if vocabulary.kind == "bytes" else "character"
    raise UserError(
        f"{_named(sources)} has {size:,} {unit}{'' if size == 1 else 's'}, too few to train on windows of "
        f"{config.window:,} and hold out {config.validation_fraction:.4g} and {config.test_fraction:.4g} of it; "
        f"give at least {high:,}, or lower --data.window"
    )


def _check_not_empty(texts: Sequence[Source]) -> None:
    if all(text.size == 0 for text in texts):
        raise UserError(f"{_named([text.name for text in texts])} is empty; give a text to read")


def _named(sources: Sequence[str]) -> str:
    return repr(sources[0]) if len(sources) == 1 else f"the text (of {len(sources):,} files)"


def _check_fractions(validation: float, test: float) -> None:
    for name, share in (("validation", validation), ("test", test)):
        if not 0 <= share < 1:
            raise UserError(f"data.{name}_fraction must be at least 0 and below 1, not {share}")
    if validation + test >= 1:
        raise UserError(
            f"data.validation_fraction ({validation}) and data.test_fraction ({test}) leave nothing to train on; "
            "lower one of them so that they add up to less than 1"
        )


def _check_encoding(encoding: str, kind: str) -> None:
    try:
        name = codecs.lookup(encoding).name
        codecs.getincrementaldecoder(encoding)
    except LookupError:
        raise UserError(f"data.encoding {encoding!r} is unknown; pass one that Python knows, such as utf-8") from None
    if kind == "bytes" and name != "utf-8":
        raise UserError(f"data.encoding {encoding!r} has no effect on data.vocabulary 'bytes'; leave one of them out")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code not in _ESCAPES:
        raise UserError(rf"data.separator has an unknown escape '\{code}'; known are \n \t \r \0 \\ \xNN \uNNNN")
    return _ESCAPES[code]
