"""Keras' weights: `.weights.h5`, `.keras`, and the older `.h5` of keras-applications.

Arrays are called by their layer and their part: `conv1_conv/kernel`, `conv1_bn/moving_mean`. The parts follow from the order in
which Keras stores them, since older files have other names for the same parts (`conv1_W_1:0`).
"""

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqnets.decoders import read_zip_entry, refuse_bomb
from seqnets.errors import UserError

_INSIDE = "model.weights.h5"  # of a .keras file
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_PARTS = ("kernel", "bias")
Layers = dict[str, list[np.ndarray]]


def read_keras(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a Keras file as `layer/part`.

    Args:
        path: the file.

    Raises:
        UserError: h5py is not installed, or the file refers to other files.
    """
    try:
        import h5py
    except ImportError:
        raise UserError(f"'{path}' is a Keras file, and h5py is not installed; `pip install 'seqnets[formats]'`") from None
    packed = zipfile.is_zipfile(path)
    source: Any = io.BytesIO(read_zip_entry(path, _INSIDE)) if packed else path
    with h5py.File(source, "r") as file:
        layers = _layers(file, path)
    if not layers:
        raise UserError(
            f"'{path}' has no layers with weights as Keras saves them; save them with model.save_weights('m.weights.h5')"
        )
    return {f"{layer}/{part}": array for layer, arrays in layers.items() for part, array in _parts(arrays).items()}


def _layers(file: Any, path: Path) -> Layers:
    found: dict[str, Any] = {}
    file.visititems(found.__setitem__)  # which follows no link, so that none can lead to another file or around a circle
    arrays = {name: item for name, item in found.items() if hasattr(item, "shape")}
    size = sum(array.size * array.dtype.itemsize for array in arrays.values())
    refuse_bomb(size, path)
    groups = {name: item for name, item in found.items() if name not in arrays} | {"": file}
    return {
        layer: [_array(arrays, name, path) for name in names]
        for layer, names in (*_of_today(groups, arrays), *_of_old(groups, arrays))
    }


def _of_today(groups: Mapping[str, Any], arrays: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    # layers/conv2d_3/vars/0, with the layer's own name as an attribute of the group
    for name, group in groups.items():
        parts = name.split("/")
        if parts[-1] == "vars" and "layers" in parts:
            inside = sorted((key for key in group if f"{name}/{key}" in arrays), key=_number)
            if inside:
                yield _text(group.attrs.get("name", parts[-2])), [f"{name}/{key}" for key in inside]


def _of_old(groups: Mapping[str, Any], arrays: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    # a group for each layer, whose attribute lists its arrays in order; a model in a model is one layer, so that the layer's
    # name is taken from those of its arrays. The first DenseNets had slashes in the names of layers
    layers: dict[str, list[str]] = {}
    for name, group in groups.items():
        for part in (_text(part) for part in np.ravel(group.attrs.get("weight_names", ()))):
            layer = part.rpartition("/")[0] or name.removeprefix("model_weights/")
            layers.setdefault(layer.replace("/", "_"), []).append(f"{name}/{part}")
    yield from layers.items()


def _array(arrays: Mapping[str, Any], name: str, path: Path) -> np.ndarray:
    if name not in arrays:
        raise UserError(f"'{path}' refers to {name!r}, which is missing or in another file; save all weights in one file")
    array = arrays[name]
    if array.external or array.is_virtual:
        raise UserError(f"'{path}' keeps {name!r} in another file; save all weights in one file")
    return np.asarray(array[()])


def _parts(arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    if arrays[0].ndim > 1:
        names = [*_PARTS[: len(arrays)], *map(str, range(2, len(arrays)))]
    else:  # a norm without a scale lacks gamma, one without either lacks beta too
        names = _NORM[-len(arrays) :] if len(arrays) <= len(_NORM) else list(map(str, range(len(arrays))))
    return dict(zip(names, arrays))


def _number(key: str) -> int:
    return int(key) if key.isdigit() else -1


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
