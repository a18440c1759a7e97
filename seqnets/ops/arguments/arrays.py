"""Arrays of numbers, tokens and rows as arguments."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from seqnets.errors import UserError


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


def real_array(name: str, value: Any) -> Array:
    """Return the result of `as_array`, which must hold real numbers or booleans.

    Args:
        name: name of the argument.
        value: the argument.

    Raises:
        UserError: it is anything else.
    """
    array = as_array(name, value)
    if not is_real(array.dtype):
        raise UserError(f"{name} must be real numbers, not {array.dtype}")
    return array


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

    def one_of_rows(leaf: Any) -> Array:
        leaf = as_array(name, leaf)
        if leaf.ndim == 0 or leaf.shape[0] not in (1, rows):
            found = counted(leaf.shape[0], "row") if leaf.ndim else "no rows"
            raise UserError(f"{name} have {found}, the {of} {rows}; both must belong to the same batch")
        return broadcast(leaf, (rows, *leaf.shape[1:]))

    return jax.tree.map(one_of_rows, tree)


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


def is_real(dtype: Any) -> bool:
    """Return whether a dtype holds real numbers or booleans."""
    return any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


def broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Return whether one shape broadcasts to another; sizes may be symbolic, which NumPy does not take."""
    return len(shape) <= len(to) and all(size in (1, want) for size, want in zip(reversed(shape), reversed(to)))


def broadcast(array: Array, shape: tuple[int, ...]) -> Array:
    """Return an array broadcast to a shape that it broadcasts to; without any work where it has that shape."""
    return array if array.shape == shape else jnp.broadcast_to(array, shape)


def counted(number: int, word: str) -> str:
    """Return a number of things in words.

    Example:
        >>> counted(1, "entry"), counted(2, "entry")
        ('1 entry', '2 entries')
    """
    many = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{number} {word if number == 1 else many}"


def described(value: Any) -> str:
    """Return what an argument is, for errors.

    Example:
        >>> described(jnp.zeros((2, 3))), described([1, 2])
        ('one array of the shape (2, 3)', 'a list of 2')
    """
    if isinstance(value, (Array, np.ndarray)):
        return f"one array of the shape {value.shape}"
    if isinstance(value, (tuple, list)):
        kind = type(value).__name__
        return f"{'an' if kind[0] in 'AEIOUL' else 'a'} {kind} of {len(value)}"
    return type(value).__name__
