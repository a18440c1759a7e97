"""Sequences with a label for every step, as examples to train on."""

from collections.abc import Sequence

import numpy as np

from seqnets.data.examples.examples import Column, Examples, Ragged, column
from seqnets.data.examples.held_out import held_out
from seqnets.data.examples.labeled_sequences import IGNORED, Frames, Labeled
from seqnets.data.examples.texts import SequenceConfig, Splits, extended, split, text_column
from seqnets.data.words.token_table import TokenTable
from seqnets.errors import UserError


def token_examples(
    sequences: Sequence[Labeled], config: SequenceConfig, *, extends: TokenTable | None = None
) -> tuple[TokenTable, tuple[str, ...], Splits]:
    """Split and encode labeled sequences of tokens; the table of tokens comes from the training part.

    Args:
        sequences: tokens and labels of each.
        config: how; `vocabulary` has no effect, since the text is already cut into tokens.
        extends: a table to which the tokens that it lacks are added, such as a trained model's.

    Returns:
        The tokens, the distinct labels in sorted order, and examples with the columns `inputs` and `labels` by split.

    Raises:
        UserError: there are fewer than two labels, or too few sequences to split.

    Example:
        >>> tokens, labels, splits = token_examples([(["a", "b"], ["x", "y"]), (["b"], ["x"])], SequenceConfig())
        >>> labels, sorted(splits)
        (('x', 'y'), ['train', 'validation'])
    """
    names = tuple(sorted({label for _, labels in sequences for label in labels}))
    if len(names) < 2:
        raise UserError(f"a tagger needs at least two different labels; these sequences have only {', '.join(names)!r}")
    held = held_out(["\x1f".join(tokens) for tokens, _ in sequences], config.validation_fraction)
    found = TokenTable.of([tokens for (tokens, _), out in zip(sequences, held) if not out], min_count=config.min_count)
    table = extended(extends, found)
    number_of = {name: number for number, name in enumerate(names)}

    def examples(rows: np.ndarray) -> Examples:
        chosen = [sequences[row] for row in rows]
        inputs = text_column([table.numbers(tokens) for tokens, _ in chosen], config.max_length, table.pad)
        numbers = [np.array([number_of[label] for label in labels], np.int32) for _, labels in chosen]
        return Examples({"inputs": inputs, "labels": text_column(numbers, config.max_length, IGNORED)})

    return table, names, split(held, examples)


def frame_examples(frames: Frames, config: SequenceConfig) -> Splits:
    """Split numeric sequences.

    Args:
        frames: sequences and their labels.
        config: how; only `max_length` and `validation_fraction` have an effect.

    Returns:
        Examples with the columns `inputs` and `labels` by split.
    """
    held = held_out(
        [row[:length].tobytes().hex() for row, length in zip(frames.inputs, frames.lengths)], config.validation_fraction
    )
    width = min(config.max_length, int(frames.lengths.max()))

    def padded(array: np.ndarray, rows: np.ndarray, fill: int) -> Column:
        return Column(Ragged.of([array[row, : frames.lengths[row]] for row in rows], array.dtype), width, fill)

    return split(held, lambda rows: Examples({
        "inputs": padded(frames.inputs, rows, 0), "labels": padded(frames.labels, rows, IGNORED)
    }))  # fmt: skip


def frame_scale(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and standard deviation of every feature, `(F,)` each; a feature that does not vary gets deviation 1.

    Example:
        >>> frames = Column(Ragged.of([[[1.0, 5.0], [3.0, 5.0]]], np.float32), width=2)
        >>> [numbers.tolist() for numbers in frame_scale(Examples({"inputs": frames}))]
        [[2.0, 5.0], [1.0, 1.0]]
    """
    numbers = column(examples, "inputs").sequences.flat.astype(np.float64)
    deviation = numbers.std(0)
    return numbers.mean(0), np.where(deviation > 0, deviation, 1.0)
