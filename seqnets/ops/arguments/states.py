"""States of recurrent layers as arguments."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from seqnets.errors import UserError
from seqnets.ops.arguments.arrays import as_array, broadcast, broadcasts, counted, described
from seqnets.ops.recurrent import Carry, LSTMState, Recurrence

_FLOAT32 = np.dtype(np.float32)


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
        return f"{name} is for {counted(shape[1], 'hidden feature')}, the layer has {hidden}"
    return f"{name} is for {counted(shape[0], 'row')}, the {of} have {rows}; give it as many rows"


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
            raise UserError(f"{name} must be one array, not {described(parts)}")
        return as_array(name, parts)
    if not isinstance(parts, (tuple, list)) or len(parts) != len(kind._fields):
        raise UserError(f"{name} must be an {kind.__name__}({', '.join(kind._fields)}), not {described(parts)}")
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
        if leaf.shape[-1:] != (hidden,) or not broadcasts(leaf.shape[:-1], projected.shape[:-1]):
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
        raise UserError(f"{name} must be a tuple with one entry per {part}, not {described(carry)}")
    if len(carry) != count:
        raise UserError(f"{name} has {counted(len(carry), 'entry')}, {whole} {counted(count, part)}")
    return tuple(carry)


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
        if not broadcasts(share.shape, shape):
            raise UserError(f"zoneout must broadcast to the shape {shape}, not {share.shape}")
        share = share.reshape((1,) * (3 - share.ndim) + share.shape).astype(precision)
        return broadcast(share, (shape[0], *share.shape[1:]))

    return jax.tree.map(full_time, _structured(recurrence, zoneout, "zoneout"))
