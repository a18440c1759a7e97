"""Add features to a store so that a kill never damages it: first the rows, then the index line that counts them."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from seqnets.data.features.index import (
    INDEX,
    STORE,
    Header,
    ImageRecord,
    number_type,
    read_header,
    read_index,
    rows_of_content,
    shard_numbers,
    shard_path,
    unchanged,
)  # fmt: skip
from seqnets.errors import UserError
from seqnets.locks import only_process

SHARD_BYTES = 1 << 30
_LOCK, _PARTIAL = ".lock", ".store.json.partial"


class FeatureWriter:
    """Open a store for adding, or make it; a context manager.

    What a killed writer left after its last complete batch is cut off, so the same images give the same bytes however
    often the work is interrupted.

    Args:
        path: the store's folder; made if needed.
        header: what makes the features. A store of other features is refused; an existing store keeps its `rows_per_shard`.
        wait: wait for another process that is adding to the store, instead of raising an error.

    Raises:
        UserError: the folder holds other things, or features that something else made (the message names what differs), or
            another process is adding to it.

    Example:
        >>> import tempfile
        >>> from seqnets.data.features.index import Layer
        >>> from seqnets.data.features.store import FeatureStore
        >>> header = Header({"model": "tiny"}, {"pool": Layer((2,))}, "float32", rows_per_shard=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with FeatureWriter(f"{folder}/store", header) as writer:
        ...         writer.add([ImageRecord("/a.png", 7, 0, "f0")], {"pool": np.ones((1, 2))})
        ...     FeatureStore(f"{folder}/store").get("f0").tolist()
        [1.0, 1.0]
    """

    def __init__(self, path: str | os.PathLike[str], header: Header, *, wait: bool = False):
        self.directory = Path(path)
        _make_folder(self.directory)
        busy = f"another process is adding to '{self.directory}'; wait for it, or give another folder"
        self._undo = ExitStack()
        self._undo.enter_context(only_process(self.directory / _LOCK, busy, wait=wait))
        try:
            self.header = self._prepare(header)
            batches, length = read_index(self.directory)
            self.records = {record.path: record for batch in batches for record in batch}
            self._row_of = rows_of_content(batches)
            self._index_length = length
            self._cut_off()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "FeatureWriter":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __len__(self) -> int:
        """Count the distinct images."""
        return len(self._row_of)

    def close(self) -> None:
        """Release the store to other processes."""
        self._undo.close()

    def has(self, digest: str) -> bool:
        """Return whether an image with this content has features."""
        return digest in self._row_of

    def settled(self, path: str) -> bool:
        """Return whether an absolute path was processed, with or without success, and has not changed since."""
        record = self.records.get(path)
        return record is not None and unchanged(record)

    def add(self, records: Sequence[ImageRecord], features: Mapping[str, np.ndarray]) -> None:
        """Add a batch; it is on the disk when this returns.

        Args:
            records: the images in order, including those without features and those with known content.
            features: layer to [N, ...], a row for each new content, in the order of first appearance.

        Raises:
            UserError: the features do not have the store's shapes.
        """
        fresh = [digest for digest in rows_of_content([records]) if not self.has(digest)]
        for name, layer in self.header.layers.items():
            wanted = (len(fresh), *layer.shape)
            if features[name].shape != wanted:
                raise UserError(f"features of {name} have shape {features[name].shape}, not {wanted}")
            self._write_rows(name, features[name].astype(number_type(self.header.dtype)))
        line = json.dumps({"images": records}, separators=(",", ":")).encode() + b"\n"
        _write_end(self.directory / INDEX, line, at=self._index_length)
        self._index_length += len(line)
        self.records.update((record.path, record) for record in records)
        self._row_of.update((digest, len(self) + number) for number, digest in enumerate(fresh))

    def _write_rows(self, layer: str, rows: np.ndarray) -> None:
        begin = len(self)
        while len(rows):
            shard, inside = divmod(begin, self.header.rows_per_shard)
            here = rows[: self.header.rows_per_shard - inside]
            _write_end(shard_path(self.directory, layer, shard), here.tobytes(), at=inside * here[0].nbytes)
            begin, rows = begin + len(here), rows[len(here) :]

    def _prepare(self, header: Header) -> Header:
        found = read_header(self.directory)
        if found is None:
            _replace(self.directory / _PARTIAL, self.directory / STORE, json.dumps(header.to_json(), indent=2) + "\n")
            return header
        _refuse_differences(self.directory, found, header)
        return found

    def _cut_off(self) -> None:
        _shorten(self.directory / INDEX, self._index_length)
        last, inside = divmod(len(self), self.header.rows_per_shard)
        for name, layer in self.header.layers.items():
            row = layer.size * number_type(self.header.dtype).itemsize
            for number in range(last):
                _check_length(shard_path(self.directory, name, number), self.header.rows_per_shard * row)
            _check_length(shard_path(self.directory, name, last), inside * row)
            _shorten(shard_path(self.directory, name, last), inside * row)
            for number in shard_numbers(self.directory, name):
                if number > last:
                    shard_path(self.directory, name, number).unlink()


def rows_per_shard(row_bytes: int) -> int:
    """Return the rows per file that make files of about a gigabyte.

    Example:
        >>> rows_per_shard(49 * 2048 * 4)
        2674
    """
    return max(1, SHARD_BYTES // row_bytes)


def _write_end(path: Path, content: bytes, at: int) -> None:
    try:
        with open(path, "r+b" if path.exists() else "wb", buffering=0) as file:
            file.seek(at)
            file.truncate()
            _write_all(file, content)
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write_all(file: BinaryIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _replace(partial: Path, path: Path, text: str) -> None:
    _write_end(partial, text.encode(), at=0)
    os.replace(partial, path)


def _shorten(path: Path, length: int) -> None:
    if path.exists() and path.stat().st_size > length:
        os.truncate(path, length)
    if path.exists() and not length:
        path.unlink()


def _check_length(path: Path, length: int) -> None:
    size = path.stat().st_size if path.exists() else 0
    if size < length:
        raise UserError(f"'{path}' is damaged: it has {size:,} bytes of {length:,}; make the store again")


def _make_folder(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise UserError(f"'{directory}' is a file; give a new or empty folder, or a feature store")
    directory.mkdir(parents=True, exist_ok=True)
    if read_header(directory) is None:
        _refuse_strangers(directory)  # before the lock file is made, which would stay behind in a foreign folder


def _refuse_strangers(directory: Path) -> None:
    strangers = sorted(path.name for path in directory.iterdir() if path.name not in (_LOCK, _PARTIAL, STORE))
    if strangers:
        raise UserError(f"'{directory}' is not a feature store and holds {strangers[0]!r}; give a new or empty folder")


def _refuse_differences(directory: Path, found: Header, wanted: Header) -> None:
    there, here = (dict(_flat(header.to_json())) for header in (found, wanted))
    names = [name for name in dict.fromkeys([*there, *here]) if there.get(name) != here.get(name) and name != "rows_per_shard"]
    if names:
        parts = [f"{name} ({_short(there.get(name))} there, {_short(here.get(name))} here)" for name in names]
        raise UserError(f"'{directory}' holds features of another kind: {', '.join(parts)}; give another folder")


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}.".removeprefix("made_by."))
        else:
            yield f"{prefix}{name}", inner


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
