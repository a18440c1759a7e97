"""Text classification as a task."""

from typing import Any

import jax
import numpy as np

from seqnets.data.examples.examples import Batch, Examples
from seqnets.tasks.class_task import ClassTask


class TextClassifierTask(ClassTask):
    """A text classifier and its texts; the loss is the mean of -ln p(label), the best model has the highest accuracy.

    Args:
        model: a `TextClassifier`.
        splits: examples with the columns `tokens` and `label`, from `seqnets.data.text_examples`.

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

    name, units, has_macro_f1 = "text-classifier", "texts", True

    def logits(self, model: Any, batch: Batch, key: jax.Array) -> jax.Array:
        """Return the logits of a batch in training, `(B, C)`."""
        return model(batch["tokens"], batch["tokens_lengths"], key=key)

    def log_probabilities(self, model: Any, examples: Examples) -> np.ndarray:
        """Return ln p of every class of every text, `(N, C)`."""
        from seqnets.decode.rows import map_examples
        from seqnets.decode.text_classes import class_log_probabilities

        return map_examples(class_log_probabilities, model, examples)
