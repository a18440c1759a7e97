"""Checks the arguments of a recurrence once, where they come in, and brings them into one form.

JAX's own operations notice arrays that do not agree; a kernel in another language would read past the end of one. So every
function that takes arrays from a caller and may pass them to such a kernel checks them here. Shapes and dtypes are known while a
function is traced: a compiled one pays nothing.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from seqnets.errors import UserError
from seqnets.ops.recurrent import Carry, LSTMState, Recurrence, RecurrentWeights, Vectors

_FLOAT32 = np.dtype(np.float32)
_OF_LAYER_NORM = {"cell_scale": (1,), "cell_bias": (1,)}  # the vectors of an LSTM with layer norm, in units of H


def as_array(name: str, value: Any) -> Array:
    """Return an array, a NumPy array or a list of numbers as a JAX array.

    Args:
        name: name of the argument.
        value: the argument.

    Raises:
        UserError: it is anything else.

    Example:
        >>> as_array("lengths", [3, 1]).tolist()
        [3, 1]
        >>> as_array("lengths", "three")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: lengths must be an array of numbers, not str
    """
    if isinstance(value, Array):
        return value
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{name} must be an array of numbers, not {type(value).__name__}") from None


def state(recurrence: Recurrence, carry: Any, rows: int, hidden: int, *, name: str = "carry", of: str = "inputs") -> Carry:
    """Return the state before a step in the recurrence's own structure; a plain pair becomes an `LSTMState`.

    Args:
        recurrence: which one.
        carry: the argument, leaves `(B, H)`.
        rows: B.
        hidden: H.
        name: name of the argument.
        of: the name of the array with the B rows.

    Raises:
        UserError: it has another structure, shape or kind of numbers.

    Example:
        >>> from seqnets.ops.recurrent import LSTM
        >>> state(LSTM, (jnp.zeros((2, 3)), jnp.zeros((2, 3))), 2, 3).hidden.shape
        (2, 3)
        >>> state(LSTM, (jnp.zeros((1, 3)), jnp.zeros((1, 3))), 2, 3)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: carry is for 1 row, the inputs have 2; give it as many rows
    """
    if _is_plain(recurrence, carry, (rows, hidden)):
        return carry
    carry = state_of(recurrence, carry, name)
    for leaf in jax.tree.leaves(carry):
        if leaf.shape != (rows, hidden):
            raise UserError(_unlike(leaf.shape, rows, hidden, name, of))
    return carry


def _is_plain(recurrence: Recurrence, carry: Any, shape: tuple[int, int]) -> bool:
    """Return quickly whether nothing is wrong, for loops that take single steps."""
    if recurrence.state is not None and type(carry) is not recurrence.state:
        return False
    parts = (carry,) if recurrence.state is None else carry
    return all(isinstance(part, Array) and part.shape == shape and part.dtype == _FLOAT32 for part in parts)


def _unlike(shape: tuple[int, ...], rows: int, hidden: int, name: str, of: str) -> str:
    if len(shape) != 2:
        return f"{name} must have the shape ({rows}, {hidden}), not {shape}"
    if shape[1] != hidden:
        return f"{name} is for {_count(shape[1], 'hidden feature')}, the layer has {hidden}"
    return f"{name} is for {_count(shape[0], 'row')}, the {of} have {rows}; give it as many rows"


def state_of(recurrence: Recurrence, carry: Any, name: str = "carry") -> Carry:
    """Return a state of any shape in the recurrence's own structure.

    Args:
        recurrence: which one.
        carry: the argument.
        name: name of the argument.

    Raises:
        UserError: it has another structure, or mixes precisions.

    Example:
        >>> from seqnets.ops.recurrent import LSTM
        >>> state_of(LSTM, jnp.zeros((2, 3)))
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: carry must be an LSTMState(cell, hidden), not one array of the shape (2, 3)
    """
    carry = _structured(recurrence, carry, name)
    kinds = {leaf.dtype for leaf in jax.tree.leaves(carry)}
    if len(kinds) > 1 or not all(jnp.issubdtype(kind, jnp.floating) for kind in kinds):
        raise UserError(f"{name} must hold floating-point numbers of one precision, not {' and '.join(sorted(map(str, kinds)))}")
    return carry


def _structured(recurrence: Recurrence, parts: Any, name: str) -> Any:
    kind = recurrence.state
    if kind is None:
        if isinstance(parts, (tuple, dict)):
            raise UserError(f"{name} must be one array, not {_described(parts)}")
        return as_array(name, parts)
    if not isinstance(parts, (tuple, list)) or len(parts) != len(kind._fields):
        raise UserError(f"{name} must be an {kind.__name__}({', '.join(kind._fields)}), not {_described(parts)}")
    return kind(*(as_array(name, part) for part in parts))


def alike(zeros: Any, carry: Any, *, name: str) -> Any:
    """Return a carry in the structure of another, for cells of unknown kind.

    Args:
        zeros: a valid carry.
        carry: the argument.
        name: name of the argument.

    Raises:
        UserError: it has other parts, or parts of other shapes.

    Example:
        >>> alike(jnp.zeros((2, 3)), jnp.zeros((1, 3)), name="carry")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: carry must hold arrays of the shapes [(2, 3)], not [(1, 3)]
    """
    leaves = [as_array(name, leaf) for leaf in jax.tree.leaves(carry)]
    wanted, found = ([leaf.shape for leaf in tree] for tree in (jax.tree.leaves(zeros), leaves))
    if wanted != found:
        raise UserError(f"{name} must hold arrays of the shapes {wanted}, not {found}")
    return jax.tree.unflatten(jax.tree.structure(zeros), leaves)


def single_step(recurrence: Recurrence, carry: Any, projected: Array, hidden: int) -> Carry:
    """Return the state before one step in plain JAX, which allows any leading axes and broadcasting.

    Args:
        recurrence: which one.
        carry: the argument, leaves `(..., H)`.
        projected: `(..., gates * H)`.
        hidden: H.

    Raises:
        UserError: they do not match.
    """
    width = recurrence.gates * hidden
    if projected.shape[-1:] != (width,):
        raise UserError(f"projected inputs must have the shape (batch, {width}), not {projected.shape}")
    carry = state_of(recurrence, carry)
    for leaf in jax.tree.leaves(carry):
        if leaf.shape[-1:] != (hidden,) or not _broadcasts(leaf.shape[:-1], projected.shape[:-1]):
            raise UserError(f"carry must have the shape {(*projected.shape[:-1], hidden)}, not {leaf.shape}")
    return carry


def entries(carry: Any, count: int, *, name: str = "carry", whole: str = "the stack", part: str = "layer") -> tuple[Any, ...]:
    """Return a carry with one entry per layer or direction.

    Args:
        carry: the argument.
        count: how many there must be.
        name: name of the argument.
        whole: the name of the whole.
        part: the name of a part.

    Raises:
        UserError: there are more or fewer entries, or it is not a tuple.

    Example:
        >>> entries((0,), 2, name="initial_carry")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: initial_carry has 1 entry, the stack 2 layers
    """
    if not isinstance(carry, Sequence) or isinstance(carry, (str, bytes, LSTMState)):
        raise UserError(f"{name} must be a tuple with one entry per {part}, not {_described(carry)}")
    if len(carry) != count:
        raise UserError(f"{name} has {_count(len(carry), 'entry')}, {whole} {_count(count, part)}")
    return tuple(carry)


def lengths_of(lengths: Any, rows: int) -> Array:
    """Return lengths as `(B,)` integers; a single length applies to every row.

    Args:
        lengths: the argument.
        rows: B.

    Raises:
        UserError: they are not integers, or have another number of rows.

    Example:
        >>> lengths_of([2], 3).tolist()
        [2, 2, 2]
    """
    lengths = as_array("lengths", lengths)
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise UserError(f"lengths must be integers, not {lengths.dtype}")
    if lengths.shape not in ((), (1,), (rows,)):
        raise UserError(f"lengths must have the shape ({rows},), one for each row of the inputs, not {lengths.shape}")
    return _broadcast(lengths, (rows,))


def one_of(**named: Any) -> Any:
    """Return the value given under one of several names of the same argument, or None.

    Raises:
        UserError: two are given.

    Example:
        >>> one_of(lengths=None, seq_lengths=3)
        3
    """
    given = {name: value for name, value in named.items() if value is not None}
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are the same; give one of them")
    return next(iter(given.values()), None)


def masks_of(shape: tuple[int, ...], lengths: Any, resets: Any, *, row_axis: int) -> tuple[Array | None, Array | None]:
    """Return lengths as `(B,)` integers and resets as booleans of the inputs' first two axes; a single row applies to every row.

    Args:
        shape: shape of the inputs.
        lengths: the argument, or None.
        resets: the argument, or None.
        row_axis: which axis is the batch.

    Raises:
        UserError: they do not match the inputs.

    Example:
        >>> masks_of((2, 3, 8), None, [[1, 0, 0]], row_axis=0)[1].astype(int).tolist()
        [[1, 0, 0], [1, 0, 0]]
    """
    lengths = None if lengths is None else lengths_of(lengths, shape[row_axis])
    return lengths, None if resets is None else mask_of(resets, shape[:2], row_axis=row_axis, name="resets")


def mask_of(mask: Any, shape: tuple[int, ...], *, row_axis: int, name: str = "mask") -> Array:
    """Return booleans of the inputs' first two axes; a single row applies to every row.

    Args:
        mask: the argument.
        shape: the first two axes of the inputs.
        row_axis: which of them is the batch.
        name: name of the argument.

    Raises:
        UserError: it has another shape, or does not hold booleans or numbers.

    Example:
        >>> mask_of([[1, 0, 0]], (2, 3), row_axis=0).astype(int).tolist()
        [[1, 0, 0], [1, 0, 0]]
    """
    mask = as_array(name, mask)
    one_row = tuple(1 if axis == row_axis else size for axis, size in enumerate(shape))
    if mask.shape not in (shape, one_row):
        raise UserError(f"{name} must have the shape {shape} of the inputs, not {mask.shape}")
    if mask.dtype != bool:
        if not _is_real(mask.dtype):
            raise UserError(f"{name} must be booleans, not {mask.dtype}")
        mask = mask.astype(bool)
    return _broadcast(mask, shape)


def tokens_of(tokens: Any, shape: tuple[int | str, ...], *, name: str = "tokens") -> Array:
    """Return tokens as an array of integers.

    Args:
        tokens: the argument.
        shape: its axes: a size, or a word for one of any size.
        name: name of the argument.

    Raises:
        UserError: they are not integers, or have another shape.

    Example:
        >>> tokens_of([3, 1], ("batch", "time"))
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: tokens must have the shape (batch, time), not (2,)
    """
    tokens = as_array(name, tokens)
    if tokens.ndim != len(shape) or any(isinstance(want, int) and want != got for want, got in zip(shape, tokens.shape)):
        wanted = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
        raise UserError(f"{name} must have the shape ({wanted}), not {tokens.shape}")
    if tokens.dtype.kind not in "iu" and not jnp.issubdtype(tokens.dtype, jnp.integer):
        raise UserError(f"{name} must be integers, not {tokens.dtype}")
    return tokens


def rows_of(tree: Any, rows: int, *, name: str, of: str) -> Any:
    """Return a tree of arrays with B rows each; a single row applies to every row.

    Args:
        tree: leaves `(B, ...)`.
        rows: B.
        name: name of the argument.
        of: the name of the array with the B rows.

    Raises:
        UserError: an array has another number of rows.

    Example:
        >>> rows_of({"a": jnp.ones((1, 2))}, 3, name="annotations", of="tokens")["a"].shape
        (3, 2)
    """

    def broadcast(leaf: Any) -> Array:
        leaf = as_array(name, leaf)
        if leaf.ndim == 0 or leaf.shape[0] not in (1, rows):
            found = _count(leaf.shape[0], "row") if leaf.ndim else "no rows"
            raise UserError(f"{name} have {found}, the {of} {rows}; both must belong to the same batch")
        return _broadcast(leaf, (rows, *leaf.shape[1:]))

    return jax.tree.map(broadcast, tree)


def hidden_features(recurrence: Recurrence, projected: Array) -> int:
    """Return H of the projected inputs `(T, B, gates * H)`.

    Args:
        recurrence: which one.
        projected: the argument.

    Raises:
        UserError: they have another shape, or are not floating-point numbers.

    Example:
        >>> from seqnets.ops.recurrent import LSTM
        >>> hidden_features(LSTM, jnp.zeros((7, 2, 20)))
        5
    """
    gates = recurrence.gates
    if projected.ndim != 3 or projected.shape[-1] % gates or not projected.shape[-1]:
        raise UserError(f"projected inputs must have the shape (time, batch, {gates} * hidden), not {projected.shape}")
    if not jnp.issubdtype(projected.dtype, jnp.floating):
        raise UserError(f"projected inputs must be floating-point numbers, not {projected.dtype}")
    return projected.shape[-1] // gates


def weights_of(recurrence: Recurrence, weights: RecurrentWeights, hidden: int, precision: Any) -> RecurrentWeights:
    """Return the weights of a recurrence of H hidden features; vectors may broadcast.

    Args:
        recurrence: which one; if it does not state its kernels, nothing is checked.
        weights: the argument.
        hidden: H.
        precision: the dtype of the state.

    Raises:
        UserError: the recurrence reads other weights, or other shapes.

    Example:
        >>> from seqnets.ops.recurrent import LSTM
        >>> weights_of(LSTM, RecurrentWeights((jnp.zeros((4, 16)),), {}), 5, jnp.float32)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: recurrent kernel 1 must have the shape (5, 20), not (4, 16)
    """
    widths = recurrence.kernels
    if widths is None:
        return weights
    if len(weights.kernels) != len(widths):
        raise UserError(f"{recurrence.name} has {_count(len(widths), 'recurrent kernel')}, not {len(weights.kernels)}")
    kernels = tuple(as_array("recurrent kernels", kernel) for kernel in weights.kernels)
    for number, (kernel, width) in enumerate(zip(kernels, widths), start=1):
        if kernel.shape != (hidden, width * hidden):
            raise UserError(f"recurrent kernel {number} must have the shape {(hidden, width * hidden)}, not {kernel.shape}")
        if not jnp.issubdtype(kernel.dtype, jnp.floating):
            raise UserError(f"recurrent kernel {number} must hold floating-point numbers, not {kernel.dtype}")
    return RecurrentWeights(kernels, _vectors_of(recurrence, weights.vectors, hidden, precision))


def _vectors_of(recurrence: Recurrence, vectors: Vectors, hidden: int, precision: Any) -> Vectors:
    shapes = dict(recurrence.vectors)
    if _OF_LAYER_NORM.keys() & vectors.keys():
        shapes |= _OF_LAYER_NORM
    checked = dict(vectors)
    for name, shape in shapes.items():
        shape = (*shape[:-1], shape[-1] * hidden)
        if name in vectors:
            checked[name] = _vector(name, vectors[name], shape, precision)
        elif 0 not in shape:
            raise UserError(f"{recurrence.name} needs the vector {name!r} of the shape {shape}, which is missing")
    if recurrence.layer_norm and recurrence.kernels is not None:
        name, widths = "recurrent_scale", [(width * hidden,) for width in recurrence.kernels]
        scales = entries(vectors.get(name, ()), len(widths), name=name, whole=recurrence.name, part="kernel")
        checked[name] = tuple(_vector(name, *each, precision) for each in zip(scales, widths))
    return checked


def _vector(name: str, vector: Any, shape: tuple[int, ...], precision: Any) -> Array:
    vector = as_array(name, vector)
    if not _broadcasts(vector.shape, shape):
        raise UserError(f"{name} must have the shape {shape}, not {vector.shape}")
    if not jnp.issubdtype(vector.dtype, jnp.floating):
        raise UserError(f"{name} must hold floating-point numbers, not {vector.dtype}")
    if jnp.result_type(vector.dtype, precision) != precision:
        raise UserError(f"{name} is {vector.dtype} and the carry {precision}; give the carry in {vector.dtype}")
    return _broadcast(vector, shape)


def zoneout_of(recurrence: Recurrence, zoneout: Any, shape: tuple[int, int, int], precision: Any) -> Any:
    """Return shares of the old state with the full time axis, whose other axes broadcast to `(T, B, H)`.

    Args:
        recurrence: which one.
        zoneout: the argument, in the structure of the carry, or None.
        shape: `(T, B, H)`.
        precision: the dtype of the state.

    Raises:
        UserError: it has another structure, or a part does not broadcast.

    Example:
        >>> from seqnets.ops.recurrent import VANILLA
        >>> zoneout_of(VANILLA["tanh"], 0.5, (7, 2, 5), jnp.float32).shape
        (7, 1, 1)
    """
    if zoneout is None:
        return None

    def full_time(share: Array) -> Array:
        if not _broadcasts(share.shape, shape):
            raise UserError(f"zoneout must broadcast to the shape {shape}, not {share.shape}")
        share = share.reshape((1,) * (3 - share.ndim) + share.shape).astype(precision)
        return _broadcast(share, (shape[0], *share.shape[1:]))

    return jax.tree.map(full_time, _structured(recurrence, zoneout, "zoneout"))


def carries(cells: Sequence[Any], carry: Any, rows: int, *, name: str = "carry", of: str = "tokens") -> tuple[Carry, ...]:
    """Return the states of cells on top of each other; see `state`.

    Args:
        cells: each with a `recurrence` and `hidden_features`.
        carry: the argument, one entry per cell.
        rows: B.
        name: name of the argument.
        of: the name of the array with the B rows.

    Raises:
        UserError: there are too few or too many states, or one does not match its cell.
    """
    states = entries(carry, len(cells), name=name)
    return tuple(state(cell.recurrence, each, rows, cell.hidden_features, name=name, of=of) for cell, each in zip(cells, states))


def real_array(name: str, value: Any) -> Array:
    """Return the result of `as_array`, which must hold real numbers or booleans.

    Args:
        name: name of the argument.
        value: the argument.

    Raises:
        UserError: it is anything else.
    """
    array = as_array(name, value)
    if not _is_real(array.dtype):
        raise UserError(f"{name} must be real numbers, not {array.dtype}")
    return array


def _is_real(dtype: Any) -> bool:
    return any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _broadcast(array: Array, shape: tuple[int, ...]) -> Array:
    return array if array.shape == shape else jnp.broadcast_to(array, shape)


def _count(number: int, word: str) -> str:
    many = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{number} {word if number == 1 else many}"


def _described(value: Any) -> str:
    if isinstance(value, (Array, np.ndarray)):
        return f"one array of the shape {value.shape}"
    if isinstance(value, (tuple, list)):
        kind = type(value).__name__
        return f"{'an' if kind[0] in 'AEIOUL' else 'a'} {kind} of {len(value)}"
    return type(value).__name__
