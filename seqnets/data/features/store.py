"""Features of millions of images on disk: memory-mapped, found by an image's path or content.

store.json                what made the features, their shapes and dtype
index.jsonl               a line for each batch: each image's path, size, time, SHA-256 and, if unreadable, the reason
<layer>-<number>.bin      the features themselves: rows of one size, little-endian, in the order of first appearance
"""

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from seqnets.data.features.index import (
    Layer,
    content_digest,
    number_type,
    read_header,
    read_index,
    rows_of_content,
    shard_path,
    unchanged,
)  # fmt: skip
from seqnets.errors import UserError

Key = str | os.PathLike[str]


class FeatureStore:
    """Read the features that `seqnets features` or `extract_features` stored, even while more are added.

    An image is named by its path, or by its content: a copy of a file has the features of the original.

    Args:
        path: the store's folder.

    Raises:
        UserError: it is not a feature store, or is damaged.

    Example:
        >>> FeatureStore("no/such/store")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: 'no/such/store' is not a feature store; make one with `seqnets features IMAGES... --out STORE`
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.directory = Path(path)
        header = read_header(self.directory)
        if header is None:
            advice = "make one with `seqnets features IMAGES... --out STORE`"
            raise UserError(f"'{self.directory}' is not a feature store; {advice}")
        self.header = header
        batches, _ = read_index(self.directory)
        self.records = {record.path: record for batch in batches for record in batch}
        self._row_of = rows_of_content(batches)
        self._maps: dict[tuple[str, int], np.ndarray] = {}

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "FeatureStore":
        """Return the store of a folder."""
        return cls(path)

    def __len__(self) -> int:
        """Count the distinct images."""
        return len(self._row_of)

    def __contains__(self, image: Key) -> bool:
        return self._find(image) is not None

    @property
    def layers(self) -> dict[str, Layer]:
        """The shape of the features of each layer, by name."""
        return dict(self.header.layers)

    @property
    def paths(self) -> list[str]:
        """The absolute paths of the images that have features, in the order in which they were added."""
        return [path for path, record in self.records.items() if record.failure is None]

    @property
    def failures(self) -> dict[str, str]:
        """The unreadable images: path to reason."""
        return {path: record.failure for path, record in self.records.items() if record.failure is not None}

    @cached_property
    def digests(self) -> list[str]:
        """The SHA-256 of each row's image, in the order of the rows."""
        return list(self._row_of)

    def get(self, image: Key, layer: str | None = None) -> np.ndarray:
        """Return the features of an image.

        Args:
            image: a path, or the SHA-256 of a file's bytes in hexadecimal.
            layer: name of the layer; None for the first.

        Returns:
            [L, D] or [D] of the store's dtype, memory-mapped: read-only.

        Raises:
            UserError: the image or the layer is not in the store.
        """
        shard, row = divmod(int(self.rows([image])[0]), self.header.rows_per_shard)
        return self._shard(self._layer(layer), shard)[row]

    def rows(self, images: Iterable[Key]) -> np.ndarray:
        """Return the rows of images, for `gather`: look them up once, read them every epoch.

        Args:
            images: as for `get`.

        Returns:
            [B] of int64.

        Raises:
            UserError: an image is not in the store; the message says why, if it could not be read.
        """
        return np.array([self._row(image) for image in images], np.int64)

    def gather(self, images: Sequence[Key] | np.ndarray, layer: str | None = None) -> np.ndarray:
        """Return the features of a batch of images.

        Args:
            images: as for `get`, or an array of rows.
            layer: name of the layer; None for the first.

        Returns:
            [B, L, D] or [B, D] of the store's dtype, a copy.

        Raises:
            UserError: an image, a row or the layer is not in the store.
        """
        rows = images if isinstance(images, np.ndarray) else self.rows(images)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise UserError(f"rows {rows.min()} to {rows.max()} are not all in the store, which has {len(self):,}")
        name = self._layer(layer)
        found = np.empty((len(rows), *self.header.layers[name].shape), number_type(self.header.dtype))
        shards, inside = np.divmod(rows, self.header.rows_per_shard)
        for shard in np.unique(shards):
            here = shards == shard
            found[here] = self._shard(name, int(shard))[inside[here]]
        return found

    def _layer(self, name: str | None) -> str:
        name = name or next(iter(self.header.layers))
        if name not in self.header.layers:
            raise UserError(f"the store has no layer {name!r}; it has {', '.join(self.header.layers)}")
        return name

    def _row(self, image: Key) -> int:
        row = self._find(image)
        if row is not None:
            return row
        record = self.records.get(os.path.abspath(image))
        if record and record.failure:
            raise UserError(f"'{os.fspath(image)}' has no features: {record.failure}")
        raise UserError(f"'{os.fspath(image)}' is not in the store; add it with `seqnets features ... --out {self.directory}`")

    def _find(self, image: Key) -> int | None:
        name = os.fspath(image)
        if name in self._row_of:
            return self._row_of[name]
        record = self.records.get(os.path.abspath(name))
        if record is not None and unchanged(record):
            return self._row_of.get(record.digest or "")
        return self._row_of.get(_digest_of(name))

    def _shard(self, layer: str, number: int) -> np.ndarray:
        if (layer, number) not in self._maps:
            rows = min(self.header.rows_per_shard, len(self) - number * self.header.rows_per_shard)
            shape, path = (rows, *self.header.layers[layer].shape), shard_path(self.directory, layer, number)
            try:
                self._maps[layer, number] = np.memmap(path, number_type(self.header.dtype), "r", shape=shape)
            except (OSError, ValueError) as error:
                raise UserError(f"'{path}' is damaged or missing ({error}); make the store again") from None
        return self._maps[layer, number]


def _digest_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return content_digest(file)
    except OSError:
        return ""
