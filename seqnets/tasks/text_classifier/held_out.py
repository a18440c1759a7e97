"""Texts that a classifier did not learn from, and what it says of them."""

from typing import Any

import numpy as np

from seqnets.data.examples.examples import Column, Examples, Ragged, column
from seqnets.data.examples.texts import text_column, text_examples
from seqnets.inspect import Judgments
from seqnets.run import Run
from seqnets.tasks.unchanged import held_out_of


def held_out(run: Run, file: str | None = None, *, most: int = 2_000) -> tuple[Examples, str]:
    """Return labeled texts that a classifier did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train text-classifier`.
        file: other texts, in a table or a folder as for training; those of the run's validation split if None.
        most: how many are taken, the first ones.

    Returns:
        Examples with the columns `tokens` and `label`, -1 for a label that the run did not learn.

    Raises:
        UserError: they cannot be read, or the run holds none out.
    """
    from seqnets.data.examples.labeled_texts import read_labeled_texts
    from seqnets.tasks.text_classifier import RECIPE, texts_of

    config = RECIPE.settings_of(run)
    if file is not None:
        texts, labels = read_labeled_texts([file], config.data)
        return _encoded(run.model, texts[:most], labels[:most], config.data.max_length), file
    return held_out_of(run, text_examples(*texts_of(config), config.data, extends=run.vocabulary)[-1], most)


def _encoded(model: Any, texts: list[str], labels: list[str], width: int) -> Examples:
    number_of = {label: number for number, label in enumerate(model.labels)}
    tokens = text_column([model.vocabulary.encode(text) for text in texts], width, model.vocabulary.pad)
    return Examples({"tokens": tokens, "label": np.array([number_of.get(label, -1) for label in labels], np.int32)})


def judged(model: Any, examples: Examples) -> Judgments:
    """Return what a classifier says of texts."""
    return Judgments(model.labels, np.asarray(examples.columns["label"]), _log_probabilities(model, examples))


def name_of(model: Any, examples: Examples, example: int) -> str:
    """Return a text as the classifier reads it."""
    texts = column(examples, "tokens")
    return model.vocabulary.decode(texts.sequences[example][: texts.width])


def while_reading(model: Any, examples: Examples, rows: list[int], *, most: int = 100) -> list[tuple[list[str], np.ndarray]]:
    """Return, for some texts, the pieces of each and the probability of every class when the text ends after each of them.

    The classifier reads the beginning of the text of every length by itself, so this holds for every pooling, and for readers
    of both directions.

    Args:
        model: a `TextClassifier`.
        examples: texts.
        rows: which of them.
        most: beginnings of a text that are read at most; between them, the probabilities are those of the last one.

    Returns:
        For each text its T pieces and `(T, C)` probabilities.
    """
    texts = column(examples, "tokens")
    read = [texts.sequences[row][: texts.width] for row in rows]
    ends = [_ends(len(tokens), most) for tokens in read]
    beginnings = [tokens[:end] for tokens, places in zip(read, ends) for end in places]
    found = np.exp(
        _log_probabilities(model, Examples({"tokens": Column(Ragged.of(beginnings, np.int32), texts.width, texts.fill)}))
    )
    shares = np.split(found, np.cumsum([len(places) for places in ends])[:-1])
    return [
        (model.vocabulary.pieces(tokens), part[np.searchsorted(places, np.arange(1, len(tokens) + 1), side="right") - 1])
        for tokens, places, part in zip(read, ends, shares)
    ]


def _ends(length: int, most: int) -> np.ndarray:
    """Return where the beginnings of a text end: the first piece is one, and `most` are returned at most."""
    return np.unique(np.linspace(1, max(1, length), min(max(1, length), most)).round().astype(int))


def _log_probabilities(model: Any, examples: Examples) -> np.ndarray:
    from seqnets.decode.rows import map_examples
    from seqnets.decode.text_classes import class_log_probabilities

    return map_examples(class_log_probabilities, model, examples)
