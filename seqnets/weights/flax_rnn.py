"""Weights of Flax's recurrent cells and layers, in and out: nnx modules, and parameters of nnx or linen as nested dictionaries.

Flax keeps one dense layer per gate (`LSTMCell`, and all cells of linen) or one for all gates (`OptimizedLSTMCell`, `GRUCell`,
`SimpleCell` of nnx), for the input and for the state. The gates are in our order.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.errors import UserError
from seqnets.nn import StackedRNN
from seqnets.ops.recurrent import Function
from seqnets.weights import cell_arrays
from seqnets.weights.cell_arrays import CellArrays, Layer
from seqnets.weights.tensors import as_array

Path = tuple[str, ...]
Group = dict[str, dict[str, np.ndarray]]  # dense layer -> kernel and bias

_FORMS = (  # the dense layers of the input and of the state, gate by gate
    (("dense_i",), ("dense_h",)),
    (("ii", "if_", "ig", "io"), ("hi", "hf", "hg", "ho")),
    (("ii", "if", "ig", "io"), ("hi", "hf", "hg", "ho")),
    (("ir", "iz", "in"), ("hr", "hz", "hn")),
    (("i",), ("h",)),
)
_NAMES = {name for form in _FORMS for names in form for name in names}


def rnn_from_flax(
    flax: Any,
    *,
    prefix: str = "",
    gate_fn: Function | None = None,
    activation_fn: Function | None = None,
    rngs: nnx.Rngs | None = None,
) -> StackedRNN:
    """Build the stack of layers that Flax's weights describe, and fill it.

    Args:
        flax: a cell, `nnx.RNN`, `nnx.Bidirectional` or a module of them; or its parameters, nested or by dotted paths.
        prefix: the path of the layers to read, e.g. "encoder.rnn".
        gate_fn: function of the gates, if it is not the sigmoid.
        activation_fn: function of the candidate, if it is not tanh.
        rngs: makes the weights that are then overwritten.

    Returns:
        A stack of `RNN`, or of `BidirectionalRNN`.

    Raises:
        UserError: the names or shapes are not those of Flax's recurrent cells.

    Example:
        >>> stack = rnn_from_flax(nnx.Bidirectional(*[nnx.RNN(nnx.GRUCell(3, 5, rngs=nnx.Rngs(k))) for k in (0, 1)]))
        >>> type(stack.layers[0].backward.cell).__name__
        'GRUCell'
    """
    cells: list[list[Any]] = []
    for path, group in _groups(flax, prefix):
        arrays = _arrays(path, group)
        kind = cell_arrays.kind_of(arrays.recurrent_kernel, ".".join(path))
        functions = {"activation_fn": activation_fn} | ({} if kind == "vanilla" else {"gate_fn": gate_fn})
        cell = cell_arrays.cell_like(arrays, kind, rngs=rngs or nnx.Rngs(0), **functions)
        if _is_backward(path) and cells and len(cells[-1]) == 1:
            cells[-1].append(cell)
        else:
            cells.append([cell])
    stack = cell_arrays.stack_of(cells)
    load_flax_rnn(stack, flax, prefix=prefix)
    return stack


def load_flax_rnn(layer: Layer, flax: Any, *, prefix: str = "") -> None:
    """Fill existing layers with Flax's weights, all of them or none.

    Args:
        layer: a stack, a layer or a cell with the sizes of Flax's.
        flax: a module of Flax, or its parameters; see `rnn_from_flax`.
        prefix: the path of the layers to read.

    Raises:
        UserError: names, number or shapes do not match; the layer is then unchanged.

    Example:
        >>> from seqnets.nn import LSTMCell
        >>> ours, theirs = LSTMCell(3, 5, rngs=nnx.Rngs(0)), nnx.OptimizedLSTMCell(3, 5, rngs=nnx.Rngs(1))
        >>> load_flax_rnn(ours, theirs)
        >>> bool((ours.kernel[...] == theirs.dense_i.kernel[...]).all())
        True
    """
    pairs = _matched(layer, flax, prefix)
    cell_arrays.refuse_differences([(f"{'.'.join(path)}: ", cell, arrays) for path, cell, arrays in pairs], "Flax")
    cell_arrays.fill([(cell, arrays) for _, cell, arrays in pairs])


def fill_flax_rnn(module: nnx.Module, layer: Layer) -> None:
    """Fill a module of Flax with the weights of our layers, all of them or none.

    Args:
        module: a cell, `nnx.RNN`, `nnx.Bidirectional` or a module of them, with the sizes of ours.
        layer: a stack, a layer or a cell; its cells vanilla, LSTM, or GRU with `reset="after"`, without layer norm.

    Raises:
        UserError: number or shapes do not match, or Flax's cell has no place for a bias; the module is then unchanged.

    Example:
        >>> from seqnets.nn import LSTMCell
        >>> ours, theirs = LSTMCell(3, 5, rngs=nnx.Rngs(0)), nnx.LSTMCell(3, 5, rngs=nnx.Rngs(1))
        >>> fill_flax_rnn(theirs, ours)
        >>> bool((theirs.if_.kernel[...] == ours.kernel[:, 5:10]).all())
        True
    """
    pairs = _matched(layer, module, "")
    cell_arrays.refuse_differences([(f"{'.'.join(path)}: ", cell, arrays) for path, cell, arrays in pairs], "Flax")
    values: dict[Path, np.ndarray] = {}
    for (path, cell, _), (_, group) in zip(pairs, _groups(module, ""), strict=True):
        values |= {(*path, *inner): array for inner, array in _split(path, group, cell_arrays.arrays_of(cell)).items()}
    for path, variable in nnx.to_flat_state(nnx.state(module, nnx.Param)):
        if tuple(map(str, path)) in values:
            variable[...] = jnp.array(values[tuple(map(str, path))], variable.dtype)


def _matched(layer: Layer, flax: Any, prefix: str) -> list[tuple[Path, Any, CellArrays]]:
    cells = [cell_arrays.known_cell(cell, "Flax") for _, _, cell in cell_arrays.cells_of(layer)]
    groups = list(_groups(flax, prefix))
    if len(groups) != len(cells):
        raise UserError(f"the layer has {len(cells)} cells, and Flax's weights {len(groups)}: {_listed(p for p, _ in groups)}")
    return [(path, cell, _arrays(path, group)) for cell, (path, group) in zip(cells, groups, strict=True)]


def _groups(flax: Any, prefix: str) -> Iterator[tuple[Path, Group]]:
    """Yield the path of every cell and its dense layers, in the order of the layers, forward before backward."""
    _refuse_residual(flax)
    leaves = dict(_leaves(flax))
    lead = _parts(prefix)
    found: dict[Path, Group] = {}
    for path, value in leaves.items():
        inside = path[: len(lead)] == lead and len(path) >= len(lead) + 2
        if inside and path[-2] in _NAMES and path[-1] in ("kernel", "bias"):
            array = cell_arrays.widened(as_array(value, ".".join(path)))
            found.setdefault(path[:-2], {}).setdefault(path[-2], {})[path[-1]] = array
    if not found:
        under = f" under {prefix!r}" if prefix else ""
        raise UserError(f"no recurrent cell of Flax{under}: expected names like 'cell.dense_i.kernel', found {_listed(leaves)}")
    for path in sorted(found, key=_natural):
        yield path, found[path]


def _leaves(flax: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(flax, nnx.Module):
        flax = nnx.state(flax, nnx.Param)
    if isinstance(flax, nnx.State):
        flax = nnx.to_pure_dict(flax)
    if not isinstance(flax, Mapping):
        raise UserError(f"give a module of Flax or its parameters by name, not a {type(flax).__name__}")
    for name, value in flax.items():
        here = tuple(map(str, name)) if isinstance(name, tuple) else _parts(str(name))
        here = () if here == ("params",) else here
        if isinstance(value, Mapping):
            yield from ((here + rest, leaf) for rest, leaf in _leaves(value))
        else:
            yield here, value[...] if isinstance(value, nnx.Variable) else value


def _parts(path: str) -> Path:
    return tuple(part for part in re.split(r"[./]", path) if part)


def _natural(path: Path) -> list[Any]:
    # numbers by size, and the forward direction first
    parts = [part.replace("backward", "forward~") for part in path]
    return [[(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in re.split(r"(\d+)", part)] for part in parts]


def _is_backward(path: Path) -> bool:
    return any(part.startswith("backward") for part in path)


def _refuse_residual(flax: Any) -> None:
    if isinstance(flax, nnx.Module) and any(getattr(part, "residual", False) for _, part in nnx.iter_graph(flax)):
        raise UserError("a SimpleCell with residual=True has no counterpart here; take one without")


def _form(path: Path, group: Group) -> tuple[Path, Path]:
    for inputs, states in _FORMS:
        if group.keys() == {*inputs, *states} and all("kernel" in part for part in group.values()):
            return inputs, states
    raise UserError(f"{'.'.join(path) or 'the cell'} is not a recurrent cell of Flax; it has {_listed((n,) for n in group)}")


def _arrays(path: Path, group: Group) -> CellArrays:
    inputs, states = _form(path, group)
    kernels = [[group[name]["kernel"] for name in names] for names in (inputs, states)]
    if len({k.shape for k in kernels[0]}) > 1 or len({k.shape for k in kernels[1]}) > 1 or kernels[1][0].ndim != 2:
        raise UserError(f"the kernels of {'.'.join(path) or 'the cell'} differ in shape from gate to gate")
    biases = [
        np.concatenate([group[n].get("bias", np.zeros(group[n]["kernel"].shape[-1], np.float32)) for n in names])
        for names in (inputs, states)
    ]
    return CellArrays(*(np.concatenate(each, axis=-1) for each in kernels), *biases)


def _split(path: Path, group: Group, arrays: CellArrays) -> dict[Path, np.ndarray]:
    """Return the arrays of a cell by the names of its dense layers; a bias goes where the cell of Flax has one."""
    inputs, states = _form(path, group)
    first, second = arrays.bias, arrays.recurrent_bias
    if not any("bias" in group[name] for name in inputs):
        first, second = np.zeros_like(first), first + second
    parts: dict[Path, np.ndarray] = {}
    for names, kernel, bias in ((inputs, arrays.kernel, first), (states, arrays.recurrent_kernel, second)):
        gates = zip(names, np.split(kernel, len(names), axis=-1), np.split(bias, len(names)), strict=True)
        for name, one, its_bias in gates:
            if "bias" not in group[name] and its_bias.any():
                raise UserError(f"{'.'.join((*path, name))} has no bias in Flax, and ours is not zero; set it to zeros")
            parts |= {(name, "kernel"): one} | ({(name, "bias"): its_bias} if "bias" in group[name] else {})
    return parts


def _listed(paths: Any, most: int = 8) -> str:
    names = [".".join(path) or "the cell itself" for path in paths]
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "") if names else "no names"
