"""Visual question answering as a task."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqnets.data.examples.examples import Batch, Examples
from seqnets.tasks.example_task import ExampleTask
from seqnets.train.task import Metrics


class VQATask(ExampleTask):
    """A model and questions about pictures; the loss is the mean of -ln p(answer), the best model has the highest accuracy.

    Args:
        model: a `VQA`.
        splits: examples with the columns `image`, `tokens` and `label`, of `seqnets.data.examples.question_examples`.

    Example:
        >>> import numpy as np, seqnets as sn
        >>> from flax import nnx
        >>> from seqnets.data.examples.question_examples import Asked, QuestionConfig, question_examples
        >>> from seqnets.data.examples.questions import Question
        >>> from seqnets.models.sequence.vqa import VQA, VQAConfig
        >>> questions = [Question(str(n), "is it bright?", "yes" if n > 4 else "no") for n in range(9)]
        >>> pictures = np.repeat(np.arange(9, dtype=np.uint8) * 20, 16 * 16 * 3).reshape(9, 16, 16, 3)
        >>> found = question_examples(Asked(questions, np.arange(9), pictures, []), QuestionConfig())
        >>> config = VQAConfig(image_size=16, encoder_width=2, hidden_features=4)
        >>> task = VQATask(VQA(found.vocabulary, found.answers, config, rngs=nnx.Rngs(0)), found.splits)
        >>> run = sn.fit(task, sn.TrainConfig(steps=2, batch_size=4), progress=None)
        >>> sorted(run.metrics[-1])
        ['step', 'validation_accuracy', 'validation_nats']
    """

    name, objective, units = "vqa", "accuracy", "questions"

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss of a batch and its figures."""
        logits, _ = model(batch["image"], batch["tokens"], batch["tokens_lengths"], train=True, key=key)
        nats = jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, batch["label"]))
        return nats, {"nats": nats, "accuracy": jnp.mean(logits.argmax(-1) == batch["label"])}

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return accuracy, where an answer that was not learned counts as wrong, and nats, where it does not count."""
        from seqnets.decode.answers import answer_log_probabilities
        from seqnets.decode.rows import map_examples

        found = map_examples(answer_log_probabilities, model, examples)
        truth = np.asarray(examples.columns["label"])
        learned = truth >= 0
        nats = -found[learned, truth[learned]]
        return {
            "accuracy": float((found.argmax(-1) == truth).mean()),
            "nats": float(nats.mean(dtype=np.float64)) if learned.any() else float("nan"),
        }
