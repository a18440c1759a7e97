"""Recurrent layers packed for a step of all of them in one native call."""

from collections.abc import Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp

from seqnets.nn.cells import Cell
from seqnets.nn.cells.base import is_as_stated
from seqnets.nn.rnn import RNN
from seqnets.ops import arguments
from seqnets.ops.backends import native
from seqnets.ops.stack_step import LayerWeights, PackedStack, pack
from seqnets.ops.timestep import TimeInputs


def pack_layers(layers: Sequence[Any]) -> PackedStack | None:
    """Return the weights of layers for `seqnets.ops.stack_step.step`, or None if it cannot be used.

    It takes seqnets cells of one recurrence and one size, each of which reads the output of the one below, if the native
    backend can run them over time.

    Args:
        layers: lowest first.
    """
    if not all(map(_is_native, layers)):
        return None
    cells = [layer.cell for layer in layers]
    if len({(cell.recurrence, cell.hidden_features) for cell in cells}) > 1:
        return None
    return pack([_weights(cell, number) for number, cell in enumerate(cells)])


def _is_native(layer: Any) -> bool:
    if not isinstance(layer, RNN) or not is_as_stated(layer.cell) or layer.backend not in ("auto", "native"):
        return False
    cell = cast(Cell, layer.cell)
    if type(cell).project is not Cell.project:
        return False
    carry = jax.eval_shape(lambda: cell.initialize_carry((1, cell.in_features)))
    projected: Any = jax.ShapeDtypeStruct((1, 1, cell.recurrence.gates * cell.hidden_features), jnp.dtype(cell.dtype))
    inputs = TimeInputs(projected, zoneout=cell.zoneout_shares(None))
    return native.refusal(cell.recurrence, cell.weights(), carry, inputs) is None


def _weights(cell: Cell, number: int) -> LayerWeights:
    kernel, bias = (cell.kernel[...], cell.input_bias()) if number else (None, None)
    weights = arguments.weights_of(cell.recurrence, cell.weights(), cell.hidden_features, jnp.float32)
    return LayerWeights(kernel, bias, weights)
