"""Weights of Keras' SimpleRNN, LSTM and GRU, in and out, as the lists of arrays that `layer.get_weights()` gives.

A list holds `kernel` (F, gates * H), `recurrent_kernel` (H, gates * H) and `bias`, and twice as many arrays for a `Bidirectional`
layer, forward before backward. Gates are in the order i, f, c, o and z, r, h. A GRU with `reset_after=True`, which is Keras'
default, has two biases, `(2, gates * H)`: it is ours with `reset="after"`.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from flax import nnx

from seqnets.errors import UserError
from seqnets.nn import Cell, GRUCell, StackedRNN
from seqnets.weights import cell_arrays
from seqnets.weights.cell_arrays import CellArrays, Layer
from seqnets.weights.tensors import as_array


def rnn_from_keras(
    weights: Sequence[Any],
    *,
    activation: Literal["tanh", "relu"] = "tanh",
    reset_after: bool = True,
    rngs: nnx.Rngs | None = None,
) -> StackedRNN:
    """Build the stack of layers that Keras' weights describe, and fill it.

    Args:
        weights: what `layer.get_weights()` gives, or a list of these, one per layer.
        activation: activation of a SimpleRNN, which its weights do not show.
        reset_after: the form of a GRU without bias, which its weights do not show.
        rngs: makes the weights that are then overwritten.

    Returns:
        A stack of `RNN`, or of `BidirectionalRNN`.

    Raises:
        UserError: the weights are not those of recurrent layers.

    Example:
        >>> stack = rnn_from_keras([np.zeros((3, 20)), np.zeros((5, 20)), np.zeros(20)])
        >>> type(stack.layers[0].cell).__name__
        'LSTMCell'
    """
    layers = weights if isinstance(weights, list | tuple) and weights and isinstance(weights[0], list | tuple) else [weights]
    ways = [_by_direction(layer) for layer in layers]
    named = {"activation": activation, "reset_after": reset_after, "rngs": rngs or nnx.Rngs(0)}
    stack = cell_arrays.stack_of([[_cell(arrays, **named) for arrays in each] for each in ways])
    load_keras_rnn(stack, weights)
    return stack


def load_keras_rnn(layer: Layer, weights: Sequence[Any]) -> None:
    """Fill existing layers with Keras' weights, all of them or none.

    Args:
        layer: a stack, a layer or a cell with the sizes of Keras'.
        weights: what `layer.get_weights()` gives, or a list of these, one per layer.

    Raises:
        UserError: number or shapes of the arrays do not match; the layer is then unchanged.

    Example:
        >>> a, b = GRUCell(3, 5, rngs=nnx.Rngs(0)), GRUCell(3, 5, rngs=nnx.Rngs(1))
        >>> load_keras_rnn(a, keras_rnn_weights(b))
        >>> bool((a.kernel[...] == b.kernel[...]).all())
        True
    """
    cells = [cell_arrays.known_cell(cell, "Keras", before=True) for _, _, cell in cell_arrays.cells_of(layer)]
    arrays = _flat(weights)
    each = 3 if len(arrays) == 3 * len(cells) else 2
    if len(arrays) != each * len(cells):
        raise UserError(
            f"Keras' weights for this layer are {3 * len(cells)} arrays, or {2 * len(cells)} without biases, not {len(arrays)}"
        )
    parts = [arrays[at : at + each] for at in range(0, len(arrays), each)]
    pairs = [(cell, _from_keras(part, cell)) for cell, part in zip(cells, parts, strict=True)]
    cell_arrays.refuse_differences([(f"cell {k + 1}, ", *pair) for k, pair in enumerate(pairs)], "Keras")
    cell_arrays.fill(pairs)


def keras_rnn_weights(layer: Layer) -> list[np.ndarray]:
    """Return the weights as a list that `set_weights` of the Keras layer, or of a model of such layers, takes.

    Args:
        layer: a stack, a layer or a cell; its cells vanilla, LSTM or GRU, without layer norm.

    Raises:
        UserError: Keras does not have such a cell.

    Example:
        >>> [array.shape for array in keras_rnn_weights(GRUCell(3, 5, rngs=nnx.Rngs(0)))]
        [(3, 15), (5, 15), (2, 15)]
    """
    cells = [cell_arrays.known_cell(cell, "Keras", before=True) for _, _, cell in cell_arrays.cells_of(layer)]
    return [array for cell in cells for array in _to_keras(cell)]


def _flat(weights: Any) -> list[np.ndarray]:
    if not isinstance(weights, list | tuple):
        raise UserError(f"give Keras' weights as a list of arrays, such as layer.get_weights(), not a {type(weights).__name__}")
    nested = [part for each in weights for part in (each if isinstance(each, list | tuple) else [each])]
    return [cell_arrays.widened(as_array(array, f"array {k + 1}")) for k, array in enumerate(nested)]


def _by_direction(layer: Any) -> list[list[np.ndarray]]:
    arrays = _flat(layer)
    sizes = {2: [2], 3: [3], 4: [2, 2], 6: [3, 3]}.get(len(arrays))
    if sizes is None or any(array.ndim != 2 for array in arrays[:2]):
        shapes = [array.shape for array in arrays]
        raise UserError(f"a recurrent layer of Keras has kernel, recurrent_kernel and bias, or two of each, not {shapes}")
    return [arrays[at : at + sizes[0]] for at in range(0, len(arrays), sizes[0])]


def _cell(part: list[np.ndarray], *, activation: Any, reset_after: bool, rngs: nnx.Rngs) -> Cell:
    kind = cell_arrays.kind_of(part[1], "recurrent_kernel")
    after = part[2].ndim == 2 if len(part) == 3 else reset_after
    options = {"vanilla": {"activation": activation}, "gru": {"reset": "after" if after else "before"}}.get(kind, {})
    return cell_arrays.cell_like(
        CellArrays(part[0], part[1], part[1], part[1]), kind, rngs=rngs, use_bias=len(part) == 3, **options
    )


def _from_keras(part: list[np.ndarray], cell: Cell) -> CellArrays:
    kernel, recurrent = part[:2]
    zeros = np.zeros(recurrent.shape[-1], recurrent.dtype)
    bias = part[2] if len(part) == 3 else zeros
    two = isinstance(cell, GRUCell) and cell.reset == "after"
    if len(part) == 3 and bias.ndim != 1 + two:
        forms = "reset_after=True, of two biases" if two else "one bias; of two biases it would be a GRU with reset_after=True"
        raise UserError(f"the bias of this {type(cell).__name__} must be that of {forms}, not the shape {bias.shape}")
    first, second = bias if bias.ndim == 2 else (bias, zeros)
    return CellArrays(*(_reordered(array, cell) for array in (kernel, recurrent, first, second)))


def _to_keras(cell: Cell) -> list[np.ndarray]:
    kernel, recurrent, first, second = (_reordered(array, cell) for array in cell_arrays.arrays_of(cell))
    if not cell.use_bias:
        return [kernel, recurrent]
    return [kernel, recurrent, np.stack([first, second]) if isinstance(cell, GRUCell) and cell.reset == "after" else first]


def _reordered(array: np.ndarray, cell: Cell) -> np.ndarray:
    if not isinstance(cell, GRUCell) or array.shape[-1] % 3:
        return array
    one, other, candidate = np.split(array, 3, axis=-1)  # z, r and r, z: the same exchange in both directions
    return np.concatenate([other, one, candidate], axis=-1)
