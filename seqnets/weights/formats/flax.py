"""Flax' msgpack files: variables of Linen models, such as those of Hugging Face, and states of NNX modules."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.weights.tensors import as_array

_COLLECTIONS = ("params", "batch_stats")


def read_flax(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a msgpack file by dotted names, without the name of their collection.

    Args:
        path: the file, as `flax.serialization.to_bytes` writes it.

    Raises:
        UserError: it holds anything but arrays.
    """
    from flax.serialization import msgpack_restore

    content = msgpack_restore(path.read_bytes())
    if not isinstance(content, Mapping):
        raise UserError(
            f"'{path}' holds a {type(content).__name__}, not weights by name; save flax.serialization.to_bytes(variables)"
        )
    collections = [content.get(name) for name in _COLLECTIONS]
    inside = [part for part in collections if isinstance(part, Mapping)]
    return {name: as_array(value, name) for part in inside or [content] for name, value in _flat(part)}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}".removesuffix(".value"), value
