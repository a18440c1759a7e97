"""Features in a store as an array whose rows are read on request."""

from collections.abc import Iterable

import numpy as np

from seqnets.data.features.index import number_type
from seqnets.data.features.store import FeatureStore, Key


class StoredFeatures:
    """The features of N images in a store as an array `(N, L, D)`, read from the disk row by row.

    Args:
        store: the store that has all of them.
        images: paths, or SHA-256 of their content.
        layer: a layer of the store; None for the first.

    Raises:
        UserError: an image is not in the store.
    """

    def __init__(self, store: FeatureStore, images: Iterable[Key], layer: str | None = None) -> None:
        self._store, self._rows, self._layer = store, store.rows(images), layer or next(iter(store.layers))
        self.shape = (len(self._rows), *store.layers[self._layer].shape)
        self.dtype = number_type(store.header.dtype)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self._store.gather(self._rows[rows], self._layer)

    @property
    def identity(self) -> np.ndarray:
        """What identifies these features: what made them, and the SHA-256 of each image."""
        digests = self._store.digests
        return np.array([str(self._store.header.made_by), self._layer, *(digests[row] for row in self._rows)])
