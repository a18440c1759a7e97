"""Makes a written graph smaller: constants after a convolution go into it, and what nothing reads is left out."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from seqnets.export.onnx.graph import Graph

_AFFINE = ("Add", "Sub", "Mul", "Div")


def simplify(graph: Graph) -> None:
    """Fold batch norms and biases into convolutions, then remove nodes and constants that nothing reads."""
    _fold(graph)
    _prune(graph)


def _fold(graph: Graph) -> None:
    readers = Counter(name for node in _all(graph.nodes) for name in node.input)
    convolution: dict[str, Any] = {}  # the output of a convolution -> its node
    kept = []
    for node in graph.nodes:
        if node.op_type == "Conv":
            convolution[node.output[0]] = node
        before = next((name for name in node.input if name in convolution), None)
        if (
            node.op_type in _AFFINE
            and before is not None
            and readers[before] == 1
            and _absorbed(graph, convolution[before], node)
        ):
            convolution[before].output[0] = node.output[0]
            convolution[node.output[0]] = convolution.pop(before)
        else:
            kept.append(node)
    graph.nodes[:] = kept


def _absorbed(graph: Graph, convolution: Any, node: Any) -> bool:
    """Let a convolution do what the node does with its result, if that is one number for each feature."""
    constants, first = graph.constants, node.input[0] in graph.constants
    array = constants.get(node.input[0 if first else 1])
    kernel = constants.get(convolution.input[1])
    if array is None or kernel is None or not _by_feature(array, kernel.shape[0]) or (first and node.op_type == "Div"):
        return False
    number = np.broadcast_to(array.reshape(-1), kernel.shape[:1]).astype(kernel.dtype)
    bias = constants[convolution.input[2]] if len(convolution.input) > 2 else np.zeros(kernel.shape[0], kernel.dtype)
    scale = np.ones_like(number)
    match node.op_type:
        case "Add":
            bias = bias + number
        case "Sub":
            scale, bias = (-scale, number - bias) if first else (scale, bias - number)
        case "Mul":
            scale, bias = number, bias * number
        case "Div":
            scale, bias = 1 / number, bias / number
    names = [graph.fresh("kernel"), graph.fresh("bias")]
    graph.constants |= dict(zip(names, (kernel * scale[:, None, None, None], bias)))
    image = convolution.input[0]
    del convolution.input[:]
    convolution.input.extend([image, *names])
    return True


def _by_feature(array: np.ndarray, features: int) -> bool:
    return array.size == 1 or (array.ndim == 4 and array.shape == (1, features, 1, 1))


def _prune(graph: Graph) -> None:
    read = {output.name for output in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if read & set(node.output):
            kept.append(node)
            read |= {name for each in _all([node]) for name in each.input}
    graph.nodes[:] = kept[::-1]
    for name in graph.constants.keys() - read:
        del graph.constants[name]


def _all(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from _all(attribute.g.node)
