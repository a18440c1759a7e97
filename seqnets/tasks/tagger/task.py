"""Frame-by-frame labeling as a task."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqnets.data.examples.examples import Batch, Examples
from seqnets.tasks.example_task import ExampleTask
from seqnets.train.task import Metrics


class TaggerTask(ExampleTask):
    """A tagger and its sequences; the loss is the mean of -ln p(label) over all steps that have one.

    Args:
        model: a `Tagger`.
        splits: examples with the columns `inputs` and `labels`, -1 for no label, from `seqnets.data.examples.label_examples`.

    Example:
        >>> import seqnets as sn
        >>> from flax import nnx
        >>> from seqnets.data.examples.label_examples import token_examples
        >>> from seqnets.data.examples.texts import SequenceConfig
        >>> from seqnets.models.sequence.tagger import Tagger
        >>> from seqnets.models.sequence.recurrent import RecurrentConfig
        >>> table, labels, splits = token_examples([(list("ab" * n), list("01" * n)) for n in range(1, 9)], SequenceConfig())
        >>> model = Tagger(table, labels, RecurrentConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> run = sn.fit(TaggerTask(model, splits), sn.TrainConfig(steps=2, batch_size=4), progress=None)
        >>> sorted(run.metrics[-1])
        ['step', 'validation_accuracy', 'validation_macro_f1', 'validation_nats', 'validation_whole_sequences']
    """

    name, objective, units = "tagger", "accuracy", "sequences"

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss over the labeled steps of a batch and its figures."""
        logits = model(batch["inputs"], batch["inputs_lengths"], key=key)
        counts = batch["labels"] >= 0
        nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(batch["labels"], 0))
        right = logits.argmax(-1) == batch["labels"]
        loss, accuracy = (jnp.sum(jnp.where(counts, part, 0)) / jnp.maximum(jnp.sum(counts), 1) for part in (nats, right))
        return loss, {"nats": loss, "accuracy": accuracy}

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return accuracy, macro F1 and nats over all labeled steps, and the share of sequences without an error."""
        from seqnets.decode.rows import map_examples
        from seqnets.decode.step_labels import best_steps
        from seqnets.metrics.classification import accuracy, confusion, macro_f1

        best, log_probability = map_examples(best_steps, model, examples)
        truth = examples.rows(np.arange(len(examples)), only="labels")["labels"]
        there = truth >= 0
        counts = confusion(truth[there], best[there], len(model.labels))
        return {
            "accuracy": accuracy(counts),
            "macro_f1": macro_f1(counts),
            "nats": float(-log_probability[there].mean(dtype=np.float64)),
            "whole_sequences": float(((best == truth) | ~there).all(-1).mean()),
        }
