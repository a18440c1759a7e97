"""Imports and exports weights of torch's nn.RNN, nn.LSTM and nn.GRU.

Torch keeps, for each layer k and direction, `weight_ih_lk` (gates * H, F), `weight_hh_lk` (gates * H, H) and two biases. The gate
orders are the same as ours, so kernels are transposes. Torch's second bias is redundant except for the GRU's candidate: import
adds the two, export fills the second with zeros.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
from flax import nnx

from seqnets.errors import UserError
from seqnets.nn import CELLS, RNN, BidirectionalRNN, Cell, StackedRNN, VanillaCell
from seqnets.weights import cell_arrays
from seqnets.weights.cell_arrays import CellArrays
from seqnets.weights.tensors import as_array

_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_SHOWN = 8

StateDict = Mapping[str, Any]


def rnn_from_torch(
    state_dict: StateDict, *, prefix: str = "", activation: Literal["tanh", "relu"] = "tanh", rngs: nnx.Rngs | None = None
) -> StackedRNN:
    """Build the stack of layers that a torch state dict describes, and fill it.

    Kind, sizes, depth and directions follow from the shapes and names.

    Args:
        state_dict: names to arrays, tensors or parameters of any precision, as `torch_module.state_dict()` gives them;
            of an nn.LSTM, nn.GRU or nn.RNN, or of one of their cells.
        prefix: prefix of the names to read, e.g. "encoder.rnn.".
        activation: activation of an nn.RNN, which its weights do not show.
        rngs: makes the initial weights, which are overwritten; any value works.

    Returns:
        A stack of `RNN`, or of `BidirectionalRNN`.

    Raises:
        UserError: the names or shapes are not those of a torch recurrent layer; the message lists the difference.

    Example:
        >>> import numpy as np
        >>> torch_like = {"weight_ih_l0": np.zeros((20, 3)), "weight_hh_l0": np.zeros((20, 5)),
        ...               "bias_ih_l0": np.zeros(20), "bias_hh_l0": np.zeros(20)}
        >>> type(rnn_from_torch(torch_like).layers[0].cell).__name__
        'LSTMCell'
    """
    arrays = _arrays(state_dict, prefix)
    stack = _build(arrays, activation, rngs or nnx.Rngs(0))
    load_torch_rnn(stack, arrays)
    return stack


def load_torch_rnn(layer: StackedRNN | BidirectionalRNN | RNN | Cell, state_dict: StateDict, *, prefix: str = "") -> None:
    """Fill existing layers with all of torch's weights, or leave them unchanged.

    Args:
        layer: built with the same sizes as the torch module.
        state_dict: names to arrays, tensors or parameters of any precision.
        prefix: prefix of the names to read.

    Raises:
        UserError: names or shapes do not match; the message lists every difference, and the layer is unchanged.

    Example:
        >>> from flax import nnx
        >>> from seqnets.nn import GRUCell
        >>> a, b = GRUCell(3, 5, rngs=nnx.Rngs(0)), GRUCell(3, 5, rngs=nnx.Rngs(1))
        >>> load_torch_rnn(a, torch_rnn_state_dict(b))
        >>> bool((a.kernel[...] == b.kernel[...]).all())
        True
    """
    arrays = _arrays(state_dict, prefix)
    _refuse_differences({name: a.shape for name, a in torch_rnn_state_dict(layer).items()}, arrays)
    parts = [(cell, [arrays[f"{part}_{suffix}"] for part in _PARTS]) for suffix, cell in _cells(layer)]
    cell_arrays.fill([(cell, CellArrays(kernel.T, recurrent.T, *biases)) for cell, (kernel, recurrent, *biases) in parts])


def torch_rnn_state_dict(layer: StackedRNN | BidirectionalRNN | RNN | Cell) -> dict[str, np.ndarray]:
    """Return the weights under torch's names; `{k: torch.from_numpy(v) ...}` loads strictly into the torch module.

    Args:
        layer: a stack, a layer or a cell; its cells must be vanilla, LSTM, or GRU with `reset="after"`, without layer norm.

    Returns:
        Names to NumPy arrays.

    Raises:
        UserError: torch has no such cell.

    Example:
        >>> from flax import nnx
        >>> from seqnets.nn import LSTMCell
        >>> {k: v.shape for k, v in torch_rnn_state_dict(LSTMCell(3, 5, rngs=nnx.Rngs(0))).items()}
        {'weight_ih_l0': (20, 3), 'weight_hh_l0': (20, 5), 'bias_ih_l0': (20,), 'bias_hh_l0': (20,)}
    """
    return {f"{part}_{suffix}": array for suffix, cell in _cells(layer) for part, array in _export_cell(cell).items()}


def _cells(layer: Any) -> Iterator[tuple[str, Cell]]:
    """Yield torch's suffix and the cell, for every layer and direction."""
    for number, back, cell in cell_arrays.cells_of(layer):
        cell = cell_arrays.known_cell(cell, "torch")
        if " with " in cell.recurrence.name:
            raise UserError(f"torch has no counterpart of this {type(cell).__name__}: {cell.recurrence.name}")
        yield f"l{number}{'_reverse' * back}", cell


def _export_cell(cell: Cell) -> dict[str, np.ndarray]:
    kernel, recurrent, first, second = cell_arrays.arrays_of(cell)
    return dict(zip(_PARTS, (np.ascontiguousarray(kernel.T), np.ascontiguousarray(recurrent.T), first, second)))


def _arrays(state_dict: StateDict, prefix: str) -> dict[str, np.ndarray]:
    if not isinstance(state_dict, Mapping):
        raise UserError(
            f"give torch's weights as names and arrays, such as module.state_dict(), not a {type(state_dict).__name__}"
        )
    found = {name.removeprefix(prefix): value for name, value in state_dict.items() if name.startswith(prefix)}
    if prefix and not found:
        raise UserError(f"no name begins with {prefix!r}; there are {_listed(state_dict)}")
    arrays = {_of_layer(name): cell_arrays.widened(as_array(value, prefix + name)) for name, value in found.items()}
    if any(name.startswith("weight_hr_") for name in arrays):
        raise UserError("these weights belong to an LSTM with projections (proj_size), which our LSTM does not have")
    for name in [name for name in arrays if name.startswith("weight_hh_")]:
        for bias in (name.replace("weight", "bias"), name.replace("weight_hh", "bias_ih")):
            arrays.setdefault(bias, np.zeros(arrays[name].shape[0], arrays[name].dtype))  # torch's bias=False
    return arrays


def _of_layer(name: str) -> str:
    # nn.LSTMCell and the other cells name their arrays as layers do, without the layer's number
    return f"{name}_l0" if name in _PARTS else name


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "") if names else "none"


def _build(arrays: dict[str, np.ndarray], activation: Literal["tanh", "relu"], rngs: nnx.Rngs) -> StackedRNN:
    depth = sum(f"weight_hh_l{k}" in arrays for k in range(len(arrays)))
    if not depth or f"weight_ih_l{depth - 1}" not in arrays:
        raise UserError(_no_layer(arrays))

    def layer(suffix: str) -> RNN:
        for name in (f"weight_ih_{suffix}", f"weight_hh_{suffix}"):
            if name not in arrays or arrays[name].ndim != 2:
                raise UserError(f"{name} must be a matrix, and is {arrays[name].shape if name in arrays else 'missing'}")
        rows, hidden = arrays[f"weight_hh_{suffix}"].shape
        kind = cell_arrays.KIND_OF_GATES.get(rows // max(hidden, 1))
        if kind is None or rows % max(hidden, 1):
            raise UserError(f"weight_hh_{suffix} has shape {(rows, hidden)}; its rows must be 1, 3 or 4 times its columns")
        options = {"activation": activation} if CELLS[kind] is VanillaCell else {}
        cell = CELLS[kind](arrays[f"weight_ih_{suffix}"].shape[1], hidden, rngs=rngs, **options)
        return RNN(cell, reverse=suffix.endswith("_reverse"))

    both = "weight_hh_l0_reverse" in arrays
    names = [f"l{k}" for k in range(depth)]
    return StackedRNN([BidirectionalRNN(layer(n), layer(f"{n}_reverse")) if both else layer(n) for n in names])


def _no_layer(arrays: dict[str, np.ndarray]) -> str:
    prefixes = dict.fromkeys(name.removesuffix("weight_ih_l0") for name in arrays if name.endswith(".weight_ih_l0"))
    advice = f"pass prefix={next(iter(prefixes))!r}" if prefixes else "pass their prefix, if they have one"
    return f"not the weights of a torch recurrent layer: expected names like 'weight_ih_l0', found {_listed(arrays)}; {advice}"


def _refuse_differences(expected: dict[str, tuple[int, ...]], arrays: dict[str, np.ndarray]) -> None:
    lines = [f"missing: {name} {expected[name]}" for name in sorted(expected.keys() - arrays.keys())]
    lines += [f"unexpected: {name} {arrays[name].shape}" for name in sorted(arrays.keys() - expected.keys())]
    lines += [
        f"shape of {name}: the layer has {expected[name]}, the weights {arrays[name].shape}"
        for name in sorted(expected.keys() & arrays.keys())
        if expected[name] != arrays[name].shape
    ]
    if lines:
        raise UserError("these torch weights do not fit the layer:\n  " + "\n  ".join(lines))
