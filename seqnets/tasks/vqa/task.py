"""Visual question answering as a task."""

from typing import Any

import jax
import numpy as np

from seqnets.data.examples.examples import Batch, Examples
from seqnets.tasks.class_task import ClassTask


class VQATask(ClassTask):
    """A model and questions about pictures; the loss is the mean of -ln p(answer), the best model has the highest accuracy.

    Args:
        model: a `VQA`.
        splits: examples with the columns `image`, `tokens` and `label`, from `seqnets.data.examples.question_examples`.

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

    name, units = "vqa", "questions"

    def logits(self, model: Any, batch: Batch, key: jax.Array) -> jax.Array:
        """Return the logits of a batch in training, `(B, C)`."""
        return model(batch["image"], batch["tokens"], batch["tokens_lengths"], train=True, key=key)[0]

    def log_probabilities(self, model: Any, examples: Examples) -> np.ndarray:
        """Return ln p of every answer to every question, `(N, C)`."""
        from seqnets.decode.answers import answer_log_probabilities
        from seqnets.decode.rows import map_examples

        return map_examples(answer_log_probabilities, model, examples)
