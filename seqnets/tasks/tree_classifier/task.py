"""Classification of all nodes of trees as a task."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqnets.data.examples.examples import ShuffledBatches
from seqnets.data.forest import Schedule, Scheduled, width_for
from seqnets.errors import UserError
from seqnets.tasks.example_task import ExampleTask
from seqnets.train.task import Metrics


class TreeClassifierTask(ExampleTask):
    """A classifier of trees and its forests; the loss is the mean of -ln p(label) over all nodes that have one.

    Args:
        model: a `TreeClassifier`.
        splits: forests, from `seqnets.data.examples.trees.tree_examples`.

    Example:
        >>> import seqnets as sn
        >>> from flax import nnx
        >>> from seqnets.data.examples.trees import TreeDataConfig, parse_trees, tree_examples
        >>> from seqnets.models.sequence.tree_classifier import TreeClassifier, TreeClassifierConfig
        >>> trees = parse_trees("(1 (0 a) (1 b)) (0 (0 a) (0 c))", "a text")
        >>> words, labels, forests, _ = tree_examples(trees, trees, TreeDataConfig())
        >>> model = TreeClassifier(words, labels, TreeClassifierConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> run = sn.fit(TreeClassifierTask(model, forests), sn.TrainConfig(steps=2, batch_size=2), progress=None)
        >>> sorted(run.metrics[-1])
        ['step', 'validation_accuracy', 'validation_nats', 'validation_root_accuracy']
    """

    name, objective, units = "tree-classifier", "root_accuracy", "trees"

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> ShuffledBatches:
        """Return the schedules of the training split, all of one shape.

        Raises:
            UserError: `rows` are only a part of the batch, but all trees of a batch are one schedule.
        """
        if len(np.arange(batch_size)[rows]) < batch_size:
            raise UserError("a batch of trees is one schedule, which several processes cannot divide; train in one process")
        forest: Any = self.splits["train"]
        room = forest.room_for_any(batch_size, width_for(batch_size))
        return ShuffledBatches(Scheduled(forest, room), batch_size, seed)

    def losses(self, model: Any, batch: Schedule, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss over the labeled nodes of a batch and its figures."""
        logits, labels = model(batch, key=key), batch["labels"]
        nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
        right = logits.argmax(-1) == labels
        loss, accuracy = (
            jnp.sum(jnp.where(labels >= 0, part, 0)) / jnp.maximum(jnp.sum(labels >= 0), 1) for part in (nats, right)
        )
        return loss, {"nats": loss, "accuracy": accuracy, "root_accuracy": jnp.mean(right[batch["roots"]])}

    def figures(self, model: Any, examples: Any) -> dict[str, float]:
        """Return accuracy at the roots and at all labeled nodes, and nats; a label that was not learned is ignored."""
        from seqnets.decode.trees import node_log_probabilities

        found = node_log_probabilities(model, examples)
        right, there = found.argmax(-1) == examples.labels, examples.labels >= 0
        roots = examples.roots[there[examples.roots]]
        nats = -found[there, examples.labels[there]]
        return {
            "root_accuracy": float(right[roots].mean()) if len(roots) else float("nan"),
            "accuracy": float(right[there].mean()) if there.any() else float("nan"),
            "nats": float(nats.mean(dtype=np.float64)) if there.any() else float("nan"),
        }
