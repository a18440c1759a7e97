"""An ONNX graph while it is written: tensors, constants and nodes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqnets.errors import UserError

OPSET, IR_VERSION = 18, 9
Shape = tuple[Any, ...]  # of whole numbers and symbolic sizes


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Args:
        shape: its sizes; 1 where it still has to be broadcast.
        dtype: of its numbers.
        name: in the graph; empty for a constant.
        array: the constant, stored as `order` says.
        order: the axes in the order in which they are stored: (0, 3, 1, 2) for images [B, H, W, C] stored as ONNX has them.
    """

    shape: Shape
    dtype: np.dtype
    name: str = ""
    array: np.ndarray | None = None
    order: tuple[int, ...] = ()

    def place(self, axis: int) -> int:
        """Return where an axis is stored."""
        return self.order.index(axis)


class Graph:
    """Nodes and constants, in the order in which they are computed.

    Args:
        outer: the graph around this one, whose tensors and constants the body of a loop may use.
    """

    def __init__(self, outer: "Graph | None" = None):
        self.outer = outer
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.root: Graph = outer.root if outer else self
        if outer is None:
            self.constants: dict[str, np.ndarray] = {}
            self.made: dict[str, Any] = {}
            self.sizes: dict[str, str] = {}
            self.count = 0

    def fresh(self, word: str) -> str:
        """Return a name that no tensor has."""
        self.root.count += 1
        return f"{word}_{self.root.count}"

    def node(self, operator: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node, and return the names of its outputs."""
        from onnx import helper

        names = [self.fresh(operator.lower()) for _ in range(outputs)]
        made = helper.make_node(operator, list(inputs), names, name=names[0], **attributes)
        self.nodes.append(made)
        self.root.made |= dict.fromkeys(names, made)
        return names

    def constant(self, array: Any) -> Value:
        """Return a constant, which is stored when a node reads it."""
        array = np.asarray(array)
        return Value(array.shape, array.dtype, array=array, order=tuple(range(array.ndim)))

    def input(self, name: str, shape: Shape, dtype: Any, *, sized: bool = True) -> Value:
        """Add an input of the graph; its symbolic sizes become known by name."""
        from onnx import helper

        dims = [size if isinstance(size, int) else str(size) for size in shape]
        self.inputs.append(helper.make_tensor_value_info(name, tensor_type(np.dtype(dtype)), dims))
        for axis, size in enumerate(shape):
            if sized and not isinstance(size, int) and str(size) not in self.sizes:
                whole = self.node("Shape", [name], start=axis, end=axis + 1)[0]
                self.sizes[str(size)] = whole
        return Value(tuple(shape), np.dtype(dtype), name, order=tuple(range(len(shape))))

    def output(self, value: Value, shape: Shape, name: str = "") -> None:
        """Make a tensor an output of the graph."""
        from onnx import helper

        from_ = self.named(self.full(value, shape))
        name = name or self.fresh("output")
        self.nodes.append(helper.make_node("Identity", [from_], [name], name=name))
        dims = [size if isinstance(size, int) else str(size) for size in shape]
        self.outputs.append(helper.make_tensor_value_info(name, tensor_type(value.dtype), dims))

    def named(self, value: Value) -> str:
        """Return the name of a tensor as it is stored, storing a constant."""
        if value.array is None:
            return value.name
        tensor_type(value.array.dtype)
        array = np.ascontiguousarray(value.array)
        for name, other in self.root.constants.items() if array.size <= 8 else ():
            if other.dtype == array.dtype and other.shape == array.shape and np.array_equal(other, array):
                return name
        name = self.fresh("constant")
        self.root.constants[name] = array.reshape(value.array.shape)
        return name

    def ordered(self, value: Value, order: Sequence[int]) -> Value:
        """Store a tensor with its axes in another order."""
        order = tuple(order)
        if value.order == order:
            return value
        perm = [value.place(axis) for axis in order]
        if value.array is not None:
            return replace(value, array=value.array.transpose(perm), order=order)
        return replace(value, name=self.node("Transpose", [value.name], perm=perm)[0], order=order)

    def plain(self, value: Value) -> Value:
        """Store a tensor with its axes in their own order."""
        return self.ordered(value, range(len(value.order)))

    def full(self, value: Value, shape: Shape) -> Value:
        """Store a tensor in its own order, broadcast to a shape."""
        value = self.plain(value)
        if value.shape == tuple(shape):
            return value
        if value.array is not None and all(isinstance(size, int) for size in shape):
            return self.constant(np.broadcast_to(value.array, shape))
        return replace(value, name=self.node("Expand", [self.named(value), self.dims(shape)])[0], array=None, shape=tuple(shape))

    def reshaped(self, value: Value, shape: Shape) -> Value:
        """Give a tensor another shape with as many numbers."""
        value = self.plain(value)
        order = tuple(range(len(shape)))
        if value.array is not None and all(isinstance(size, int) for size in shape):
            return self.constant(value.array.reshape(shape))
        symbolic = sum(not isinstance(size, int) for size in shape)
        target = [size if isinstance(size, int) else -1 for size in shape]
        dims = self.dims(shape) if symbolic > 1 else self.named(self.constant(np.array(target, np.int64)))
        return Value(tuple(shape), value.dtype, self.node("Reshape", [self.named(value), dims])[0], order=order)

    def dims(self, shape: Shape) -> str:
        """Return the name of a shape as a tensor."""
        if all(isinstance(size, int) for size in shape):
            return self.named(self.constant(np.array(shape, np.int64)))
        return self.node("Concat", [self._size(size) for size in shape], axis=0)[0]

    def _size(self, size: Any) -> str:
        if isinstance(size, int):
            return self.named(self.constant(np.array([size], np.int64)))
        if str(size) in self.root.sizes:
            return self.root.sizes[str(size)]
        factors = [self._factor(factor) for factor in str(size).split("*")]
        while len(factors) > 1:
            factors = [*self.root.node("Mul", factors[:2]), *factors[2:]]
        self.root.sizes[str(size)] = factors[0]
        return factors[0]

    def _factor(self, word: str) -> str:
        if word.isdigit():
            return self.named(self.constant(np.array([int(word)], np.int64)))
        if word not in self.root.sizes:
            raise UserError(f"the size {word} of an array depends on its inputs in a way that ONNX files of seqnets do not have")
        return self.root.sizes[word]


def tensor_type(dtype: np.dtype) -> int:
    """Return ONNX's number for a dtype.

    Raises:
        UserError: runtimes do not compute in it.

    Example:
        >>> import pytest; _ = pytest.importorskip("onnx")
        >>> tensor_type(np.dtype(np.float32))
        1
    """
    from onnx import helper

    if dtype.kind not in "fiub" or (dtype.itemsize < 4 and dtype.kind == "f"):
        raise UserError(f"ONNX files are written in float32, and this model computes in {dtype}; export it as stablehlo")
    return helper.np_dtype_to_tensor_dtype(dtype)
