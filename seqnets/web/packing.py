"""Arrays in a page: base64 of float32, float16, or int8 with a scale for each column."""

import base64
from typing import Any, Literal, get_args

import numpy as np

from seqnets import settings

Precision = Literal["float32", "float16", "int8"]


def packed(array: Any, precision: Precision = "float32") -> dict[str, Any]:
    """Return an array as JSON that `unpacked` of `page/arrays.js` reads.

    Args:
        array: any shape; the page gets its numbers row by row.
        precision: "int8" keeps a vector at float32, and scales each column of a matrix on its own.

    Raises:
        UserError: the precision is unknown.

    Example:
        >>> packed(np.ones((2, 2)), "float16")
        {'type': 'float16', 'data': 'ADwAPAA8ADw='}
    """
    settings.choice("precision", precision, dict.fromkeys(get_args(Precision)))
    values = np.asarray(array, np.float32)
    if precision == "int8" and values.ndim > 1:
        rows = values.reshape(-1, values.shape[-1])
        scale = np.maximum(np.abs(rows).max(0), 1e-12) / 127
        return {"type": "int8", "data": _base64(np.round(rows / scale).astype(np.int8)), "scale": packed(scale)}
    kind = "float32" if precision == "int8" else precision
    return {"type": kind, "data": _base64(values.astype(np.dtype(kind).newbyteorder("<")))}


def rounded(array: Any, precision: Precision) -> np.ndarray:
    """Return an array with the values that the page computes with.

    Example:
        >>> rounded(np.array([[0.1, 1.0]]), "int8").tolist()
        [[0.10000000149011612, 1.0]]
    """
    values = np.asarray(array, np.float32)
    if precision == "int8" and values.ndim > 1:
        scale = (np.maximum(np.abs(values.reshape(-1, values.shape[-1])).max(0), 1e-12) / 127).astype(np.float32)
        return np.round(values / scale).astype(np.float32) * scale
    return values.astype(np.float16).astype(np.float32) if precision == "float16" else values


def shares(array: Any) -> dict[str, Any]:
    """Return numbers from 0 to 1 in one byte each."""
    return {"type": "uint8", "data": _base64(np.round(255 * np.clip(np.asarray(array), 0, 1)).astype(np.uint8))}


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
