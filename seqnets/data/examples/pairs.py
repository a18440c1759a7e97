"""Pairs of texts: a source and its target."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqnets.data.examples.examples import Examples
from seqnets.data.examples.held_out import held_out
from seqnets.data.examples.tables import Tell, read_table
from seqnets.data.examples.texts import SequenceConfig, Splits, extended, split, text_column
from seqnets.data.words.vocabulary import TokenVocabulary, token_vocabulary
from seqnets.errors import UserError

Pair = tuple[str, str]


def read_pairs(sources: Sequence[str | Path], *, tell: Tell | None = None) -> list[Pair]:
    """Read sources and their targets.

    Args:
        sources: files of a source, a tab and its target on each line; or tables (.csv, .jsonl) with `source` and `target`.
        tell: called with a sentence about lines that cannot be used, up to 1% of a file; without it, they become a warning.

    Raises:
        UserError: a file cannot be read, or more lines lack a target.

    Example:
        >>> read_pairs(["no/such.tsv"])
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.tsv': No such file or directory; check the path
    """
    tables = [read_table(path, ("source", "target"), texts=(0, 1), named=False, tell=tell) for path in sources]
    return [(row[0], row[1]) for table in tables for row in table]


def pair_examples(
    pairs: Sequence[Pair], config: SequenceConfig, *, extends: Sequence[TokenVocabulary | None] = (None, None)
) -> tuple[tuple[TokenVocabulary, TokenVocabulary], Splits, int]:
    """Split pairs and encode them; the vocabularies come from the training part.

    Args:
        pairs: sources and targets.
        config: how; pairs with a side longer than `max_length` are left out, since a cut target has no end.
        extends: vocabularies of sources and targets to which what they lack is added, such as a trained model's.

    Returns:
        The vocabularies of sources and targets; examples with the columns `source` and `target`, which ends with the end
        token, by split; and how many pairs were left out.

    Raises:
        UserError: all pairs are too long, or too few are left to split.

    Example:
        >>> pairs = [("ab", "b"), ("ba", "a"), ("a" * 9, "")]
        >>> (source, target), splits, left_out = pair_examples(pairs, SequenceConfig(max_length=8))
        >>> int(splits["train"].rows(np.array([0]))["target"][0, -1]) == target.end, left_out
        (True, 1)
    """
    held = held_out([source for source, _ in pairs], config.validation_fraction)
    seen = [pair for pair, out in zip(pairs, held) if not out]
    kinds = [extended(extends[side], _vocabulary([pair[side] for pair in seen], config)) for side in (0, 1)]
    encoded = [(kinds[0].encode(source), np.append(kinds[1].encode(target), kinds[1].end)) for source, target in pairs]
    short = np.array([max(len(source), len(target) - 1) <= config.max_length and len(source) > 0 for source, target in encoded])
    if not short[~held].any():
        raise UserError(f"every pair is empty or longer than data.max_length ({config.max_length}); raise it")

    def examples(rows: np.ndarray) -> Examples:
        kept = [encoded[row] for row in rows if short[row]]
        return Examples({
            "source": text_column([source for source, _ in kept], config.max_length, kinds[0].pad),
            "target": text_column([target for _, target in kept], config.max_length + 1, kinds[1].pad),
        })  # fmt: skip

    return (kinds[0], kinds[1]), split(held, examples), int((~short).sum())


def _vocabulary(texts: Sequence[str], config: SequenceConfig) -> TokenVocabulary:
    return token_vocabulary(texts, config.vocabulary, min_count=config.min_count)
