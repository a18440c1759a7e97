"""The arrays of a recurrent cell in one form, between our cells and those of other libraries.

Gates are in our order. There are two biases, of which one is redundant except for a GRU that resets after the product: a cell
adds them on the way in, and on the way out the second holds zeros there.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from seqnets.errors import UserError
from seqnets.nn import CELLS, RNN, BidirectionalRNN, Cell, CuDNN, GRUCell, LSTMCell, StackedRNN, VanillaCell

Layer = StackedRNN | BidirectionalRNN | RNN | CuDNN | Cell
KIND_OF_GATES = {1: "vanilla", 3: "gru", 4: "lstm"}


class CellArrays(NamedTuple):
    """The arrays of a vanilla, LSTM or GRU cell.

    Attributes:
        kernel: `(F, gates * H)`.
        recurrent_kernel: `(H, gates * H)`.
        bias: `(gates * H,)`.
        recurrent_bias: `(gates * H,)`.
    """

    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray
    recurrent_bias: np.ndarray


def cells_of(layer: Any) -> Iterator[tuple[int, bool, Any]]:
    """Yield the number of the layer, whether it is the backward direction, and the cell, lowest layer first.

    Example:
        >>> from flax import nnx
        >>> [(number, back) for number, back, _ in cells_of(GRUCell(3, 5, rngs=nnx.Rngs(0)))]
        [(0, False)]
    """
    layer = layer.layer if isinstance(layer, CuDNN) else layer
    for number, part in enumerate(layer.layers if isinstance(layer, StackedRNN) else [layer]):
        if isinstance(part, BidirectionalRNN):
            yield number, False, part.forward.cell
            yield number, True, part.backward.cell
        else:
            yield number, False, part.cell if isinstance(part, RNN) else part


def known_cell(cell: Any, library: str, *, before: bool = False) -> Cell:
    """Return a cell that another library has, too.

    Args:
        cell: the cell.
        library: its name.
        before: whether it has the GRU that resets before the product.

    Raises:
        UserError: the library does not have it.
    """
    known = isinstance(cell, VanillaCell | LSTMCell | GRUCell)
    early = isinstance(cell, GRUCell) and cell.reset == "before" and not before
    if not known or early or cell.layer_norm:
        what = "a GRU with reset='before'" if early else f"{type(cell).__name__}{' with layer norm' * known}"
        kinds = "vanilla, LSTM and GRU" + (" (reset='after')" * (not before))
        raise UserError(f"{library} has no counterpart of {what}; it has {kinds} without layer norm")
    return cell


def arrays_of(cell: Cell) -> CellArrays:
    """Return a cell's arrays.

    Example:
        >>> from flax import nnx
        >>> [array.shape for array in arrays_of(LSTMCell(3, 5, rngs=nnx.Rngs(0)))]
        [(3, 20), (5, 20), (20,), (20,)]
    """
    bias = np.asarray(cell.input_bias())
    second = np.zeros_like(bias)
    if isinstance(cell, GRUCell) and cell.reset == "after":
        second[-cell.hidden_features :] = np.asarray(cell.recurrent_vectors()["recurrent_bias"])
    return CellArrays(np.asarray(cell.kernel[...]), np.asarray(cell.recurrent_kernel[...]), bias, second)


def fill(pairs: Sequence[tuple[Cell, CellArrays]]) -> None:
    """Fill cells with arrays of their shapes, all of them or none.

    Raises:
        UserError: a cell has no bias, and its arrays have one.
    """
    for cell, arrays in pairs:
        if not cell.use_bias and (arrays.bias.any() or arrays.recurrent_bias.any()):
            raise UserError(f"these weights have a bias, and this {type(cell).__name__} was built with use_bias=False")
    for cell, arrays in pairs:
        _fill(cell, arrays)


def _fill(cell: Cell, arrays: CellArrays) -> None:
    # copies: JAX may otherwise share memory with an array that its owner changes later
    cell.kernel[...] = jnp.array(arrays.kernel, cell.param_dtype)
    cell.recurrent_kernel[...] = jnp.array(arrays.recurrent_kernel, cell.param_dtype)
    if not cell.use_bias:
        return
    added = arrays.recurrent_bias
    if isinstance(cell, GRUCell) and cell.reset == "after":
        gates, candidate = np.split(added, [-cell.hidden_features])
        cell.recurrent_bias[...] = jnp.array(candidate, cell.param_dtype)
        added = np.concatenate([gates, np.zeros_like(candidate)])
    cell.bias[...] = jnp.array(arrays.bias + added, cell.param_dtype)


def widened(array: np.ndarray) -> np.ndarray:
    """Return an array in at least 32 bits.

    Example:
        >>> widened(np.zeros(2, np.float16)).dtype
        dtype('float32')
    """
    return array.astype(np.float32) if array.dtype.itemsize < 4 else array


def kind_of(recurrent_kernel: np.ndarray, name: str) -> str:
    """Return the kind of cell to which a recurrent kernel belongs.

    Raises:
        UserError: there is no such cell.

    Example:
        >>> kind_of(np.zeros((5, 15)), "recurrent_kernel")
        'gru'
    """
    shape = recurrent_kernel.shape
    kind = KIND_OF_GATES.get(shape[1] // max(shape[0], 1)) if len(shape) == 2 else None
    if kind is None or shape[1] % max(shape[0], 1):
        raise UserError(f"{name} has the shape {shape}; it must be 1, 3 or 4 times as wide as high")
    return kind


def stack_of(cells: Sequence[Sequence[Cell]]) -> StackedRNN:
    """Return a stack over cells, one or two (forward, backward) per layer."""
    layers = [[RNN(cell, reverse=back > 0) for back, cell in enumerate(ways)] for ways in cells]
    return StackedRNN([BidirectionalRNN(*ways) if len(ways) == 2 else ways[0] for ways in layers])


def cell_like(arrays: CellArrays, kind: str, **options: Any) -> Cell:
    """Make a cell of a kind for arrays, with arbitrary weights."""
    make: Any = CELLS[kind]
    return make(arrays.kernel.shape[0], arrays.recurrent_kernel.shape[0], **options)


def refuse_differences(pairs: Sequence[tuple[str, Cell, CellArrays]], library: str) -> None:
    """Refuse arrays whose shapes are not those of the cells, with every difference.

    Raises:
        UserError: one has another shape.
    """
    lines = [
        f"{name}{part}: the layer has {wanted.shape}, the weights {found.shape}"
        for name, cell, arrays in pairs
        for part, wanted, found in zip(CellArrays._fields, arrays_of(cell), arrays, strict=True)
        if wanted.shape != found.shape
    ]
    if lines:
        raise UserError(f"these {library} weights do not match the layer:\n  " + "\n  ".join(lines))
