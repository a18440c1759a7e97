"""Recognizes the layers of a graph by their order, where its arrays have no names that mean anything."""

import contextlib
from collections.abc import Mapping, Set
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.tracing import Layer, recorded_layers
from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.conv import Conv
from seqnets.nn.dense import Dense, Flatten
from seqnets.weights.files import WeightFile
from seqnets.weights.layout import torch_layout
from seqnets.weights.naming import TORCH_LEAVES, Naming, Target

GRAPH = Naming("ONNX", ())
_OPERATORS = {Conv: ("Conv",), Dense: ("Gemm", "MatMul"), BatchNorm: ("BatchNormalization",)}
_SIDES = (224, 299, 32, 28)


def in_order(
    model: ConvNet, shapes: Mapping[str, tuple[int, ...]], file: WeightFile
) -> tuple[WeightFile, dict[str, Target]] | None:
    """Give the arrays of a graph the names of our layers, in the order of their calls.

    The layers of each kind must be as many in the graph as in the network. Norms may be missing in the graph: exporters
    fold them into the convolutions before them.

    Args:
        model: the network.
        shapes: our names of its arrays and their shapes.
        file: the file with its graph.

    Returns:
        The file with our names, and the place of each of our arrays in it; None where the numbers of layers differ.
    """
    theirs = {kind: [layer for layer in file.layers if layer.operator in names] for kind, names in _OPERATORS.items()}
    ours = {kind: [layer for layer in called_layers(model) if isinstance(layer.module, kind)] for kind in _OPERATORS}
    if theirs[BatchNorm] and len(theirs[BatchNorm]) < len(ours[BatchNorm]):
        folded = {layer.name for layer in ours[BatchNorm] if layer.source and isinstance(layer.source.module, Conv)}
        ours[BatchNorm] = [layer for layer in ours[BatchNorm] if layer.name not in folded]
    if any(len(theirs[kind]) != len(ours[kind]) for kind in (Conv, Dense)) or len(theirs[BatchNorm]) not in (
        0,
        len(ours[BatchNorm]),
    ):
        return None
    arrays = {
        f"{mine.name}.{part}": file.arrays[name]
        for kind in _OPERATORS
        for mine, graph in zip(ours[kind], theirs[kind])
        for part, name in graph.arrays.items()
    }
    flat = {mine.name for mine, graph in zip(ours[Dense], theirs[Dense]) if graph.channels_last}
    return replace(file, arrays=arrays), _targets(model, shapes, flat)


def called_layers(model: ConvNet) -> list[Layer]:
    """List the layers of a network in the order of their calls.

    Raises:
        UserError: the network takes images of an unusual size only.

    Example:
        >>> from seqnets.models import create_model
        >>> [layer.name for layer in called_layers(create_model("lenet5"))][:3]
        ['stage1.0', 'stage2.0', 'stage2.1']
    """
    structure, state = nnx.split(model)  # whose arrays may be shapes only
    for side in _SIDES:
        calls: list[Layer] = []
        image = jax.ShapeDtypeStruct((1, side, side, model.in_channels), jnp.float32)
        with contextlib.suppress(UserError):  # of a dense layer behind images of another size
            jax.eval_shape(partial(_record, structure, calls), state, image)
            return calls
    raise UserError(
        f"this network takes no images of {', '.join(map(str, _SIDES))} pixels, so that the order of its layers is unknown"
    )


def _record(structure: Any, calls: list[Layer], state: Any, images: Any) -> Any:
    model = nnx.merge(structure, state)
    with recorded_layers(model, calls):
        return model(images)["logits"]


def _targets(model: ConvNet, shapes: Mapping[str, tuple[int, ...]], flat: Set[str]) -> dict[str, Target]:
    grids, found = {path: grid for path, grid in _grids(model).items() if path not in flat}, {}
    for name, shape in shapes.items():
        path, _, leaf = name.rpartition(".")
        found[name] = Target(f"{path}.{TORCH_LEAVES[leaf]}", torch_layout(shape, grids.get(path, ())))
    return found


def _grids(model: ConvNet) -> dict[str, tuple[int, ...]]:
    """Return the height and width of the images that dense layers see flattened."""
    grids, grid, before = {}, (), ()
    for layer in called_layers(model):
        if isinstance(layer.module, Flatten):
            grid = before[1:3]
        elif isinstance(layer.module, Dense):
            grids[layer.name], grid = grid, ()
        before = layer.output_shape
    return grids
