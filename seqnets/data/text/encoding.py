"""Encodes blocks of bytes as blocks of tokens, without holding a whole text."""

import codecs
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from seqnets.data.text.items import item_blocks
from seqnets.data.text.normal_form import normalized, normalized_blocks
from seqnets.data.text.sources import Progress, Source
from seqnets.data.text.vocabulary import UnknownPolicy, Vocabulary
from seqnets.data.token_kinds import ItemKind, NormalForm
from seqnets.errors import UserError

_BINARY_HEAD = 8192
_REPORT_BYTES = 1 << 24
# the first bytes of files that do not decode, and the advice for each
_SIGNS = (
    (b"\x1f\x8b", "it is a gzip file: give its name the ending .gz, or pipe it through zcat"),
    (codecs.BOM_UTF16_LE, "it looks like UTF-16: pass --data.encoding utf-16"),
    (codecs.BOM_UTF16_BE, "it looks like UTF-16: pass --data.encoding utf-16"),
)


class Meter:
    """Counts the stored bytes read over all sources and passes, and reports them from time to time."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total = progress, total
        self._finished = self._reported = 0
        self.unknown = 0  # characters that the vocabulary lacks, counted in the encoding pass

    def at(self, stored: int, *, final: bool = False) -> None:
        """Record how far the current source has been read; `final` at its end."""
        done = self._finished + stored
        if self._progress and (final or done - self._reported >= _REPORT_BYTES):
            self._progress(done, self._total)
            self._reported = done
        if final:
            self._finished = done


def encode_blocks(
    sources: Sequence[Source],
    vocabulary: Vocabulary,
    *,
    encoding: str,
    separator: str,
    unknown: UnknownPolicy,
    meter: Meter,
    items: ItemKind = "none",
) -> Iterator[np.ndarray]:
    """Yield the tokens of all sources, in the vocabulary's smallest type; a separator goes between two sources.

    Raises:
        UserError: a source cannot be read or decoded, or has an unknown character.
    """
    between = vocabulary.encode(separator).astype(vocabulary.dtype)
    tail = between[:0]
    for source in sources:
        if len(tail) and not np.array_equal(tail, between):
            yield between
        for tokens in _tokens_of(source, vocabulary, encoding, separator, unknown, meter, items):
            tail = np.concatenate([tail, tokens[-len(between) :]])[-len(between) :] if len(between) else tail
            yield tokens


def _tokens_of(
    source: Source, vocabulary: Vocabulary, encoding: str, separator: str, unknown: UnknownPolicy, meter: Meter, items: ItemKind
) -> Iterator[np.ndarray]:
    if vocabulary.kind == "bytes":
        for block in _byte_blocks(source, meter, items):
            yield np.frombuffer(block, np.uint8)
        return
    for text, offset in normalized_blocks(_text_blocks(source, encoding, separator, meter, items), vocabulary.normalize):
        meter.unknown += vocabulary.count_unknown(text) if unknown != "error" else 0
        tokens = vocabulary.encode(text, unknown=unknown, name=repr(source.name), offset=offset, encoding=encoding)
        yield tokens.astype(vocabulary.dtype)


def normal_texts(
    sources: Sequence[Source], *, encoding: str, separator: str, meter: Meter, normalize: NormalForm
) -> Iterator[str]:
    """Yield the text of all sources in a normal form; a separator goes between two sources.

    Raises:
        UserError: a source cannot be read or decoded.
    """
    between, tail = normalized(separator, normalize), ""
    for source in sources:
        if tail and between and not tail.endswith(between):
            yield between
        for text, _ in normalized_blocks(_decoded_blocks(source, encoding, separator, meter), normalize):
            tail = (tail + text)[-max(1, len(between)) :]
            yield text


def in_parts(texts: Iterable[str], stops: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the pieces of a text, cut where its parts stop, each with the number of its part.

    Args:
        texts: the text in pieces.
        stops: the characters after which each part but the last stops.

    Example:
        >>> list(in_parts(["abc", "def"], [2, 5]))
        [(0, 'ab'), (1, 'c'), (1, 'de'), (2, 'f')]
    """
    part, read = 0, 0
    for text in texts:
        while part < len(stops) and read + len(text) >= stops[part]:
            head, text = text[: stops[part] - read], text[stops[part] - read :]
            if head:
                yield part, head
            part, read = part + 1, read + len(head)
        if text:
            yield part, text
        read += len(text)


def collect_vocabulary(
    sources: Sequence[Source],
    *,
    encoding: str,
    separator: str,
    meter: Meter,
    normalize: NormalForm = "none",
    items: ItemKind = "none",
) -> Vocabulary:
    """Return the sorted code points of all sources, in one pass; includes the separator's if it will be inserted.

    Raises:
        UserError: a source cannot be read or decoded, or all are empty.
    """
    seen, known = np.zeros(0x110000, bool), b""
    for source in sources:
        for text, _ in normalized_blocks(_text_blocks(source, encoding, separator, meter, items), normalize):
            if text.isascii():
                new = text.encode().translate(None, known)  # far faster than looking up each character
                seen[list(set(new))] = True
                known = np.flatnonzero(seen[:128]).astype(np.uint8).tobytes()
            else:
                seen[np.frombuffer(text.encode("utf-32-le"), "<u4")] = True
    if len(sources) > 1:
        seen[[ord(character) for character in normalized(separator, normalize)]] = True
    characters = "".join(map(chr, np.flatnonzero(seen)))
    if not characters:
        raise UserError(f"{', '.join(repr(source.name) for source in sources[:3])} holds no text; give one that does")
    return Vocabulary("chars", characters, normalize)


def _byte_blocks(source: Source, meter: Meter, items: ItemKind) -> Iterator[bytes]:
    if items == "none":
        return _metered(source, meter)
    return (text.encode("latin-1") for text in item_blocks((block.decode("latin-1") for block in _metered(source, meter)), items))


def _text_blocks(
    source: Source, encoding: str, separator: str, meter: Meter, items: ItemKind
) -> Iterator[tuple[str, int | None]]:
    blocks = _decoded_blocks(source, encoding, separator, meter)
    if items == "none":
        return blocks
    return ((text, None) for text in item_blocks((text for text, _ in blocks), items))  # what is left out moves the offsets


def _decoded_blocks(source: Source, encoding: str, separator: str, meter: Meter) -> Iterator[tuple[str, int]]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    read = 0
    for block in _metered(source, meter, last=b""):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _not_decodable(source, encoding, read - pending + error.start, block if read == 0 else b"") from None
        if read == 0:
            text, mark = (text[1:], len("\ufeff".encode(encoding))) if text.startswith("\ufeff") else (text, 0)
            _refuse_binary(source, text[:_BINARY_HEAD], separator)
            if text:
                yield text, mark
        elif text:
            yield text, read - pending
        read += len(block)


def _metered(source: Source, meter: Meter, last: bytes | None = None) -> Iterator[bytes]:
    stored = 0
    for block, stored in source.blocks():
        meter.at(stored)
        yield block
    meter.at(stored, final=True)
    if last is not None:
        yield last


def _not_decodable(source: Source, encoding: str, offset: int, head: bytes) -> UserError:
    advice = "pass --data.encoding NAME (such as latin-1) if you know its encoding, or train with --data.vocabulary bytes"
    for mark, hint in _SIGNS:
        if head.startswith(mark):
            advice = f"{hint}, or train with --data.vocabulary bytes"
    return UserError(f"{source.name!r} is not {encoding.upper()} (at byte {offset:,}); {advice}")


def _refuse_binary(source: Source, head: str, separator: str) -> None:
    if "\0" in head and "\0" not in separator:
        at = len(head[: head.index("\0")].encode())
        raise UserError(
            f"{source.name!r} looks like a binary file (a zero byte at byte {at:,}); "
            "give a text, train with --data.vocabulary bytes to read it as it is, or pass --data.encoding utf-16 if it is that"
        )
