"""Encoded texts kept on disk: written once, completely or not at all, then memory-mapped."""

import hashlib
import json
import os
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from seqnets import places
from seqnets.data.text.text_vocabulary import TextVocabulary
from seqnets.data.words.kinds import vocabulary_from_json
from seqnets.decoders import reading
from seqnets.errors import UserError
from seqnets.files import is_leftover, whole_file
from seqnets.places import user_cache

# a file is: the tokens, a JSON trailer, the trailer's length, this mark. A file without the mark was never finished.
_MARK = b"seqnets\x01"
_LENGTH = struct.Struct("<Q")
_ABANDONED_SECONDS = 3600


@dataclass(frozen=True)
class CachedTokens:
    """The content of a cache file: memory-mapped tokens, their vocabulary, their SHA-256, the number of unknown characters."""

    tokens: np.ndarray
    vocabulary: TextVocabulary
    digest: str
    unknown: int = 0
    stops: tuple[int, ...] = ()  # where the parts of the text end, for a vocabulary whose tokens are longer than characters


def cache_folder(setting: str = "") -> Path:
    """Return the folder for encoded texts, made if needed: the setting, $SEQNETS_CACHE, or ~/.cache/seqnets.

    Raises:
        UserError: it cannot be made or written to.
    """
    folder = (Path(os.path.expanduser(setting)) if setting else user_cache()) / "text"
    try:
        if not setting and not os.environ.get("SEQNETS_CACHE"):
            return places.cache_folder("text")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from None
    return folder


def cache_path(folder: Path, identity: Mapping[str, Any]) -> Path:
    """Return the file of a text's identity: one file for the same sources and settings, even after the sources change."""
    lasting = {name: value for name, value in identity.items() if name != "state"}
    return folder / f"{hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:24]}.tokens"


def load(path: Path, identity: Mapping[str, Any]) -> CachedTokens | None:
    """Return the content of a cache file; None if it is missing, incomplete or belongs to another state of the text."""
    try:
        with reading(path), open(path, "rb") as file:
            trailer = _read_trailer(file)
            if trailer is None or trailer["identity"] != json.loads(json.dumps(identity)):
                return None
            tokens = _mapped(path, trailer["dtype"], trailer["count"])
            vocabulary: Any = vocabulary_from_json(trailer["vocabulary"])
            return CachedTokens(tokens, vocabulary, trailer["sha256"], trailer["unknown"], tuple(trailer.get("stops", ())))
    except UserError:
        return None


def _mapped(path: Path, dtype: str, count: int) -> np.ndarray:
    return np.memmap(path, dtype, "r", shape=(count,)) if count else np.empty(0, dtype)  # an empty array cannot be mapped


def _read_trailer(file: BinaryIO) -> dict[str, Any] | None:
    size = file.seek(0, os.SEEK_END)
    end = size - _LENGTH.size - len(_MARK)
    if end < 0:
        return None
    file.seek(end)
    length, mark = _LENGTH.unpack(file.read(_LENGTH.size))[0], file.read()
    if mark != _MARK or length > end:
        return None
    file.seek(end - length)
    trailer = json.loads(file.read(length))
    tokens = trailer["count"] * np.dtype(trailer["dtype"]).itemsize
    return trailer if tokens == end - length else None


def store(
    path: Path,
    identity: Mapping[str, Any],
    vocabulary: TextVocabulary,
    blocks: Iterable[np.ndarray],
    counts: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Write blocks of tokens to a cache file, which appears only when it is complete.

    `counts` is asked after the last block for `unknown` and `stops` of `CachedTokens`.

    Raises:
        UserError: the folder cannot be written to, or is full.
    """
    _remove_abandoned(path)
    try:
        with whole_file(path) as file:
            _write(file, identity, vocabulary, blocks, counts)
    except OSError as error:
        raise _not_writable(path.parent, error) from None


def _write(
    file: BinaryIO,
    identity: Mapping[str, Any],
    vocabulary: TextVocabulary,
    blocks: Iterable[np.ndarray],
    counts: Callable[[], Mapping[str, Any]],
) -> None:
    count, digest = 0, hashlib.sha256()
    for block in filter(len, blocks):
        data = np.ascontiguousarray(block, vocabulary.dtype).data.cast("B")
        file.write(data)
        digest.update(data)
        count += len(block)
    trailer = {"identity": identity, "dtype": vocabulary.dtype.str, "count": count, "sha256": digest.hexdigest()}
    ending = json.dumps({**trailer, "unknown": 0, **counts(), "vocabulary": vocabulary.to_json()}).encode()
    file.write(ending + _LENGTH.pack(len(ending)) + _MARK)


def _remove_abandoned(path: Path) -> None:
    for partial in filter(lambda other: is_leftover(other.name), path.parent.iterdir()):
        with suppress(OSError):  # another process may be writing
            if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                partial.unlink()


def _not_writable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot keep the encoded text in '{folder}': {error.strerror or error}; "
        "set SEQNETS_CACHE, or train with --data.cache-directory FOLDER"
    )
