"""Questions that a model did not learn from, and how it answers them."""

from typing import Any, NamedTuple

import numpy as np

from seqnets.data.examples.question_examples import Asked
from seqnets.data.examples.questions import Question
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.decode.answers import answers_and_glimpses, questions_for
from seqnets.decode.captions.images import shown
from seqnets.decode.rows import map_examples
from seqnets.errors import UserError
from seqnets.inspect import Judgments
from seqnets.run import Run


class Questions(NamedTuple):
    """Questions about pictures.

    Attributes:
        asked: the questions, with the name of the picture and the answer.
        rows: the row of each question's picture, `(N,)`.
        pictures: uint8 `(M, H, W, 3)`, in memory or in files.
        examples: the same, encoded.
    """

    asked: list[Question]
    rows: np.ndarray
    pictures: Any
    examples: Any


def held_out(run: Run, given: str | None = None, *, most: int = 2_000) -> tuple[Questions, str]:
    """Return questions that a model did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train vqa`.
        given: not used: the questions are those of the run's test, or else those that its validation held out.
        most: how many are taken; of more, every second, third or so.

    Raises:
        UserError: they cannot be read, or the run holds none out.
    """
    from seqnets.tasks.vqa import RECIPE, test_asked, training_asked

    config = RECIPE.settings_of(run)
    if config.test_questions:
        return questions_of(run.model, test_asked(run, config, []), config.data.max_length, most), "the test"
    asked, held = training_asked(config, run.model.config.image_size, run.model.preprocessing)
    if not held.any():
        raise UserError(f"'{run.directory}' held no questions out, so nothing can be said about them")
    rows = np.flatnonzero(held)
    part = asked._replace(questions=[asked.questions[row] for row in rows], rows=asked.rows[rows])
    return questions_of(run.model, part, config.data.max_length, most), "the validation split"


def questions_of(model: Any, asked: Asked, max_length: int, most: int = 2_000) -> Questions:
    """Return questions in the form that a model reads.

    Args:
        model: a `VQA`.
        asked: the questions and pictures.
        max_length: the most words of a question.
        most: how many are taken; of more, every second, third or so.
    """
    rows = np.arange(0, len(asked.questions), -(-len(asked.questions) // most))
    examples = questions_for(model, asked, rows, max_length)
    return Questions([asked.questions[row] for row in rows], asked.rows[rows], asked.pictures, examples)


def looked(model: Any, questions: Questions) -> tuple[Judgments, np.ndarray | None]:
    """Return how a model answers questions, and where it looked: `(N, glimpses, rows, columns)`, None without attention."""
    found, seen = map_examples(answers_and_glimpses, model, questions.examples)
    judgments = Judgments(tuple(model.answers), np.asarray(questions.examples.columns["label"]), found.astype(np.float64))
    return judgments, None if seen is None else seen.reshape(len(found), -1, *model.grid)


def judged(model: Any, questions: Questions) -> Judgments:
    """Return how a model answers questions."""
    return looked(model, questions)[0]


def name_of(model: Any, questions: Questions, example: int) -> str:
    """Return a question and the name of its picture."""
    question = questions.asked[example]
    return f"{question.text} ({question.image})"


def picture_of(model: Any, questions: Questions, example: int) -> np.ndarray:
    """Return the picture of a question as the model sees it: uint8 `(H, W, 3)`."""
    row = int(questions.rows[example])
    return shown(model.preprocessing or Preprocessing(), questions.pictures[row : row + 1][0])
