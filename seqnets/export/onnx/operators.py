"""JAX's operations as ONNX's: one entry for each."""

import math
import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.export.onnx.graph import Graph, Shape, Value

Operator = Callable[[Graph, list[Value], Any], list[Value]]
_LAST = np.iinfo(np.int64).max


def elementwise(graph: Graph, values: Sequence[Value], operator: str, dtype: Any = None) -> Value:
    """Apply an operator number by number; the sizes of 1 are broadcast by ONNX itself."""
    rank = max(len(value.shape) for value in values)
    orders = [value.order for value in values if value.array is None and len(value.order) == rank]
    order = next(iter(orders), tuple(range(rank)))
    aligned = [graph.ordered(value, order) if len(value.order) == rank else value for value in values]
    name = graph.node(operator, [graph.named(value) for value in aligned])[0]
    shape = broadcast([value.shape for value in values])
    return Value(shape, np.dtype(values[0].dtype if dtype is None else dtype), name, order=order)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Return the shape of arrays of one rank, or scalars, together.

    Example:
        >>> broadcast([(4, 1), (1, 3), ()])
        (4, 3)
    """
    rank = max(map(len, shapes))
    columns = zip(*(shape for shape in shapes if len(shape) == rank))
    return tuple(next((size for size in sizes if not (isinstance(size, int) and size == 1)), 1) for sizes in columns)


def _apply(operator: str, *, boolean: bool = False) -> Operator:
    return lambda graph, values, eqn: [elementwise(graph, values, operator, bool if boolean else None)]


def _same(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    return values


def _rsqrt(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    return [elementwise(graph, [elementwise(graph, values, "Sqrt")], "Reciprocal")]


def _square(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    return [elementwise(graph, [values[0], values[0]], "Mul")]


def _integer_pow(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    return [elementwise(graph, [values[0], graph.constant(np.array(eqn.params["y"], values[0].dtype))], "Pow")]


def _log1p(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    one = graph.constant(np.ones((), values[0].dtype))
    return [elementwise(graph, [elementwise(graph, [values[0], one], "Add")], "Log")]


def _expm1(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    one = graph.constant(np.ones((), values[0].dtype))
    return [elementwise(graph, [elementwise(graph, values, "Exp"), one], "Sub")]


def _max(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    zeros = [value for value in values if value.array is not None and value.array.shape == () and value.array == 0]
    others = [value for value in values if not any(value is zero for zero in zeros)]
    is_relu = len(others) == 1 and others[0].dtype == np.float32
    return [elementwise(graph, others, "Relu") if is_relu else elementwise(graph, values, "Max")]


def _not_equal(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    return [elementwise(graph, [elementwise(graph, values, "Equal", bool)], "Not")]


def _select(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    which, *cases = values
    if which.dtype != bool or len(cases) != 2:
        raise _without(eqn)
    return [elementwise(graph, [which, cases[1], cases[0]], "Where", cases[0].dtype)]


def _clamp(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    least, x, most = values
    return [elementwise(graph, [elementwise(graph, [x, most], "Min"), least], "Max")]


def _convert(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    return [cast(graph, values[0], eqn.params["new_dtype"])]


def cast(graph: Graph, value: Value, dtype: Any) -> Value:
    """Return a tensor in another dtype."""
    from seqnets.export.onnx.graph import tensor_type

    dtype = np.dtype(dtype)
    if dtype == value.dtype:
        return value
    if value.array is not None:
        return replace(value, array=value.array.astype(dtype), dtype=dtype)
    return replace(value, name=graph.node("Cast", [value.name], to=tensor_type(dtype))[0], dtype=dtype)


def _broadcast_in_dim(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    (value, *_), places = values, eqn.params["broadcast_dimensions"]
    shape = [1] * len(eqn.params["shape"])
    for axis, place in enumerate(places):
        shape[place] = value.shape[axis]
    kept = len(shape) == len(value.shape) and tuple(places) == tuple(range(len(shape)))
    return [value if kept else graph.reshaped(value, tuple(shape))]  # what lacks is broadcast where it is used


def _reshape(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    return [graph.reshaped(graph.full(values[0], eqn.invars[0].aval.shape), eqn.outvars[0].aval.shape)]


def _transpose(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    value, perm = values[0], tuple(eqn.params["permutation"])
    shape = tuple(value.shape[axis] for axis in perm)
    return [replace(value, shape=shape, order=tuple(perm.index(axis) for axis in value.order))]


def _concatenate(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    axis = eqn.params["dimension"]
    order = next((value.order for value in values if value.array is None), tuple(range(len(values[0].shape))))
    avals = [var.aval for var in eqn.invars]
    whole = [v if v.shape == a.shape else graph.full(v, a.shape) for v, a in zip(values, avals)]
    names = [graph.named(graph.ordered(value, order)) for value in whole]
    name = graph.node("Concat", names, axis=order.index(axis))[0]
    return [Value(eqn.outvars[0].aval.shape, values[0].dtype, name, order=order)]


def _slice(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    value, aval = _whole(graph, values[0], eqn.invars[0].aval), eqn.invars[0].aval
    params, axes = eqn.params, []
    for axis, (start, stop) in enumerate(zip(params["start_indices"], params["limit_indices"])):
        step = params["strides"][axis] if params["strides"] else 1
        whole = str(stop) == str(aval.shape[axis])
        if start or step != 1 or not whole:
            axes.append((value.place(axis), start, _LAST if whole else stop, step))
    if not axes:
        return [value]
    if not all(isinstance(number, int) for row in axes for number in row):
        raise _without(eqn)
    places, starts, stops, steps = (graph.named(graph.constant(np.array(each, np.int64))) for each in zip(*axes))
    name = graph.node("Slice", [graph.named(value), starts, stops, places, steps])[0]
    return [replace(value, name=name, array=None, shape=eqn.outvars[0].aval.shape)]


def _pad(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    value, filling = _whole(graph, values[0], eqn.invars[0].aval), values[1]
    config = [eqn.params["padding_config"][axis] for axis in value.order]
    if any(interior or low < 0 or high < 0 for low, high, interior in config):
        raise _without(eqn)
    pads = graph.constant(np.array([low for low, _, _ in config] + [high for _, high, _ in config], np.int64))
    name = graph.node("Pad", [graph.named(value), graph.named(pads), graph.named(filling)])[0]
    return [replace(value, name=name, array=None, shape=eqn.outvars[0].aval.shape)]


def _split(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    value, sizes = _whole(graph, values[0], eqn.invars[0].aval), eqn.params["sizes"]
    lengths = graph.named(graph.constant(np.array(sizes, np.int64)))
    place = value.place(eqn.params["axis"])
    names = graph.node("Split", [graph.named(value), lengths], len(sizes), axis=place)
    return [replace(value, name=name, array=None, shape=var.aval.shape) for name, var in zip(names, eqn.outvars)]


def _reduce(operator: str) -> Operator:
    def reduce(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
        value, axes = _whole(graph, values[0], eqn.invars[0].aval), tuple(eqn.params["axes"])
        places = graph.constant(np.array([value.place(axis) for axis in axes], np.int64))
        name = graph.node(operator, [graph.named(value), graph.named(places)], keepdims=0)[0]
        return [Value(eqn.outvars[0].aval.shape, value.dtype, name, order=_left(value.order, axes))]

    return reduce


def _argmax(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    value, (axis,) = _whole(graph, values[0], eqn.invars[0].aval), eqn.params["axes"]
    name = graph.node("ArgMax", [graph.named(value)], axis=value.place(axis), keepdims=0)[0]
    found = Value(eqn.outvars[0].aval.shape, np.dtype(np.int64), name, order=_left(value.order, (axis,)))
    return [cast(graph, found, eqn.params["index_dtype"])]


def _left(order: Sequence[int], gone: Sequence[int]) -> tuple[int, ...]:
    left = [axis for axis in order if axis not in gone]
    return tuple(sorted(left).index(axis) for axis in left)


def _iota(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    if not isinstance(shape[axis], int):
        raise _without(eqn)
    numbers = np.arange(shape[axis], dtype=eqn.params["dtype"])
    return [graph.constant(numbers.reshape([shape[axis] if place == axis else 1 for place in range(len(shape))]))]


def _dot(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    (left_axes, right_axes), (left_batch, right_batch) = eqn.params["dimension_numbers"]
    avals = [var.aval for var in eqn.invars]
    left, right = (graph.full(value, aval.shape) for value, aval in zip(values, avals))
    dtype, shape = np.dtype(eqn.outvars[0].aval.dtype), eqn.outvars[0].aval.shape
    rows_by_columns = not left_batch and tuple(left_axes) == (len(left.shape) - 1,) and len(right.shape) == 2
    if rows_by_columns:
        right = graph.ordered(right, (0, 1) if tuple(right_axes) == (0,) else (1, 0))
        name = graph.node("MatMul", [graph.named(left), graph.named(right)])[0]
    else:
        equation = _equation(len(left.shape), len(right.shape), left_axes, right_axes, left_batch, right_batch)
        name = graph.node("Einsum", [graph.named(left), graph.named(right)], equation=equation)[0]
    return [cast(graph, Value(shape, left.dtype, name, order=tuple(range(len(shape)))), dtype)]


def _equation(left: int, right: int, left_axes: Any, right_axes: Any, left_batch: Any, right_batch: Any) -> str:
    letters = iter(string.ascii_lowercase)
    one = [next(letters) for _ in range(left)]
    other = [next(letters) for _ in range(right)]
    for a, b in zip((*left_axes, *left_batch), (*right_axes, *right_batch)):
        other[b] = one[a]
    batch = [one[axis] for axis in left_batch]
    free = [one[axis] for axis in range(left) if axis not in (*left_axes, *left_batch)]
    rest = [other[axis] for axis in range(right) if axis not in (*right_axes, *right_batch)]
    return f"{''.join(one)},{''.join(other)}->{''.join([*batch, *free, *rest])}"


def _convolution(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    spread = any(step != 1 for step in params["lhs_dilation"])
    if spread or params["batch_group_count"] != 1 or any(side < 0 for pair in params["padding"] for side in pair):
        raise _without(eqn)
    image = graph.ordered(_whole(graph, values[0], eqn.invars[0].aval), numbers.lhs_spec)
    kernel = graph.ordered(_whole(graph, values[1], eqn.invars[1].aval), numbers.rhs_spec)
    name = graph.node(
        "Conv",
        [graph.named(image), graph.named(kernel)],
        strides=list(params["window_strides"]),
        dilations=list(params["rhs_dilation"]),
        group=params["feature_group_count"],
        pads=_pads(params["padding"]),
        kernel_shape=[kernel.shape[axis] for axis in numbers.rhs_spec[2:]],
    )[0]
    return [Value(eqn.outvars[0].aval.shape, image.dtype, name, order=tuple(numbers.out_spec))]


def _pads(padding: Sequence[tuple[int, int]]) -> list[int]:
    return [low for low, _ in padding] + [high for _, high in padding]


def _pool(operator: str) -> Operator:
    def pool(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
        params, rank = eqn.params, len(eqn.invars[0].aval.shape)
        window, strides = params["window_dimensions"], params["window_strides"]
        moved = [axis for axis in range(rank) if window[axis] > 1 or strides[axis] > 1 or any(params["padding"][axis])]
        others = [axis for axis in reversed(range(rank)) if axis not in moved]
        places = sorted([*moved, *others[: max(0, 2 - len(moved))]])
        if rank != 4 or len(places) != 2 or any(step != 1 for step in (*params["base_dilation"], *params["window_dilation"])):
            raise _without(eqn)
        order = (*(axis for axis in range(rank) if axis not in places), *places)
        value = graph.ordered(_whole(graph, values[0], eqn.invars[0].aval), order)
        counts = {"count_include_pad": 1} if operator == "AveragePool" else {}
        kernel = [window[axis] for axis in places]
        name = graph.node(
            operator,
            [graph.named(value)],
            kernel_shape=kernel,
            strides=[strides[axis] for axis in places],
            pads=_pads([params["padding"][axis] for axis in places]),
            **counts,
        )[0]
        found = Value(eqn.outvars[0].aval.shape, value.dtype, name, order=order)
        if operator == "AveragePool":  # a sum is an average times its number of terms
            return [elementwise(graph, [found, graph.constant(np.array(math.prod(kernel), value.dtype))], "Mul")]
        return [found]

    return pool


def _gather(graph: Graph, values: list[Value], eqn: Any) -> list[Value]:
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    table, indices = eqn.invars[0].aval.shape, eqn.invars[1].aval.shape
    rows = tuple(numbers.start_index_map) == tuple(numbers.collapsed_slice_dims) == (0,) and indices[-1] == 1
    whole = tuple(sizes) == (1, *table[1:]) and not numbers.operand_batching_dims
    behind = tuple(numbers.offset_dims) == tuple(range(len(indices) - 1, len(indices) - 1 + len(table) - 1))
    if not (rows and whole and behind):
        raise _without(eqn)
    source = graph.full(values[0], table)
    places = graph.reshaped(graph.full(values[1], indices), indices[:-1])
    name = graph.node("Gather", [graph.named(source), graph.named(places)], axis=0)[0]
    shape = eqn.outvars[0].aval.shape
    return [Value(shape, source.dtype, name, order=tuple(range(len(shape))))]


def _whole(graph: Graph, value: Value, aval: Any) -> Value:
    return value if value.shape == tuple(aval.shape) else graph.full(value, aval.shape)


def _without(eqn: Any) -> UserError:
    return UserError(f"ONNX files of seqnets have no operator for {eqn.primitive.name!r} as it is used here; export stablehlo")


_NUMBERWISE = {
    "add": "Add",
    "add_any": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "min": "Min",
    "pow": "Pow",
    "exp": "Exp",
    "log": "Log",
    "tanh": "Tanh",
    "logistic": "Sigmoid",
    "neg": "Neg",
    "abs": "Abs",
    "sign": "Sign",
    "sqrt": "Sqrt",
    "floor": "Floor",
    "ceil": "Ceil",
    "erf": "Erf",
    "sin": "Sin",
    "cos": "Cos",
    "and": "And",
    "or": "Or",
    "not": "Not",
}
_COMPARISONS = {"eq": "Equal", "lt": "Less", "gt": "Greater", "le": "LessOrEqual", "ge": "GreaterOrEqual"}
OPERATORS: dict[str, Operator] = {
    **{name: _apply(operator) for name, operator in _NUMBERWISE.items()},
    **{name: _apply(operator, boolean=True) for name, operator in _COMPARISONS.items()},
    **dict.fromkeys(("copy", "copy_p", "stop_gradient", "optimization_barrier", "reduce_precision"), _same),
    "max": _max,
    "ne": _not_equal,
    "rsqrt": _rsqrt,
    "square": _square,
    "integer_pow": _integer_pow,
    "log1p": _log1p,
    "expm1": _expm1,
    "select_n": _select,
    "clamp": _clamp,
    "convert_element_type": _convert,
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "squeeze": _reshape,
    "expand_dims": _reshape,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "slice": _slice,
    "pad": _pad,
    "split": _split,
    "reduce_sum": _reduce("ReduceSum"),
    "reduce_max": _reduce("ReduceMax"),
    "reduce_min": _reduce("ReduceMin"),
    "reduce_prod": _reduce("ReduceProd"),
    "argmax": _argmax,
    "iota": _iota,
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "reduce_window_max": _pool("MaxPool"),
    "reduce_window_sum": _pool("AveragePool"),
    "gather": _gather,
}
