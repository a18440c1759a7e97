"""The records of a feature store: store.json, index.jsonl, and the names of its data files."""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from seqnets import settings
from seqnets.data.features.dtypes import DTYPES
from seqnets.decoders import read_bytes, read_json, reading
from seqnets.errors import UserError

_LAYER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
FORMAT, FORMAT_VERSION = "seqnets-features", 1
STORE, INDEX = "store.json", "index.jsonl"


@dataclass(frozen=True)
class Layer:
    """The shape of one layer's features for one image.

    Args:
        shape: [L, D] for the locations of a grid, [D] for a vector.
        grid: (H, W) with L = H W, row by row; None for a vector.

    Example:
        >>> Layer((49, 2048), (7, 7)).size
        100352
    """

    shape: tuple[int, ...]
    grid: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    def __post_init__(self) -> None:
        sizes = (*self.shape, *(self.grid or ()))
        fits = self.grid is None or (len(self.grid) == len(self.shape) == 2 and math.prod(self.grid) == self.shape[0])
        if len(self.shape) not in (1, 2) or any(type(size) is not int or size < 1 for size in sizes) or not fits:
            raise UserError(f"features must be [D] or [L, D], on a grid (H, W) with L = H W; not {self.shape} on {self.grid}")


class ImageRecord(NamedTuple):
    """The record of an image file in the index.

    Args:
        path: absolute.
        bytes: size of the file.
        modified: the file's modification time, in nanoseconds.
        digest: SHA-256 of the file's bytes, in hexadecimal; None if it could not be read.
        failure: why the image has no features; None if it has them.
    """

    path: str
    bytes: int
    modified: int
    digest: str | None
    failure: str | None = None


@dataclass(frozen=True)
class Header:
    """The content of store.json.

    Args:
        made_by: model, weights, preprocessing, ...; the store refuses features made by anything else.
        layers: name to the shape of its features; the first is the default.
        dtype: of the features: one of "float32", "bfloat16", "float16".
        rows_per_shard: rows in a data file.

    Raises:
        UserError: a layer's name cannot be part of a file name, or a number is out of range.
    """

    made_by: Mapping[str, Any]
    layers: Mapping[str, Layer]
    dtype: str
    rows_per_shard: int

    def __post_init__(self) -> None:
        if not self.layers:
            raise UserError("a feature store needs at least one layer")
        for name in self.layers:
            if not isinstance(name, str) or not _LAYER_NAME.fullmatch(name):
                raise UserError(f"a layer of a feature store must have a name of letters, digits, '_', '-' and '.', not {name!r}")
        settings.whole("rows_per_shard", self.rows_per_shard, settings.POSITIVE)

    @property
    def row_bytes(self) -> int:
        """The bytes of an image in all layers."""
        return sum(layer.size for layer in self.layers.values()) * number_type(self.dtype).itemsize

    def to_json(self) -> dict[str, Any]:
        """Return the fields from which `from_json` makes an equal header."""
        layers = {name: asdict(layer) for name, layer in self.layers.items()}
        stated = {"made_by": self.made_by, "layers": layers, "dtype": self.dtype, "rows_per_shard": self.rows_per_shard}
        return json.loads(json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION, **stated}))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Header":
        """Return the header that `to_json` described."""
        layers = {
            name: Layer(tuple(layer["shape"]), tuple(layer["grid"]) if layer["grid"] else None)
            for name, layer in value["layers"].items()
        }
        number_type(value["dtype"])
        return cls(value["made_by"], layers, value["dtype"], value["rows_per_shard"])


def number_type(name: str) -> np.dtype:
    """Return the little-endian type of a store's numbers.

    Raises:
        UserError: the name is not in `DTYPES`.

    Example:
        >>> number_type("bfloat16").itemsize
        2
    """
    if name not in DTYPES:
        raise UserError(f"dtype must be one of {', '.join(DTYPES)}, not {name!r}")
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name).newbyteorder("<")


def shard_path(directory: Path, layer: str, number: int) -> Path:
    """Return the file of a layer's rows from `number * rows_per_shard` on.

    Example:
        >>> shard_path(Path("store"), "stage4", 2).name
        'stage4-00002.bin'
    """
    return directory / f"{layer}-{number:05d}.bin"


def shard_numbers(directory: Path, layer: str) -> list[int]:
    """List the numbers of a layer's existing files; `a-b-00000.bin` does not belong to layer `a`.

    Example:
        >>> shard_numbers(Path("no/store"), "stage4")
        []
    """
    name = re.compile(re.escape(layer) + r"-(\d{5,})\.bin")
    found = (name.fullmatch(path.name) for path in directory.glob("*.bin"))
    return sorted(int(match.group(1)) for match in found if match)


def read_header(directory: Path) -> Header | None:
    """Return the header of a store's folder; None where there is no store.

    Raises:
        UserError: it is damaged, or was written by a newer seqnets.
    """
    path = directory / STORE
    if not path.is_file():
        return None
    value = read_json(path)
    with reading(path, advice="make the store again"):
        if value["format"] == FORMAT and value["format_version"] == FORMAT_VERSION:
            return Header.from_json(value)
        kind = f"{value['format']} {value['format_version']}"
    raise UserError(f"'{path}' has the format {kind!r}, but this seqnets reads '{FORMAT} {FORMAT_VERSION}'")


def read_index(directory: Path) -> tuple[list[list[ImageRecord]], int]:
    """Return the complete batches of a store, and the length of the index up to their end.

    Raises:
        UserError: a line other than the last, which may be cut short, is damaged.
    """
    path = directory / INDEX
    content = read_bytes(path) if path.exists() else b""
    length = content.rfind(b"\n") + 1
    with reading(path, advice="make the store again"):
        lines = content[:length].splitlines()
        return [[_record(record) for record in json.loads(line)["images"]] for line in lines], length


def _record(fields: list[Any]) -> ImageRecord:
    found = ImageRecord(*fields)
    texts, numbers = (found.path, found.digest or "", found.failure or ""), (found.bytes, found.modified)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(number, int) for number in numbers):
        raise TypeError(f"{str(fields)[:60]} is not a record of an image")
    return found


def rows_of_content(batches: Iterable[Iterable[ImageRecord]]) -> dict[str, int]:
    """Return the row of each distinct content, in the order of first appearance.

    Example:
        >>> rows_of_content([[ImageRecord("a", 1, 0, "f0"), ImageRecord("b", 1, 0, "f0")], [ImageRecord("c", 1, 0, "e1")]])
        {'f0': 0, 'e1': 1}
    """
    digests = (record.digest for batch in batches for record in batch if record.digest and record.failure is None)
    return {digest: row for row, digest in enumerate(dict.fromkeys(digests))}


def unchanged(record: ImageRecord) -> bool:
    """Return whether a file is unchanged since its features were made; a file that is gone counts as unchanged.

    Example:
        >>> unchanged(ImageRecord("/no/such/file", 10, 0, "f0"))
        True
    """
    try:
        state = os.stat(record.path)
    except OSError:
        return True
    return (state.st_size, state.st_mtime_ns) == (record.bytes, record.modified)


def content_digest(file: BinaryIO) -> str:
    """Return the SHA-256 of an open file's bytes, and rewind the file.

    Example:
        >>> import io
        >>> content_digest(io.BytesIO(b""))[:8]
        'e3b0c442'
    """
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # pyright: ignore[reportArgumentType]
    file.seek(0)
    return digest
