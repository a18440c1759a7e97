"""Short hashes of data, so that a resumed run can check that it has the same data."""

import hashlib
from collections.abc import Mapping

import numpy as np


def digest_of(arrays: Mapping[str, np.ndarray]) -> str:
    """Return 16 hexadecimal digits that depend on every name, shape, type and number.

    Example:
        >>> digest_of({"a": np.arange(3)}) == digest_of({"a": np.arange(3)}), len(digest_of({}))
        (True, 16)
        >>> digest_of({"a": np.arange(3)}) == digest_of({"b": np.arange(3)})
        False
    """
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()[:16]
