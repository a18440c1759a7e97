"""Reads the files of `torch.save` without torch and without unpickling: the opcodes are interpreted, and no object is made.

A file holds one pickle of nested dicts, lists and tensors, and the bytes of the tensors beside it: in a zip archive since torch
1.6, one after the other before. Only the few functions that torch writes for tensors and dicts are known here; every other one
is refused by name.

References:
    torch/serialization.py and torch/_utils.py of PyTorch; PEP 307 and PEP 574 for the opcodes.
"""

import os
import pickletools
import sys
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import ml_dtypes
import numpy as np

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_KINDS = {
    "Double": np.float64, "Float": np.float32, "Half": np.float16, "BFloat16": ml_dtypes.bfloat16,
    "Long": np.int64, "Int": np.int32, "Short": np.int16, "Char": np.int8, "Byte": np.uint8, "Bool": np.bool_,
}  # fmt: skip
_STORAGES = {f"torch.{name}Storage": np.dtype(kind) for name, kind in _KINDS.items()}
_STORAGES["torch.storage.UntypedStorage"] = np.dtype(np.uint8)
_DTYPES = {f"torch.{np.dtype(kind).name}": np.dtype(kind) for kind in _KINDS.values()}


class Refused(Exception):
    """The file holds more than tensors.

    Attributes:
        name: what was found first, such as `torch.nn.modules.linear.Linear`; "" for something without a name.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.name = name


class _Global(NamedTuple):
    name: str


class _Mark:
    """The opcode MARK on the stack."""


Storages = Callable[[str, np.dtype, int], np.ndarray]
"""Returns a storage as a flat array: its key, its dtype, the number of its elements."""


def read_torch_file(path: Path) -> Any:
    """Return the content of a file of `torch.save`, with NumPy arrays in the place of tensors.

    Args:
        path: the file.

    Raises:
        Refused: it holds other objects than dicts, lists, numbers, texts and dense tensors.
        Exception: it is damaged, or no file of torch.
    """
    with open(path, "rb") as file:
        if zipfile.is_zipfile(file):
            return _read_zip(file)
        file.seek(0)
        return _read_legacy(file)


def _read_zip(file: BinaryIO) -> Any:
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        home = next(name for name in entries if name.endswith("/data.pkl")).removesuffix("data.pkl")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise ValueError("torch does not compress")
        order = archive.read(f"{home}byteorder").decode() if f"{home}byteorder" in entries else "little"

        @cache
        def storage(key: str, dtype: np.dtype, size: int) -> np.ndarray:
            flat = np.frombuffer(archive.read(f"{home}data/{key}"), dtype)
            if len(flat) != size:
                raise ValueError("a storage has another size")
            return flat if order == sys.byteorder else flat.byteswap()

        with archive.open(f"{home}data.pkl") as pickle:
            return _interpreted(pickle, storage)


def _read_legacy(file: BinaryIO) -> Any:
    try:
        magic = _interpreted(file, _nothing)
    except Refused:
        magic = None
    if magic != _LEGACY_MAGIC:
        raise ValueError("not a file of torch")
    _interpreted(file, _nothing)  # the version of the protocol
    order = "little" if _interpreted(file, _nothing).get("little_endian", True) else "big"
    room, flats = os.fstat(file.fileno()).st_size, dict[str, np.ndarray]()

    def storage(key: str, dtype: np.dtype, size: int) -> np.ndarray:
        if key not in flats:  # its bytes come after the pickle
            if size < 0 or sum(flat.nbytes for flat in flats.values()) + size * dtype.itemsize > room:
                raise ValueError("the file is cut")
            flats[key] = np.empty(size, dtype)
        return flats[key]

    content = _interpreted(file, storage)
    for key in _interpreted(file, _nothing):
        count, flat = int.from_bytes(file.read(8), order), flats[key]
        read = np.frombuffer(file.read(count * flat.itemsize), flat.dtype)
        flat[:] = read if order == sys.byteorder else read.byteswap()
    return content


def _nothing(key: str, dtype: np.dtype, size: int) -> np.ndarray:
    raise ValueError("a tensor in the wrong place")


def _storage(said: Any, storages: Storages) -> np.ndarray:
    """Return the storage of a persistent name: (storage, kind, key, device, elements[, (key, offset, elements) of a view])."""
    word, kind, key, _, size, *view = said
    if word != "storage" or not isinstance(kind, _Global):
        raise ValueError("unknown persistent name")
    if kind.name not in _STORAGES:
        raise Refused(kind.name)
    flat = storages(key, _STORAGES[kind.name], size)
    if view and view[0] is not None:
        _, start, length = view[0]
        return flat[start : start + length]
    return flat


def _tensor(flat: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *others: Any) -> np.ndarray:
    if 0 in shape:
        return np.zeros(shape, flat.dtype)
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or last >= len(flat):  # it would read other memory
        raise ValueError("a tensor reaches beyond its storage")
    in_bytes = [stride * flat.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, in_bytes, writeable=False)


def _tensor_of_bytes(flat: np.ndarray, offset: int, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any) -> np.ndarray:
    if dtype.name not in _DTYPES:
        raise Refused(dtype.name)
    return _tensor(flat.view(_DTYPES[dtype.name]), offset, shape, strides)


_MADE_BY: Mapping[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda pairs=(): dict(pairs),
    "collections.Counter": lambda counts=(): dict(counts),
    "torch.device": lambda *parts: ":".join(map(str, parts)),
    "torch.Size": lambda sizes=(): tuple(sizes),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_bytes,
    "torch._utils._rebuild_parameter": lambda tensor, *others: tensor,
}
_KNOWN = {*_MADE_BY, *_STORAGES, *_DTYPES}


def _interpreted(pickle: Any, storages: Storages) -> Any:
    """Return the value of the pickle at the place of a stream; an opcode that torch does not write is refused."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, said, _ in pickletools.genops(pickle):
        name, argument = opcode.name, cast(Any, said)
        if name == "STOP":
            return stack.pop()
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _VALUES:
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_known(argument.replace(" ", ".")))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop(), storages))
        elif name not in ("PROTO", "FRAME"):
            if name not in _STEPS:
                raise Refused
            _STEPS[name](stack)
    raise ValueError("the pickle does not end")


_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "MARK": _Mark,
}  # fmt: skip
_VALUES = (
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
)


def _known(name: str) -> _Global:
    if name not in _KNOWN:
        raise Refused(name)
    return _Global(name)


def _above_mark(stack: list[Any]) -> list[Any]:
    place = next(index for index in reversed(range(len(stack))) if isinstance(stack[index], _Mark))
    above = stack[place + 1 :]
    del stack[place:]
    return above


def _top(stack: list[Any], count: int) -> list[Any]:
    if count > len(stack):
        raise ValueError("the stack is empty")
    taken = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return taken


def _reduce(stack: list[Any]) -> None:
    function, arguments = _top(stack, 2)
    if not isinstance(function, _Global) or function.name not in _MADE_BY:
        raise Refused(getattr(function, "name", ""))
    stack.append(_MADE_BY[function.name](*arguments))


def _global_of_stack(stack: list[Any]) -> None:
    module, name = _top(stack, 2)
    stack.append(_known(f"{module}.{name}"))


def _set_items(stack: list[Any], items: list[Any]) -> None:
    if not isinstance(stack[-1], dict):
        raise TypeError("items of something else than a dict")
    stack[-1].update(zip(items[::2], items[1::2], strict=True))


def _append(stack: list[Any], items: list[Any]) -> None:
    if not isinstance(stack[-1], list):
        raise TypeError("elements of something else than a list")
    stack[-1].extend(items)


_STEPS: Mapping[str, Callable[[list[Any]], Any]] = {
    "TUPLE": lambda stack: stack.append(tuple(_above_mark(stack))),
    "TUPLE1": lambda stack: stack.append(tuple(_top(stack, 1))),
    "TUPLE2": lambda stack: stack.append(tuple(_top(stack, 2))),
    "TUPLE3": lambda stack: stack.append(tuple(_top(stack, 3))),
    "LIST": lambda stack: stack.append(_above_mark(stack)),
    "APPEND": lambda stack: _append(stack, _top(stack, 1)),
    "APPENDS": lambda stack: _append(stack, _above_mark(stack)),
    "SETITEM": lambda stack: _set_items(stack, _top(stack, 2)),
    "SETITEMS": lambda stack: _set_items(stack, _above_mark(stack)),
    "BUILD": lambda stack: _top(stack, 1),  # attributes of a dict, such as the versions that a module writes beside its arrays
    "REDUCE": _reduce,
    "STACK_GLOBAL": _global_of_stack,
}
