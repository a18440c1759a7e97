"""ONNX files: the initializers of the layers, under the names and in the layouts of the torch module that was exported.

Exporters fold batch norms into the convolutions before them and give the results names such as `onnx::Conv_193`. What each array
belongs to is therefore also read from the graph: convolutions, dense layers and batch norms in their order.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqnets.decoders import refuse_bomb
from seqnets.errors import UserError

_INPUTS = {  # operator -> the parts of its layer, by the position among its inputs
    "Conv": {1: "weight", 2: "bias"},
    "Gemm": {1: "weight", 2: "bias"},
    "MatMul": {1: "weight"},
    "BatchNormalization": {1: "weight", 2: "bias", 3: "running_mean", 4: "running_var"},
}


class GraphLayer(NamedTuple):
    """A layer of a graph.

    Args:
        operator: its operator.
        arrays: the names of its arrays by part.
        channels_last: whether it reads images flattened in the order (H, W, C), as graphs not from torch do.
    """

    operator: str
    arrays: dict[str, str]
    channels_last: bool = False


def read_onnx(path: Path) -> tuple[dict[str, np.ndarray], list[GraphLayer]]:
    """Return the arrays of all layers, and the layers in the order of the graph.

    Args:
        path: the file.

    Raises:
        UserError: onnx is not installed, the file is damaged, or keeps its arrays in another file.
    """
    try:
        import onnx
    except ImportError:
        raise UserError(f"'{path}' is an ONNX file, and onnx is not installed; `pip install 'seqnets[formats]'`") from None
    graph = onnx.load_model(str(path), load_external_data=False).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:  # a constant, or equal arrays stored once
        if node.op_type == "Constant":
            stored |= dict(zip(node.output, (attribute.t for attribute in node.attribute if attribute.name == "value")))
        elif node.op_type == "Identity" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]]
    made = {name: node for node in graph.node for name in node.output}
    layers = [_layer(node, stored, made) for node in graph.node if node.op_type in _INPUTS and len(node.input) > 1]
    layers = [layer for layer in layers if "weight" in layer.arrays]
    added = _biases_of_products(graph, stored)
    layers = [_with_bias(layer, added) for layer in layers]
    if not layers:
        raise UserError(f"'{path}' has no convolutions or dense layers with weights of their own")
    transposed = {layer.arrays["weight"] for layer, node in zip(layers, _weighted(graph, stored)) if _is_transposed(node)}
    arrays = {name: _array(stored[name], path) for layer in layers for name in layer.arrays.values()}
    biases = {layer.arrays["bias"] for layer in layers if "bias" in layer.arrays}
    arrays |= {name: arrays[name].reshape(-1) for name in biases}  # an addition may have a row
    return {name: array.T if name in transposed else array for name, array in arrays.items()}, layers


def _weighted(graph: Any, stored: dict[str, Any]) -> Iterator[Any]:
    return (n for n in graph.node if n.op_type in _INPUTS and len(n.input) > 1 and n.input[1] in stored)


def _layer(node: Any, stored: dict[str, Any], made: dict[str, Any]) -> GraphLayer:
    named = {part: node.input[at] for at, part in _INPUTS[node.op_type].items() if at < len(node.input)}
    kept = {part: name for part, name in named.items() if name in stored}
    return GraphLayer(node.op_type, kept, node.op_type != "Conv" and _is_channels_last(node, made))


def _is_channels_last(node: Any, made: dict[str, Any]) -> bool:
    before = made.get(node.input[0])
    for _ in range(len(made)):  # a damaged graph may be a circle
        if before is None or before.op_type not in ("Reshape", "Flatten", "Identity", "Dropout"):
            break
        before = made.get(before.input[0])
    moves = [list(attribute.ints) for attribute in before.attribute] if before and before.op_type == "Transpose" else []
    return [0, 2, 3, 1] in moves


def _is_transposed(node: Any) -> bool:
    # torch keeps dense kernels as [out, in]; a product has [in, out], and so has a Gemm that does not say otherwise
    said = {attribute.name: attribute.i for attribute in node.attribute}
    return node.op_type == "MatMul" or (node.op_type == "Gemm" and not said.get("transB"))


def _biases_of_products(graph: Any, stored: dict[str, Any]) -> dict[str, str]:
    # a dense layer may be a product and an addition; the kernel's name -> the bias's
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in stored}
    added = {}
    for node in graph.node:
        if node.op_type == "Add" and len(node.input) == 2:
            for one, other in (node.input, reversed(node.input)):
                if one in products and other in stored:
                    added[products[one]] = other
    return added


def _with_bias(layer: GraphLayer, added: dict[str, str]) -> GraphLayer:
    bias = added.get(layer.arrays["weight"]) if layer.operator == "MatMul" else None
    return layer if bias is None else layer._replace(arrays={**layer.arrays, "bias": bias})


def _array(tensor: Any, path: Path) -> np.ndarray:
    from onnx import numpy_helper
    from onnx.external_data_helper import uses_external_data

    if uses_external_data(tensor):
        raise UserError(
            f"'{path}' keeps {tensor.name[:80]!r} in another file, which seqnets does not open; "
            "save it whole: onnx.save(onnx.load(path), 'whole.onnx')"
        )
    if any(axis < 0 for axis in tensor.dims):
        raise ValueError(f"{tensor.name[:80]!r} has a negative size")
    refuse_bomb(int(np.prod([float(axis) for axis in tensor.dims])), path)
    return numpy_helper.to_array(tensor)
