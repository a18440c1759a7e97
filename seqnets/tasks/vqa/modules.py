"""Visual question answering by module networks."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from seqnets.data.examples.examples import Batch, ShuffledBatches
from seqnets.data.forest import width_for
from seqnets.errors import UserError
from seqnets.tasks.class_task import ClassTask
from seqnets.tasks.recipe import Tell, counted

if TYPE_CHECKING:
    from seqnets.data.examples.question_examples import Asked
    from seqnets.tasks.start import Start
    from seqnets.tasks.vqa import VQARunConfig

DRAWN, HELD = 5000, 500  # questions to train on, and of each kind to validate on


class ModuleVQATask(ClassTask):
    """A model of modules and questions with their layouts; the loss is the mean of -ln p(answer).

    Besides the figures of all questions, the validation has the accuracy on those that training asks about other pictures (seen)
    and on those that it never asks (unseen).

    Args:
        model: a `ModuleVQA`.
        splits: `LaidOut` questions, from `seqnets.data.examples.question_examples`.

    Example:
        >>> from seqnets.tasks.vqa import RECIPE
        >>> from seqnets import settings
        >>> config = RECIPE.completed(settings.replaced(RECIPE.default(), {"model": {"kind": "modules"}}))
        >>> task = RECIPE.make(config, print, None)
        6,000 questions (5,000 for train, 1,000 for validation) about 6,000 pictures, 14 words, 2 answers
        >>> task.name, task.batches(4, 0).batch(0)["image"].shape
        ('vqa', (4, 30, 30, 3))
    """

    name, units = "vqa", "questions"

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> ShuffledBatches:
        """Return the batches of the training split, all of one shape.

        Raises:
            UserError: `rows` are only a part of the batch, but all layouts of a batch are one schedule.
        """
        if len(np.arange(batch_size)[rows]) < batch_size:
            raise UserError("a batch of layouts is one schedule, which several processes cannot divide; train in one process")
        train: Any = self.splits["train"]
        room = train.forest.room_for_any(batch_size, width_for(batch_size))
        return ShuffledBatches(replace(train, room=room), batch_size, seed)

    def logits(self, model: Any, batch: Batch, key: jax.Array) -> jax.Array:
        """Return the logits of a batch in training, `(B, C)`."""
        return model(batch["image"], batch)[0]

    def log_probabilities(self, model: Any, examples: Any) -> np.ndarray:
        """Return ln p of every answer to every question, `(N, C)`."""
        from seqnets.decode.answers import answer_log_probabilities
        from seqnets.decode.rows import map_examples

        return map_examples(answer_log_probabilities, model, examples)

    def figures(self, model: Any, examples: Any) -> dict[str, float]:
        """Return the figures of a split, and the accuracy on questions that training asks or never asks."""
        right = self.log_probabilities(model, examples).argmax(-1) == np.asarray(examples.columns["label"])
        return super().figures(model, examples) | self.by_novelty("accuracy", right, self.asked(examples))

    def asked(self, examples: Any) -> np.ndarray:
        """Return which questions training asks, `(N,)`."""
        asked = {tuple(question) for question in _questions(self.splits["train"])}
        return np.array([tuple(question) in asked for question in _questions(examples)])

    def by_novelty(self, name: str, right: np.ndarray, seen: np.ndarray) -> dict[str, float]:
        """Return the share of what is right, `(N,)`, among the questions that training asks and those that it never asks."""
        parts = {f"seen_{name}": right[seen], f"unseen_{name}": right[~seen]}
        return {name: float(part.mean()) for name, part in parts.items() if len(part)}


def _questions(examples: Any) -> list[list[int]]:
    tokens = examples.columns["tokens"].sequences
    return [tokens[row].tolist() for row in range(len(tokens))]


def make(config: "VQARunConfig", tell: Tell, start: "Start | None" = None) -> ModuleVQATask:
    """Read or draw the questions and the pictures, and make the model."""
    from flax import nnx

    from seqnets.data.examples.question_examples import laid_out, question_examples
    from seqnets.models.sequence.layout_policy import module_names
    from seqnets.models.sequence.modules import ModuleVQA
    from seqnets.tasks.vqa import training_asked
    from seqnets.tasks.vqa.policy import LayoutPolicyTask

    asked, held = training_asked(config, config.model.image_size, tell=tell)
    extends = start.vocabulary if start else None
    vocabulary, answers, splits = question_examples(asked, config.data, extends=extends, encode=laid_out, held=held)
    for sentence in asked.left_out:
        tell(sentence)
    tell(f"{counted(splits, 'questions')} about {len(asked.pictures):,} pictures, {vocabulary}, {len(answers):,} answers")
    rngs, learned = nnx.Rngs(config.train.seed), config.model.layouts == "learned"
    if learned and not splits["train"].given.any():
        tell("no question has a layout, so the policy learns from the answers alone")
    if start:
        more = {"module_names": module_names(vocabulary)} if learned else {}
        model = start.grown(config.model, tell, rngs=rngs, vocabulary=vocabulary, answers=answers, **more)
    else:
        model = ModuleVQA(vocabulary, answers, config.model, rngs=rngs)
    return LayoutPolicyTask(model, splits, config.loss) if learned else ModuleVQATask(model, splits)


def drawn() -> tuple["Asked", np.ndarray]:
    """Return drawn questions, and which are held out: new ones of the same kind, and ones that are never trained on."""
    from seqnets.data.demo.shape_grids import draw_questions
    from seqnets.data.examples.layouts import layout_of
    from seqnets.data.examples.question_examples import Asked
    from seqnets.data.examples.questions import Question

    found = draw_questions(DRAWN + HELD) + draw_questions(HELD, unseen=True)
    questions = [Question(str(number), one.question, one.answer, layout_of(one.question)) for number, one in enumerate(found)]
    pictures = np.stack([one.image for one in found])
    return Asked(questions, np.arange(len(found), dtype=np.int32), pictures, []), np.arange(len(found)) >= DRAWN
