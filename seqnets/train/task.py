"""The interface between the loop and a task."""

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

    `loss` runs inside `jax.jit` with a model merged from the current weights; it stores no random state;
    all randomness comes from `key`. `evaluate` and `preview` run between steps and must not change the model.
    """

    @property
    def name(self) -> str:
        """The task's name on the command line, such as "text"."""
        ...

    @property
    def model(self) -> nnx.Module:
        """The model with its initial weights; `fit` does not change it and returns a trained copy."""
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
        """The unit in which a batch is counted, such as "characters"."""
        ...

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> BatchSource:
        """Return the training batches, each with only the rows (an index) that this process's devices need."""
        ...

    def units_per_step(self, batch_size: int) -> int:
        """Return how many units one batch holds."""
        ...

    def initial_carry(self, batch_size: int) -> Carry:
        """Return the carry from one step to the next, a pytree of arrays; () for none."""
        ...

    def loss(self, model: nnx.Module, batch: Any, carry: Carry, key: jax.Array) -> tuple[jax.Array, tuple[Carry, Metrics]]:
        """Return the scalar to minimize, the next carry, and scalars to log."""
        ...

    def evaluate(self, model: nnx.Module, split: str) -> Mapping[str, float]:
        """Return the exact figures of a whole split; empty if there is no such split."""
        ...

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return what must not change when a run is resumed: the data, the vocabulary."""
        ...

    def preview(self, model: nnx.Module, seed: int) -> str:
        """Return sample output to show after evaluations; "" for none."""
        ...

    def artifacts(self) -> Mapping[str, Any]:
        """Return everything besides weights that a run needs later.

        `model` (kind and config) and `vocabulary` are JSON; `files` holds the content of other files by name, as bytes.
        """
        ...
