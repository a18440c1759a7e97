"""The base of tasks with one class per example: text classification, and questions about pictures."""

from abc import abstractmethod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqnets.data.examples.examples import Batch, Examples
from seqnets.tasks.example_task import ExampleTask
from seqnets.train.task import Metrics


class ClassTask(ExampleTask):
    """A model and examples with a column `label`; the loss is the mean of -ln p(label), the best model has the highest accuracy.

    A task adds the call of its model.
    """

    objective, has_macro_f1 = "accuracy", False

    @abstractmethod
    def logits(self, model: Any, batch: Batch, key: jax.Array) -> jax.Array:
        """Return the logits of a batch in training, `(B, C)`."""

    @abstractmethod
    def log_probabilities(self, model: Any, examples: Examples) -> np.ndarray:
        """Return ln p of every class of every example, `(N, C)`."""

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss of a batch and its figures."""
        logits = self.logits(model, batch, key)
        nats = jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch["label"]))
        return nats, {"nats": nats, "accuracy": jnp.mean(logits.argmax(-1) == batch["label"])}

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return the figures of a split: a class that was not learned (-1) counts as wrong in accuracy and is ignored in nats."""
        from seqnets.metrics.classification import confusion, macro_f1

        found = self.log_probabilities(model, examples)
        truth, guesses = np.asarray(examples.columns["label"]), found.argmax(-1)
        learned = truth >= 0
        nats = -found[learned, truth[learned]]
        counts = confusion(truth[learned], guesses[learned], found.shape[-1])
        return {
            "accuracy": float((guesses == truth).mean()),
            **({"macro_f1": macro_f1(counts)} if self.has_macro_f1 else {}),
            "nats": float(nats.mean(dtype=np.float64)) if learned.any() else float("nan"),
        }
