"""Reads weight files as arrays by name, without ever running code from the file."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqnets import manifest
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.decoders import read_arrays, read_json, reading
from seqnets.errors import UserError
from seqnets.files import checksum, replace_file
from seqnets.weights.formats.caffe import read_caffe
from seqnets.weights.formats.flax import read_flax
from seqnets.weights.formats.keras import read_keras
from seqnets.weights.formats.onnx import GraphLayer, read_onnx
from seqnets.weights.torch_file import Refused, read_torch_file

Arrays = dict[str, np.ndarray]
INDEX = ".safetensors.index.json"
TORCH_SUFFIXES = (".pth", ".pt", ".th", ".bin", ".ckpt", ".tar")
# keys under which training scripts keep the weights; the first one present is used
_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params")
METADATA, RUN_CHECKSUMS = "seqnets", "seqnets_checksums"


@dataclass(frozen=True)
class WeightFile:
    """The content of a weight file.

    Args:
        path: the file.
        arrays: by name, as stored.
        facts: metadata written by seqnets; empty for files of other programs.
        layers: the layers of a graph in their order, each with the names of its arrays; empty for files without a graph.
    """

    path: Path
    arrays: Arrays
    facts: Mapping[str, Any] = field(default_factory=dict)
    layers: Sequence[GraphLayer] = ()


def read_weight_file(path: str | os.PathLike[str]) -> WeightFile:
    """Read a file of weights, or the only one in a folder.

    The kinds are `.safetensors` (or the index of several), `.npz`, torch's `.pth`, `.pt` and `.tar`, Keras' `.weights.h5`,
    `.keras` and `.h5`, Caffe's `.caffemodel`, ONNX and Flax' `.msgpack`.

    The batch counters of torch's batch norms are left out.

    Args:
        path: the file or folder.

    Raises:
        UserError: there is no such file, it is damaged, or it holds anything but arrays.

    Example:
        >>> read_weight_file("no/such.npz")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: there are no weights at 'no/such.npz'
    """
    file = _weight_file(Path(path))
    for suffixes, read in _READERS.items():
        if file.name.endswith(suffixes):
            arrays, *rest = _guarded(read, file)
            # torch counts batches in its batch norms
            counted = {name: array for name, array in arrays.items() if name.rsplit(".")[-1] != "num_batches_tracked"}
            return WeightFile(file, counted, *rest)
    known = ", ".join(suffix for suffixes in _READERS for suffix in suffixes)
    raise UserError(f"'{file}' is not a kind of weight file that seqnets reads: {known}")


def write_weight_file(path: Path, arrays: Arrays, preprocessing: Preprocessing | None, *, torch: bool) -> None:
    """Write arrays as safetensors, with checksums and preprocessing.

    Args:
        path: the file.
        arrays: by name.
        preprocessing: the preprocessing that the weights expect; None if unknown.
        torch: whether the names are those of a torch module; torch's libraries require this mark.

    Raises:
        UserError: the path does not end in `.safetensors`.

    Example:
        >>> write_weight_file(Path("weights.npz"), {}, None, torch=False)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: weights are saved as .safetensors, not as 'weights.npz'
    """
    from safetensors.numpy import save

    if path.suffix != ".safetensors":
        raise UserError(f"weights are saved as .safetensors, not as '{path}'")
    facts: dict[str, Any] = {"checksums": {name: checksum(array) for name, array in arrays.items()}}
    if preprocessing is not None:
        facts["preprocessing"] = preprocessing.to_json()
    replace_file(path, save(arrays, {METADATA: manifest.sealed_json(facts)} | ({"format": "pt"} if torch else {})))


def _weight_file(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"there are no weights at '{path}'")
    if not path.is_dir():
        return path
    for suffixes in _READERS:
        found = sorted(file for file in path.iterdir() if file.name.endswith(suffixes))
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"'{path}' holds {', '.join(f.name for f in found)}; give the path of one of them")
    raise UserError(f"'{path}' holds no weight file ({', '.join(s for suffixes in _READERS for s in suffixes)})")


def _guarded(read: Callable[[Path], tuple[Any, ...]], file: Path) -> tuple[Any, ...]:
    with reading(file):
        return read(file)


def _read_safetensors(path: Path) -> tuple[Arrays, Any]:
    from safetensors import deserialize, safe_open

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
    facts = _facts(path, metadata)
    checksums = facts.get("checksums", json.loads(metadata.get(RUN_CHECKSUMS, "null")))
    # not `safetensors.numpy.load`, which does not support bfloat16
    arrays = {name: _array(part) for name, part in deserialize(path.read_bytes())}
    if checksums not in (None, {name: checksum(array) for name, array in arrays.items()}):
        raise UserError(f"'{path}' is damaged: an array does not match its checksum")
    return arrays, facts


def _facts(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    text = metadata.get(METADATA)
    if text is None and any('"checksums": {' in other for other in metadata.values()):
        raise UserError(f"'{path}' is damaged: its metadata has another name")
    facts = json.loads(text or "{}")
    of_old = facts.keys() <= {"checksums", "preprocessing"}  # older files have checksums of arrays only
    if not of_old and not manifest.is_whole(text or ""):
        raise UserError(f"'{path}' is damaged: its metadata does not match its checksum")
    return facts


def _array(part: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(part["data"], _dtype(part["dtype"])).reshape(part["shape"])


def _dtype(name: str) -> np.dtype:
    import ml_dtypes

    eight_bits = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}
    if name in eight_bits:
        return np.dtype(getattr(ml_dtypes, eight_bits[name]))
    kinds = {"BF": "bfloat", "F": "float", "I": "int", "U": "uint", "BOOL": "bool"}
    kind = name.rstrip("0123456789")
    word = kinds[kind] + name.removeprefix(kind)
    return np.dtype(getattr(ml_dtypes, word, word))


def _read_sharded(path: Path) -> tuple[Arrays, Any]:
    shards = sorted(set(read_json(path)["weight_map"].values()))
    arrays: Arrays = {}
    for shard in shards:
        if Path(shard).name != shard:
            raise UserError(f"'{path}' names {shard!r}, which is not a file beside it")
        arrays |= _guarded(_read_safetensors, path.with_name(shard))[0]
    return arrays, {}


def _read_npz(path: Path) -> tuple[Arrays, Any]:
    return read_arrays(path), {}


def _read_torch(path: Path) -> tuple[Arrays, Any]:
    try:
        content = read_torch_file(path)
    except Refused as refused:
        raise UserError(_refusal(path, refused.name)) from None
    except OSError:
        raise
    except Exception:  # a damaged file fails in any way
        raise UserError(f"'{path}' is damaged, or not a torch file; copy it again from its source") from None
    tensors = _weights_of(content)
    if not isinstance(tensors, Mapping):
        raise UserError(f"'{path}' holds a {type(tensors).__name__}, not weights by name; save the module's state_dict()")
    return {str(name): _checked(path, name, tensor) for name, tensor in tensors.items()}, {}


def _read_graph(path: Path) -> tuple[Arrays, Any, Sequence[GraphLayer]]:
    arrays, layers = read_onnx(path)
    return arrays, {}, layers


def _refusal(path: Path, first: str) -> str:
    what = f" (the first is {first})" if first else ""
    return (
        f"'{path}' holds more than weights: a whole pickled module, or other Python objects{what}, which could run any code when "
        "read; where it was made, save the weights alone: torch.save(module.state_dict(), 'weights.pth')"
    )


def _weights_of(content: Any) -> Any:
    inside = True
    while inside and isinstance(content, Mapping):
        inside = next((content[key] for key in _KEYS if isinstance(content.get(key), Mapping)), None)
        content = inside or content
    return content


def _checked(path: Path, name: Any, tensor: Any) -> np.ndarray:
    if not isinstance(tensor, np.ndarray):
        raise UserError(f"'{path}' holds a {type(tensor).__name__} under {name!r}; save the module's state_dict() alone")
    return tensor


# the index of a sharded file comes first: a folder that has one holds its shards as well
_READERS: dict[tuple[str, ...], Callable[[Path], tuple[Any, ...]]] = {
    (INDEX,): _read_sharded,
    (".safetensors",): _read_safetensors,
    TORCH_SUFFIXES: _read_torch,
    (".npz",): _read_npz,
    (".h5", ".hdf5", ".keras"): lambda path: (read_keras(path),),
    (".caffemodel",): lambda path: (read_caffe(path),),
    (".msgpack",): lambda path: (read_flax(path),),
    (".onnx",): _read_graph,
}
