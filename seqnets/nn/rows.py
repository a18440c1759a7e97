"""Batch axes, of which a caller may have none or several, as one; and time first."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.errors import UserError
from seqnets.ops import arguments


class Rows(NamedTuple):
    """How the axes of a caller's arrays become `(T, B, ...)`, and back.

    Attributes:
        batch: the caller's batch axes.
        steps: T.
        time_major: the caller's time axis comes before the batch axes, not after.
    """

    batch: tuple[int, ...]
    steps: int
    time_major: bool = False

    @classmethod
    def of(cls, shape: tuple[int, ...], feature_axes: int, time_major: bool) -> "Rows":
        """Read them off the shape of the inputs, which has a time axis.

        Example:
            >>> Rows.of((2, 7, 3), 1, time_major=False)
            Rows(batch=(2,), steps=7, time_major=False)
        """
        lead = shape[: len(shape) - feature_axes]
        return cls(lead[1:], lead[0], True) if time_major else cls(lead[:-1], lead[-1], False)

    @property
    def count(self) -> int:
        """B."""
        return math.prod(self.batch)

    def time_first(self, x: Array) -> Array:
        """Return an array with the caller's axes as `(T, *batch, ...)`."""
        return x if self.time_major else jnp.moveaxis(x, len(self.batch), 0)

    def as_given(self, x: Array) -> Array:
        """Undo `time_first`."""
        return x if self.time_major else jnp.moveaxis(x, 0, len(self.batch))

    def merged(self, x: Any, axis: int = 0, *, name: str = "inputs") -> Any:
        """Take the batch axes, which begin at `axis`, as one.

        Raises:
            UserError: there are several, and the array has others; one batch axis is left to other checks.
        """
        if len(self.batch) == 1:
            return x
        end = axis + len(self.batch)
        if x.shape[axis:end] != self.batch:
            raise UserError(f"{name} must have the batch axes {self.batch} of the inputs, not the shape {x.shape}")
        return x.reshape(*x.shape[:axis], self.count, *x.shape[end:])

    def divided(self, x: Any, axis: int = 0) -> Any:
        """Undo `merged`."""
        return x if len(self.batch) == 1 else x.reshape(*x.shape[:axis], *self.batch, *x.shape[axis + 1 :])

    def masks(self, lengths: Any, resets: Any, mask: Any) -> tuple[Array | None, Array | None, Array | None]:
        """Return lengths `(B,)`, resets `(T, B)` and a mask `(T, B)` of what a caller gave, or None.

        Raises:
            UserError: they do not fit the inputs.
        """
        axis, shape = (1, (self.steps, self.count)) if self.time_major else (0, (self.count, self.steps))
        lengths = None if lengths is None else arguments.as_array("lengths", lengths)
        if lengths is not None and lengths.shape not in ((), (1,)):  # which stand for all rows
            lengths = self.merged(lengths, name="lengths")
        named = {"resets": resets, "mask": mask}
        given = {
            name: self.merged(arguments.as_array(name, each), axis, name=name) for name, each in named.items() if each is not None
        }
        flat = {name: arguments.mask_of(each, shape, row_axis=axis, name=name) for name, each in given.items()}
        first = {name: each if self.time_major else each.T for name, each in flat.items()}
        lengths = None if lengths is None else arguments.lengths_of(lengths, self.count)
        return lengths, first.get("resets"), first.get("mask")

    def merged_carry(self, carry: Any) -> Any:
        """Return a carry, leaves `(*batch, ...)`, with one batch axis."""
        if len(self.batch) == 1:
            return carry
        name = "initial_carry"
        return jax.tree.map(lambda leaf: self.merged(arguments.as_array(name, leaf), name=name), carry)

    def divided_carry(self, carry: Any) -> Any:
        """Undo `merged_carry`."""
        return carry if len(self.batch) == 1 else jax.tree.map(self.divided, carry)
