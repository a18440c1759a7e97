"""What the loop asks of a task, and all it knows of one."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from flax import nnx

Carry = Any
Metrics = dict[str, jax.Array]


class BatchSource(Protocol):
    """Batches by number: a pure function of the step, so that the step is the whole data position."""

    def batch(self, step: int) -> Any:
        """Return the batch of a step, counted from 0: NumPy arrays [rows, ...] in a pytree, whose shapes never change."""
        ...


@runtime_checkable
class Task(Protocol):
    """A model, its data and its loss; `fit` trains any of them.

    `loss` runs inside `jax.jit` with a model merged from the current weights; nothing random is kept in it, all
    randomness comes from `key`. `evaluate` and `preview` run between steps and must not change the model.
    """

    @property
    def name(self) -> str:
        """The word of the command line, "text"."""
        ...

    @property
    def model(self) -> nnx.Module:
        """The model with its initial weights; `fit` leaves it as it is and returns a trained one."""
        ...

    @property
    def objective(self) -> str:
        """The figure of `evaluate` that picks the best checkpoint; the lowest wins unless `maximize`."""
        ...

    @property
    def maximize(self) -> bool:
        """Whether the highest figure is the best."""
        ...

    @property
    def units(self) -> str:
        """What a batch is counted in, "characters"."""
        ...

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> BatchSource:
        """Return the training batches, of each only the rows (an index) that this process's devices need."""
        ...

    def units_per_step(self, batch_size: int) -> int:
        """Return how many units one batch holds."""
        ...

    def initial_carry(self, batch_size: int) -> Carry:
        """Return what flows from one step to the next, a pytree of arrays; () for nothing."""
        ...

    def loss(self, model: nnx.Module, batch: Any, carry: Carry, key: jax.Array) -> tuple[jax.Array, tuple[Carry, Metrics]]:
        """Return the scalar to minimize, the next carry, and scalars to log."""
        ...

    def evaluate(self, model: nnx.Module, split: str) -> Mapping[str, float]:
        """Return the exact figures of a whole split; empty if there is no such split."""
        ...

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return what must be equal for a resumed run to be the same run: the data, the vocabulary."""
        ...

    def preview(self, model: nnx.Module, seed: int) -> str:
        """Return something to look at, shown after evaluations; "" for nothing."""
        ...

    def artifacts(self) -> Mapping[str, Any]:
        """Return what loading needs besides weights, as JSON: `model` (kind and config), `vocabulary`."""
        ...
