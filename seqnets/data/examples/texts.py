"""Texts and their labels, and pairs of texts, as examples to train on."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from seqnets.data.examples.config import SequenceConfig
from seqnets.data.examples.examples import Column, Examples, Ragged
from seqnets.data.examples.held_out import held_out
from seqnets.data.words.token_table import TokenTable
from seqnets.data.words.vocabulary import TokenVocabulary, token_vocabulary
from seqnets.errors import UserError

Splits = dict[str, Examples]
Vocabulary = TypeVar("Vocabulary", bound=TokenVocabulary | TokenTable)


def text_examples(
    texts: Sequence[str], labels: Sequence[str], config: SequenceConfig, *, extends: TokenVocabulary | None = None
) -> tuple[TokenVocabulary, tuple[str, ...], Splits]:
    """Split labeled texts and encode them; the vocabulary comes from the training part.

    Args:
        texts: N of them.
        labels: N names of classes.
        config: how.
        extends: a vocabulary to which what it lacks is added, such as a trained model's.

    Returns:
        The vocabulary, the distinct labels in sorted order, and examples with columns `tokens` and `label` by split.

    Raises:
        UserError: there are fewer than two labels, or too few texts to split.

    Example:
        >>> vocabulary, names, splits = text_examples(["aa", "ab", "b", "bb"], ["A", "A", "B", "B"], SequenceConfig())
        >>> names, {name: len(examples) for name, examples in splits.items()}
        (('A', 'B'), {'train': 3, 'validation': 1})
    """
    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise UserError(f"a classifier needs at least two different labels; these texts have only {', '.join(names) or 'none'}")
    held = held_out(texts, config.validation_fraction)
    seen = [text for text, out in zip(texts, held) if not out]
    vocabulary = extended(extends, token_vocabulary(seen, config.vocabulary, min_count=config.min_count))
    numbers = np.array([names.index(label) for label in labels], np.int32)

    def examples(rows: np.ndarray) -> Examples:
        tokens = [vocabulary.encode(texts[row]) for row in map(int, rows)]
        return Examples({"tokens": text_column(tokens, config.max_length, vocabulary.pad), "label": numbers[rows]})

    return vocabulary, names, split(held, examples)


def extended(known: Vocabulary | None, found: Vocabulary) -> Vocabulary:
    """Return a known vocabulary with what it lacks of one that was found; without a known one, the one that was found.

    Example:
        >>> from seqnets.data import WordVocabulary
        >>> extended(WordVocabulary(("dog",)), WordVocabulary(("a", "dog"))).words
        ('dog', 'a')
    """
    return found if known is None else cast(Any, known).grown(found)


def text_column(sequences: Sequence[np.ndarray], max_length: int, pad: int) -> Column:
    """Pad sequences to the longest, but not beyond `max_length`.

    Example:
        >>> text_column([np.arange(3), np.arange(9)], 5, 0).width
        5
    """
    longest = max((len(sequence) for sequence in sequences), default=1)
    return Column(Ragged.of([sequence[:max_length] for sequence in sequences], np.int32), max(1, min(longest, max_length)), pad)


def split(held: np.ndarray, examples_of: Callable[[np.ndarray], Examples]) -> Splits:
    """Return the examples to train on and, if there are any, the held-out ones.

    Example:
        >>> found = split(np.array([True, False, False]), lambda rows: Examples({"row": rows}))
        >>> found["train"].columns["row"].tolist(), found["validation"].columns["row"].tolist()
        ([1, 2], [0])
    """
    parts = {"train": np.flatnonzero(~held), "validation": np.flatnonzero(held)}
    return {name: examples_of(rows) for name, rows in parts.items() if len(rows)}
