"""`seqnets train vqa`: a model that answers questions about pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from flax import nnx

from seqnets.data.examples.question_examples import Asked, encoded, look_up, question_examples
from seqnets.data.examples.questions import read_questions
from seqnets.errors import UserError
from seqnets.models.sequence.vqa import VQA
from seqnets.run import Run
from seqnets.tasks import recipe
from seqnets.tasks.vqa.config import VQARunConfig
from seqnets.tasks.vqa.task import VQATask


def make_task(config: VQARunConfig, tell: Callable[[str], None]) -> VQATask:
    """Read the questions and the pictures and make the model."""
    if not config.images or not config.questions:
        raise UserError("give the pictures as --images DIR and the questions about them as --questions FILE")
    asked = _asked(config.images, config.questions, config.annotations, config.model.image_size, tell)
    vocabulary, answers, splits = question_examples(asked, config.data)
    for sentence in asked.left_out:
        tell(sentence)
    pictures = f"about {len(asked.pictures):,} pictures, {vocabulary}, {len(answers):,} answers"
    tell(f"{recipe.counted(splits, 'questions')} {pictures}")
    return VQATask(VQA(vocabulary, answers, config.model, rngs=nnx.Rngs(config.train.seed)), splits)


def closing(run: Run, config: VQARunConfig) -> str:
    """Return the figures of validation and of the test, and the next commands."""
    words = recipe.last_words(run, "accuracy nats", ['seqnets answer {run} IMAGE "what color is it?"'])
    return f"{_tested(run, config)}\n{words}" if config.test_questions else words


def _tested(run: Run, config: VQARunConfig) -> str:
    folder = config.test_images or config.images
    remarks: list[str] = []
    asked = _asked(folder, config.test_questions, config.test_annotations, config.model.image_size, remarks.append)
    rows = np.arange(len(asked.questions))
    examples = encoded(asked, rows, run.model.vocabulary, run.model.answers, config.data.max_length)
    figures = VQATask(run.model, {"train": examples}).figures(run.model, examples)
    told = "; ".join(["", *remarks, *asked.left_out])
    return f"test: accuracy {figures['accuracy']:.4f} on {len(rows):,} questions about {len(asked.pictures):,} pictures{told}"


def _asked(folder: str, questions: str, annotations: str, size: int, tell: Callable[[str], None] | None = None) -> Asked:
    if not Path(folder).is_dir():
        raise UserError(f"'{folder}' is not a folder; give the one that holds the pictures")
    return look_up(read_questions(questions, annotations, tell=tell), folder, size)
