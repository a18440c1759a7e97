"""Answers to questions about a picture, with probabilities and attention."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from seqnets.data.examples.examples import Batch, Column, Examples, Ragged
from seqnets.data.examples.question_examples import square
from seqnets.data.images.preprocessing import Picture
from seqnets.decode.rows import map_examples
from seqnets.decode.text_classes import Classified, classified, rounded_width


class Answer(NamedTuple):
    """A model's answer to a question.

    Args:
        question: the question.
        answer: the likeliest answer, its probability, and those of all answers.
        attention: `(glimpses, rows, columns)`, where the model looked; None for a model without attention.
        image: uint8 `(H, W, 3)`, the picture as the model saw it.
    """

    question: str
    answer: Classified
    attention: np.ndarray | None
    image: np.ndarray


def answer_log_probabilities(model: Any, batch: Batch) -> Array:
    """Return ln p of every answer: `(B, answers)`."""
    return answers_and_glimpses(model, batch)[0]


def answers_and_glimpses(model: Any, batch: Batch) -> tuple[Array, Array | None]:
    """Return ln p of every answer, and the attention."""
    logits, seen = model(batch["image"], batch["tokens"], batch["tokens_lengths"])
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
    tokens = [model.vocabulary.encode(question) for question in questions]
    columns = {
        "tokens": Column(Ragged.of(tokens, np.int32), rounded_width(tokens), model.vocabulary.pad),
        "image": np.zeros(len(questions), np.int32),
    }
    found, seen = map_examples(answers_and_glimpses, model, Examples(columns, shared={"image": pixels[None]}))
    maps = [None] * len(questions) if seen is None else seen.reshape(len(questions), -1, *model.grid)
    shares = np.exp(found.astype(np.float64))
    return [Answer(text, classified(model.answers, row), looked, pixels) for text, row, looked in zip(questions, shares, maps)]
