"""Text classification as a task."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqnets.data.examples.examples import Batch, Examples
from seqnets.tasks.example_task import ExampleTask
from seqnets.train.task import Metrics


class TextClassifierTask(ExampleTask):
    """A text classifier and its texts; the loss is the mean of -ln p(label), the best model has the highest accuracy.

    Args:
        model: a `TextClassifier`.
        splits: examples with the columns `tokens` and `label`, of `seqnets.data.text_examples`.

    Example:
        >>> import seqnets as sn
        >>> from flax import nnx
        >>> from seqnets.data.examples.texts import SequenceConfig, text_examples
        >>> from seqnets.models.sequence.text_classifier import TextClassifier, TextClassifierConfig
        >>> texts = [f"{word} {n}" for word in ("good", "bad") for n in range(20)]
        >>> vocabulary, labels, splits = text_examples(texts, [text[0] for text in texts], SequenceConfig())
        >>> model = TextClassifier(vocabulary, labels, TextClassifierConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> run = sn.fit(TextClassifierTask(model, splits), sn.TrainConfig(steps=2, batch_size=4), progress=None)
        >>> sorted(run.metrics[-1])
        ['step', 'validation_accuracy', 'validation_macro_f1', 'validation_nats']
    """

    name, objective, units = "text-classifier", "accuracy", "texts"

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss of a batch and its figures."""
        logits = model(batch["tokens"], batch["tokens_lengths"], key=key)
        nats = jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch["label"]))
        return nats, {"nats": nats, "accuracy": jnp.mean(logits.argmax(-1) == batch["label"])}

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return accuracy, macro F1 and nats of a split."""
        from seqnets.decode.rows import map_examples
        from seqnets.decode.text_classes import class_log_probabilities
        from seqnets.metrics.classification import accuracy, confusion, macro_f1

        found = map_examples(class_log_probabilities, model, examples)
        truth = np.asarray(examples.columns["label"])
        counts = confusion(truth, found.argmax(-1), found.shape[-1])
        nats = -found[np.arange(len(truth)), truth].mean(dtype=np.float64)
        return {"accuracy": accuracy(counts), "macro_f1": macro_f1(counts), "nats": float(nats)}
