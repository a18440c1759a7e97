"""Answers to questions about a picture, with probabilities and attention."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from seqnets.data.examples.examples import Batch, Examples, column
from seqnets.data.examples.layouts import LaidOut, forest_of_tokens, layout_of, layout_tokens, parse_layout
from seqnets.data.examples.question_examples import Asked, encoded, laid_out, square
from seqnets.data.examples.questions import Question
from seqnets.data.images.preprocessing import Picture
from seqnets.decode.rows import map_examples
from seqnets.decode.text_classes import Classified, classified, rounded_width
from seqnets.models.sequence.layout_policy import likeliest, write_layouts
from seqnets.models.sequence.translator import Source


class Answer(NamedTuple):
    """A model's answer to a question.

    Args:
        question: the question.
        answer: the likeliest answer, its probability, and those of all answers.
        attention: `(glimpses, rows, columns)`, where the model looked, or the maps of its modules; None for a model without.
        image: uint8 `(H, W, 3)`, the picture as the model saw it.
        looks: what each map is of.
    """

    question: str
    answer: Classified
    attention: np.ndarray | None
    image: np.ndarray
    looks: tuple[str, ...] = ()


def answer_log_probabilities(model: Any, batch: Batch) -> Array:
    """Return ln p of every answer: `(B, answers)`."""
    return answers_and_glimpses(model, batch)[0]


def answers_and_glimpses(model: Any, batch: Batch) -> tuple[Array, Array | None]:
    """Return ln p of every answer, and the attention."""
    asked = (batch,) if "kinds" in batch else (batch["tokens"], batch["tokens_lengths"])  # module networks read layouts
    logits, seen = model(batch["image"], *asked)
    return jax.nn.log_softmax(logits), seen


def answer_questions(model: Any, image: Picture, questions: Sequence[str]) -> list[Answer]:
    """Answer questions about one picture.

    Args:
        model: a `VQA`.
        image: a path, the bytes of a file, an image of Pillow, or a uint8 array `(H, W, 3)`.
        questions: any number.

    Raises:
        UserError: the picture cannot be read.
    """
    if not questions:
        return []
    pixels = square(model.config.image_size, model.preprocessing).pixels(image)
    asked = Asked([Question("", question, "") for question in questions], np.zeros(len(questions), np.int32), pixels[None], [])
    examples = questions_for(model, asked, np.arange(len(questions)))
    found, seen = map_examples(answers_and_glimpses, model, examples)
    names = [looks_of(model, question, examples, row) for row, question in enumerate(asked.questions)]
    maps = [None] * len(questions) if seen is None else seen.reshape(len(questions), -1, *model.grid)
    shares = np.exp(found.astype(np.float64))
    return [
        Answer(text, classified(model.answers, row), looked if looked is None else looked[: len(own)], pixels, own)
        for text, row, looked, own in zip(questions, shares, maps, names)
    ]


def questions_for(model: Any, asked: Asked, rows: np.ndarray, max_length: int | None = None) -> Any:
    """Return questions as a model reads them: `Examples`, or `LaidOut` for module networks.

    Args:
        model: a `VQA` or `ModuleVQA`.
        asked: questions and pictures.
        rows: which questions.
        max_length: the most tokens of a question; None for the longest, rounded up so that few programs are compiled.
    """
    encode = laid_out if model.config.kind == "modules" else encoded
    width = max_length or rounded_width([model.vocabulary.encode(asked.questions[row].text) for row in rows])
    found = encode(asked, rows, model.vocabulary, model.answers, width)
    if isinstance(found, LaidOut):
        found = found if max_length else replace(found, examples=_of_width(found.examples, width))
        return with_own_layouts(model, found)
    return found if max_length else _of_width(found, width)


def with_own_layouts(model: Any, questions: LaidOut) -> LaidOut:
    """Return questions with the layouts that a model's policy finds likeliest; as they are for a model without a policy."""
    if model.config.layouts == "given":
        return questions
    tokens = map_examples(likeliest_layouts, model, Examples({"tokens": questions.columns["tokens"]}))
    return replace(questions, forest=forest_of_tokens(tokens), room=None)


def likeliest_layouts(model: Any, batch: Batch) -> Array:
    """Return the layouts of questions as tokens, `(B, T)`, each module the likeliest after those before it."""
    source = Source(batch["tokens"], batch["tokens_lengths"])
    return write_layouts(model.policy, source, model.config.layout_modules, likeliest).tokens


def _of_width(examples: Examples, width: int) -> Examples:
    tokens = replace(column(examples, "tokens"), width=width)
    return Examples({**examples.columns, "tokens": tokens}, examples.shared)


def looks_of(model: Any, question: Question, examples: Any, row: int) -> tuple[str, ...]:
    """Return what each of a model's maps is of, for a question in a row of what `questions_for` returned."""
    if model.config.layouts == "learned":
        tokens = layout_tokens(examples.forest, np.arange(len(examples)) == row, model.config.layout_modules)[row]
        return tuple(reversed(model.module_names.pieces(tokens[tokens > 0])))
    if model.config.kind == "modules":
        return tuple(map(str, parse_layout(question.layout or layout_of(question.text))))
    return tuple(f"glimpse {number}" for number in range(1, 1 + model.config.glimpses))
