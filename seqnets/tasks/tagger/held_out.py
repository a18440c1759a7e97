"""Sequences that a tagger did not learn from, and what it says of them."""

from typing import Any

import numpy as np

from seqnets.data.examples.examples import Examples, column
from seqnets.data.examples.labeled_sequences import IGNORED
from seqnets.data.examples.texts import text_column
from seqnets.errors import UserError
from seqnets.inspect import Judgments
from seqnets.run import Run
from seqnets.tasks.unchanged import held_out_of


def held_out(run: Run, file: str | None = None, *, most: int = 1_000) -> tuple[Examples, str]:
    """Return labeled sequences that a tagger did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train tagger`.
        file: other sequences, in a file as for training; those of the run's validation split if None.
        most: how many are taken, the first ones.

    Returns:
        Examples with the columns `inputs` and `labels`.

    Raises:
        UserError: they cannot be read, or the run holds none out.
    """
    from seqnets.tasks.tagger import RECIPE, frames_of, is_numeric, tokens_of

    config = RECIPE.settings_of(run)
    if (run.vocabulary is None) != is_numeric(config) and file is None:
        raise UserError(f"'{run.directory}' does not record its sequences; give some as --text")
    if file is not None:
        return (_tokens_in if run.vocabulary is not None else _frames_in)(run.model, file, config.data.max_length, most), file
    splits = frames_of(config)[-1] if run.vocabulary is None else tokens_of(config, extends=run.vocabulary)[-1]
    return held_out_of(run, splits, most)


def _tokens_in(model: Any, file: str, width: int, most: int) -> Examples:
    from seqnets.data.examples.labeled_sequences import read_labeled_sequences

    sequences = read_labeled_sequences([file])[:most]
    number_of = {label: number for number, label in enumerate(model.labels)}
    labels = [np.array([number_of.get(label, IGNORED) for label in labels], np.int32) for _, labels in sequences]
    inputs = [model.vocabulary.numbers(tokens) for tokens, _ in sequences]
    return Examples({"inputs": text_column(inputs, width, model.vocabulary.pad), "labels": text_column(labels, width, IGNORED)})


def _frames_in(model: Any, file: str, width: int, most: int) -> Examples:
    from seqnets.data.examples.config import SequenceConfig
    from seqnets.data.examples.label_examples import frame_examples
    from seqnets.data.examples.labeled_sequences import read_frames

    frames = read_frames(file)
    if tuple(frames.names) != model.labels or frames.inputs.shape[-1] != len(model.scale.mean):
        raise UserError(
            f"the frames of '{file}' have other features or labels than those of the run; give frames of the same kind"
        )
    return frame_examples(frames, SequenceConfig(max_length=width, validation_fraction=0))["train"].first(most)


def step_shares(model: Any, examples: Examples) -> np.ndarray:
    """Return ln p of every class at every step, `(N, T, C)`."""
    from seqnets.decode.rows import map_examples
    from seqnets.decode.step_labels import step_log_probabilities

    return map_examples(step_log_probabilities, model, examples)


def truth_of(examples: Examples) -> np.ndarray:
    """Return the number of the true class of every step, -1 where there is no step, `(N, T)`."""
    return examples.rows(np.arange(len(examples)), only="labels")["labels"]


def judged(model: Any, examples: Examples) -> Judgments:
    """Return what a tagger says of every step of sequences."""
    truth = truth_of(examples)
    return Judgments(model.labels, truth[truth >= 0], step_shares(model, examples)[truth >= 0])


def name_of(model: Any, examples: Examples, example: int, *, context: int = 12) -> str:
    """Return a step in its context, between brackets, by its place among all steps that have a label."""
    row, step = _place(examples, example)
    tokens = tokens_of_rows(model, examples.first(row + 1))[-1]
    gap = "" if model.vocabulary is not None and model.vocabulary.is_of_characters else " "
    before, after = tokens[max(0, step - context) : step], tokens[step + 1 : step + 1 + context]
    return gap.join([*before, f"[{tokens[step]}]", *after]).replace("\n", "\\n")


def row_of(examples: Examples, example: int) -> int:
    """Return which sequence a step belongs to."""
    return _place(examples, example)[0]


def _place(examples: Examples, example: int) -> tuple[int, int]:
    lengths = (truth_of(examples) >= 0).sum(-1)
    row = int(np.searchsorted(np.cumsum(lengths), example, side="right"))
    return row, int(np.flatnonzero(truth_of(examples)[row] >= 0)[example - lengths[:row].sum()])


def tokens_of_rows(model: Any, examples: Examples) -> list[list[str]]:
    """Return the tokens of sequences as the tagger reads them; the numbers of the steps for frames."""
    column_of = column(examples, "inputs")
    rows = [column_of.sequences[row][: column_of.width] for row in range(len(examples))]
    if model.vocabulary is None:
        return [list(map(str, range(1, len(row) + 1))) for row in rows]
    return [[model.vocabulary.entries[token] for token in row] for row in rows]
