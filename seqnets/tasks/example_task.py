"""The base of tasks with independent examples, and of those with padded examples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from seqnets.data.examples.examples import Examples, ShuffledBatches
from seqnets.train.task import Carry, Metrics


class MemorylessTask(ABC):
    """A task without a carry between batches; subclasses add the loss of a batch."""

    @abstractmethod
    def losses(self, model: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the scalar to minimize, and scalars to log."""

    def units_per_step(self, batch_size: int) -> int:
        """Return B, its examples."""
        return batch_size

    def initial_carry(self, batch_size: int) -> Carry:
        """Return nothing."""
        return ()

    def loss(self, model: Any, batch: Any, carry: Carry, key: jax.Array) -> tuple[jax.Array, tuple[Carry, Metrics]]:
        """Return the loss of a batch, the empty carry and its figures."""
        loss, figures = self.losses(model, batch, key)
        return loss, (carry, figures)

    def preview(self, model: Any, seed: int) -> str:
        """Return no preview."""
        return ""


class ExampleTask(MemorylessTask):
    """A model and its examples, each of which is used once per epoch.

    A task adds its loss of a batch and its figures of a split.

    Args:
        model: the model to train; it has `describe()` and `vocabulary`.
        splits: examples under `train` and, if there are any, `validation` and `test`.
    """

    maximize, units = True, "examples"

    def __init__(self, model: Any, splits: Mapping[str, Examples]) -> None:
        self.model, self.splits = model, {name: examples for name, examples in splits.items() if len(examples)}
        self.vocabulary = model.vocabulary

    @abstractmethod
    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return the exact figures of a split."""

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> ShuffledBatches:
        """Return some rows of the batches of the training split."""
        return ShuffledBatches(self.splits["train"], batch_size, seed, rows)

    def evaluate(self, model: Any, split: str) -> dict[str, float]:
        """Return the exact figures of a split; empty if there is none."""
        return self.figures(model, self.splits[split]) if split in self.splits else {}

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return the hashes of all splits."""
        return {name: examples.digest() for name, examples in self.splits.items()}

    def artifacts(self) -> dict[str, Any]:
        """Return the model's settings and the vocabulary."""
        found = {"model": self.model.describe()}
        return found if self.vocabulary is None else {**found, "vocabulary": self.vocabulary.to_json()}
