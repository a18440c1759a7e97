"""Caffe's `.caffemodel`: the few fields of its protobuf messages that hold weights, in the present and the first format.

There is no kept package with Caffe's messages, and protobuf's own reader would turn every number of a packed list into a Python
object. A message is a sequence of (number, kind, value); numbers are those of `caffe.proto`. Only known fields are entered, so
that the depth is bounded by these tables.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqnets.errors import UserError

_LAYERS = {100: (1, 2, 7), 2: (4, 5, 6)}  # field of a network -> fields of its layers: name, type, blobs; the second is V1
_V1_TYPES = {4: "Convolution", 14: "InnerProduct", 39: "Deconvolution"}
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_MOST_AXES = 8


class Layer(NamedTuple):
    """A layer of a network: its name, its type and its arrays in order."""

    name: str
    type: str
    blobs: Sequence[np.ndarray]


def read_caffe(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a network as `layer/weight`, `layer/bias`, and those of a batch norm as torch calls them.

    A batch norm gets the gain and bias of the scale layer that follows it, and its sums are divided by their count.

    Args:
        path: the `.caffemodel`.

    Raises:
        UserError: it holds no layers, or is damaged.
    """
    layers = list(_layers(memoryview(path.read_bytes())))
    with_weights = [layer for layer in layers if layer.blobs]
    if not with_weights:
        raise UserError(f"'{path}' holds no layers with weights; give the .caffemodel, not the solver's state or a .prototxt")
    arrays: dict[str, np.ndarray] = {}
    norm = ""
    for layer in with_weights:
        own = layer.name
        if layer.type == "BatchNorm" and len(layer.blobs) == 3:
            mean, var, count = layer.blobs
            factor = float(np.ravel(count)[0]) or 1.0
            parts, norm = {"running_mean": mean / factor, "running_var": var / factor}, own
        else:
            parts = dict(zip(("weight", "bias"), layer.blobs))
            own, norm = (norm, "") if layer.type == "Scale" and norm else (own, "")
        arrays |= {f"{own}/{part}": array for part, array in parts.items()}
    return arrays


def _layers(network: memoryview) -> Iterator[Layer]:
    for number, kind, value in _fields(network):
        if number in _LAYERS and kind == _BYTES:
            yield _layer(value, *_LAYERS[number])


def _layer(message: memoryview, name: int, type_: int, blobs: int) -> Layer:
    called, of_type, arrays = "", "", []
    for number, kind, value in _fields(message):
        if number == name and kind == _BYTES:
            called = bytes(value).decode()
        elif number == type_:
            of_type = _V1_TYPES.get(value, "") if kind == _VARINT else bytes(value).decode()
        elif number == blobs and kind == _BYTES:
            arrays.append(_blob(value))
    return Layer(called, of_type, [_squeezed(array, of_type) for array in arrays])


def _blob(message: memoryview) -> np.ndarray:
    legacy, shape, data = [1, 1, 1, 1], None, []
    for number, kind, value in _fields(message):
        match number, kind:
            case ((1 | 2 | 3 | 4), 0):
                legacy[number - 1] = value
            case 7, 2:
                shape = [axis for n, k, v in _fields(value) if n == 1 for axis in (_varints(v) if k == _BYTES else [v])]
            case 5, 2:
                data.append(np.frombuffer(value, "<f4"))
            case 8, 2:
                data.append(np.frombuffer(value, "<f8").astype(np.float32))
            case (5, 5) | (8, 1):
                data.append(np.frombuffer(value, "<f4" if kind == _FLOAT else "<f8").astype(np.float32))
    whole = np.concatenate(data) if data else np.zeros(0, np.float32)
    axes = legacy if shape is None else shape
    if len(axes) > _MOST_AXES or np.prod([float(axis) for axis in axes]) != whole.size:
        raise ValueError(f"a blob of shape {tuple(axes[:_MOST_AXES])} holds {whole.size:,} numbers")
    return whole.reshape(axes)


def _squeezed(array: np.ndarray, of_type: str) -> np.ndarray:
    # the first format gives every array four axes: (1, 1, out, in) and (1, 1, 1, out)
    if array.ndim == 4 and array.shape[:3] == (1, 1, 1):
        return array[0, 0, 0]
    return array[0, 0] if array.ndim == 4 and array.shape[:2] == (1, 1) and of_type == "InnerProduct" else array


def _fields(message: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Yield the fields of a protobuf message: number, kind, and the value, whose bytes are not copied."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
        else:
            size = {_DOUBLE: 8, _FLOAT: 4}.get(kind)
            if kind == _BYTES:
                size, at = _varint(message, at)
            if size is None or at + size > len(message):
                raise ValueError("it ends too soon, or is not a Caffe model")
            value, at = message[at : at + size], at + size
        yield number, kind, value


def _varints(packed: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        values.append(value)
    return values


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte, at = message[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("it ends too soon, or is not a Caffe model")
