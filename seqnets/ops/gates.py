"""Separate gates, for a backend that cannot slice arrays."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array


class Gates(NamedTuple):
    """An array `(..., gates * H)`, stored as one array per gate.

    A step of a recurrence only adds such arrays and splits them, so this class supports nothing else. A GPU kernel needs it:
    its values are in registers, where arrays cannot be sliced.

    Attributes:
        parts: one `(..., H)` per gate.
    """

    parts: tuple[Array, ...]

    @property
    def ndim(self) -> int:
        """The number of axes of every part."""
        return self.parts[0].ndim

    @property
    def dtype(self) -> Any:
        """The dtype of every part."""
        return self.parts[0].dtype

    def astype(self, dtype: Any) -> "Gates":
        """Return every part in another dtype."""
        return self.map(lambda part: part.astype(dtype))

    def map(self, function: Callable[[Array], Array]) -> "Gates":
        """Return the function applied to every part."""
        return Gates(tuple(map(function, self.parts)))

    def __add__(self, other: "Gates") -> "Gates":  # pyright: ignore[reportIncompatibleMethodOverride]
        return Gates(tuple(a + b for a, b in zip(self.parts, other.parts, strict=True)))


def split_gates(x: Array | Gates, count: int) -> tuple[Array, ...]:
    """Split the gates on the last axis into one array each.

    Args:
        x: `(..., count * H)`, or gates that are already separate.
        count: their number.

    Example:
        >>> [gate.tolist() for gate in split_gates(jnp.arange(4), 2)]
        [[0, 1], [2, 3]]
        >>> split_gates(Gates((jnp.zeros(2), jnp.ones(2))) + Gates((jnp.ones(2), jnp.ones(2))), 2)[1].tolist()
        [2.0, 2.0]
    """
    return x.parts if isinstance(x, Gates) else tuple(jnp.split(x, count, axis=-1))
