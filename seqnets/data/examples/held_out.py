"""Which examples are held out for validation: chosen by content, not by position."""

import hashlib
from collections.abc import Sequence

import numpy as np

from seqnets import settings
from seqnets.errors import UserError


def held_out(contents: Sequence[str], fraction: float) -> np.ndarray:
    """Choose about a fraction of the examples by the hash of their content.

    Equal examples fall on the same side, so nothing validated was trained on. Reordering the file or appending to it
    moves only examples next to the border.

    Args:
        contents: what identifies each of N examples.
        fraction: in [0, 1).

    Returns:
        Booleans `(N,)`: held out.

    Raises:
        UserError: the fraction is out of range, or there are too few different examples to hold any out.

    Example:
        >>> held_out(["a", "b", "c", "d", "a"], 0.25).tolist()
        [False, False, False, True, False]
    """
    settings.RATE.check("data.validation_fraction", fraction)
    if not fraction:
        return np.zeros(len(contents), bool)
    hashes = np.array([_hash(content) for content in contents], np.uint64)
    different = np.unique(hashes)
    count = max(1, round(len(different) * fraction))
    if count >= len(different):
        raise UserError(
            f"{len(different)} different examples cannot be split into some to train on and {fraction:.4g} to validate; "
            "give more, or set --data.validation-fraction 0"
        )
    return hashes < different[count]


def _hash(content: str) -> int:
    return int.from_bytes(hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()[:8], "big")
