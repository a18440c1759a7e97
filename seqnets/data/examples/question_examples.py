"""Questions about pictures as examples to train on; each picture is stored once, even if several questions ask about it."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.examples.config import QuestionConfig
from seqnets.data.examples.examples import Examples
from seqnets.data.examples.held_out import held_out
from seqnets.data.examples.layouts import LaidOut, layout_forest, layout_of, parse_layout
from seqnets.data.examples.questions import Question
from seqnets.data.examples.texts import extended, split, text_column
from seqnets.data.images.array import ImageFiles, damaged
from seqnets.data.images.files import find_images
from seqnets.data.images.names import match_names
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.words.vocabulary import TokenVocabulary, token_vocabulary
from seqnets.decoders import read_arrays
from seqnets.errors import UserError


class Asked(NamedTuple):
    """Questions and the pictures they ask about.

    Args:
        questions: the questions with a readable picture.
        rows: the row of each question's picture, `(N,)`.
        pictures: uint8 `(M, H, W, 3)`, in memory or in files.
        left_out: sentences that say what was left out and why.
    """

    questions: list[Question]
    rows: np.ndarray
    pictures: np.ndarray | ImageFiles
    left_out: list[str]


def square(size: int, rule: Preprocessing | None = None) -> Preprocessing:
    """Return the rule that brings every picture to one size.

    Args:
        size: side of the square.
        rule: the rule of the network's weights, whose channels and filter are kept.

    Example:
        >>> square(8).pixels(np.zeros((4, 6, 3), np.uint8)).shape
        (8, 8, 3)
    """
    return replace(rule or Preprocessing(), resize=(size, size), crop=None)


def look_up(questions: Sequence[Question], folder: str | Path, size: int, rule: Preprocessing | None = None) -> Asked:
    """Find the pictures that questions ask about, and leave out unreadable ones.

    Args:
        questions: any number.
        folder: folder of the pictures.
        size: side of the square to which pictures are resized.
        rule: the rule of the network's weights.

    Raises:
        UserError: no picture could be found and read.
    """
    passed: list[str] = []
    names, files = list(dict.fromkeys(question.image for question in questions)), find_images([folder], tell=passed.append)
    below = [file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name for file in files]
    found = match_names(names, below, root=os.path.abspath(folder))
    path_of = {name: str(files[place]) for name, place in zip(names, found.places) if place is not None}
    paths = list(dict.fromkeys(path_of.values()))
    errors = damaged(paths)
    readable = [path for path in paths if path not in errors]
    row_of = {path: row for row, path in enumerate(readable)}
    kept = [question for question in questions if path_of.get(question.image) in row_of]
    if not kept:
        first = questions[0].image
        raise UserError(f"none of the pictures asked about is in '{folder}': for example, no file there is called {first!r}")
    rows = np.array([row_of[path_of[question.image]] for question in kept], np.int32)
    left_out = [*passed, *_left_out(len(questions) - len(kept), found.shared, list(errors.values()))]
    return Asked(kept, rows, ImageFiles(readable, square(size, rule)), left_out)


def _left_out(missing: int, shared: Sequence[str], errors: Sequence[str]) -> list[str]:
    sentences = [f"{len(errors):,} pictures cannot be read, for example {errors[0]}"] if errors else []
    if shared:
        sentences.append(f"{len(shared):,} names of pictures match several files and are left out, for example {shared[0]!r}")
    what = "missing, damaged or given names that match several files"
    return sentences + ([f"{missing:,} questions are left out: their pictures are {what}"] if missing else [])


class Encoded(NamedTuple):
    """The vocabulary of questions, the answers, and the examples by split."""

    vocabulary: TokenVocabulary
    answers: tuple[str, ...]
    splits: dict[str, Any]


def of_array(questions: Sequence[Question], path: str | Path, size: int) -> Asked:
    """Find the pictures of questions in an .npz file with `images` `(N, H, W, 3)`.

    Args:
        questions: any number; the name of a picture is its row, counted from 0.
        path: the file.
        size: side of the square to which pictures are resized.

    Raises:
        UserError: the file holds something else, or none of the pictures.
    """
    images = read_arrays(path).get("images", np.zeros(0))
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or not images.size:
        raise UserError(f"'{path}' must hold images, uint8 of shape (N, H, W, 3), not {images.dtype} of shape {images.shape}")
    row_of = {str(row): row for row in range(len(images))}
    kept = [question for question in questions if question.image in row_of]
    if not kept:
        raise UserError(f"'{path}' holds none of the pictures asked about, such as number {questions[0].image[:40]!r}")
    rule = square(size)
    pictures = images if images.shape[1:3] == (size, size) else np.stack([rule.pixels(image) for image in images])
    left_out = _left_out(len(questions) - len(kept), [], [])
    return Asked(kept, np.array([row_of[one.image] for one in kept], np.int32), pictures, left_out)


def question_examples(
    asked: Asked,
    config: QuestionConfig,
    *,
    extends: TokenVocabulary | None = None,
    encode: Callable[..., Any] | None = None,
    held: np.ndarray | None = None,
) -> Encoded:
    """Split questions by picture and encode them.

    Args:
        asked: questions and pictures.
        config: how.
        extends: a vocabulary to which what it lacks is added, such as a trained model's.
        encode: makes the examples, in place of `encoded`.
        held: which questions are held out, `(N,)`; chosen by their pictures if None.

    Returns:
        The vocabulary of questions, the answers (most frequent first), and examples with the columns `image`, `tokens` and
        `label` by split.

    Raises:
        UserError: there are fewer than two answers, or too few pictures to split.

    Example:
        >>> questions = [Question(str(n), "red?", "yes" if n % 2 else "no") for n in range(6)]
        >>> asked = Asked(questions, np.arange(6, dtype=np.int32), np.zeros((6, 2, 2, 3), np.uint8), [])
        >>> found = question_examples(asked, QuestionConfig(validation_fraction=0.2))
        >>> found.answers, sorted(found.splits["train"].rows(np.array([0, 1])))
        (('yes', 'no'), ['image', 'label', 'tokens', 'tokens_lengths'])
    """
    if held is None:
        held = held_out([question.image for question in asked.questions], config.validation_fraction)
    training = [question for question, out in zip(asked.questions, held) if not out]
    answers = _frequent_answers([question.answer for question in training], config.answers)
    if len(answers) < 2:
        raise UserError(f"the questions to train on have only the answer {', '.join(answers)!r}; at least two are needed")
    found = token_vocabulary([question.text for question in training], config.vocabulary, min_count=config.min_count)
    vocabulary = extended(extends, found)
    plain = {plain_answer(answer) for answer in answers}
    known = np.array([plain_answer(question.answer) in plain for question in asked.questions])

    def examples(rows: np.ndarray) -> Examples:
        # a held-out question whose answer is not learned counts as wrong
        kept = rows[known[rows] | held[rows]]
        return (encode or encoded)(asked, kept, vocabulary, answers, config.max_length)

    return Encoded(vocabulary, answers, split(held, examples))


def encoded(asked: Asked, rows: np.ndarray, vocabulary: TokenVocabulary, answers: Sequence[str], max_length: int) -> Examples:
    """Encode some questions; an answer that is not learned becomes -1."""
    number_of = {plain_answer(answer): number for number, answer in enumerate(answers)}
    chosen = [asked.questions[row] for row in rows]
    columns = {
        "image": asked.rows[rows],
        "tokens": text_column([vocabulary.encode(question.text) for question in chosen], max_length, vocabulary.pad),
        "label": np.array([number_of.get(plain_answer(question.answer), -1) for question in chosen], np.int32),
    }
    return Examples(columns, shared={"image": asked.pictures})


def laid_out(asked: Asked, rows: np.ndarray, vocabulary: TokenVocabulary, answers: Sequence[str], max_length: int) -> LaidOut:
    """Encode some questions with their layouts: those of the file, or else those of the rule."""
    chosen = [asked.questions[row] for row in rows]
    layouts = [parse_layout(one.layout or layout_of(one.text), "the layout") for one in chosen]

    @cache
    def number_of(word: str) -> int:
        return int([*vocabulary.encode(word).tolist(), vocabulary.unknown][0])

    given = np.array([bool(one.layout) for one in chosen], bool)
    return LaidOut(encoded(asked, rows, vocabulary, answers, max_length), layout_forest(layouts, number_of), given)


def plain_answer(answer: str) -> str:
    """Return an answer in lower case with single spaces, so that spellings compare.

    Example:
        >>> plain_answer(" Light  Blue") == plain_answer("light blue")
        True
    """
    return " ".join(answer.split()).casefold()


def _frequent_answers(answers: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the most frequent answers, each in its most frequent spelling."""
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        spellings[plain_answer(answer)][" ".join(answer.split())] += 1
    written = {min(found, key=lambda each: (-found[each], each)): found.total() for found in spellings.values()}
    return tuple(sorted(written, key=lambda answer: (-written[answer], answer))[:count])
