"""A label for every step of a sequence."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from seqnets.data.examples.examples import Batch, Column, Examples, Ragged
from seqnets.decode.rows import map_examples
from seqnets.decode.text_classes import rounded_width


def step_log_probabilities(model: Any, batch: Batch) -> Array:
    """Return ln p of every class at every step: `(B, T, C)`."""
    return jax.nn.log_softmax(model(batch["inputs"], batch["inputs_lengths"]))


def best_steps(model: Any, batch: Batch) -> tuple[Array, Array]:
    """Return the likeliest class of every step, and ln p of the true class: both `(B, T)`."""
    found = step_log_probabilities(model, batch)
    truth = jnp.maximum(batch["labels"], 0)[..., None]
    return found.argmax(-1), jnp.take_along_axis(found, truth, axis=-1)[..., 0]


def likeliest_steps(model: Any, batch: Batch) -> tuple[Array, Array]:
    """Return the likeliest class of every step and its probability: both `(B, T)`."""
    found = step_log_probabilities(model, batch)
    return found.argmax(-1), jnp.exp(found.max(-1))


def label_sequences(model: Any, sequences: Sequence[Any]) -> list[list[tuple[str, float]]]:
    """Label sequences of any length.

    Args:
        model: a `Tagger`.
        sequences: lists of tokens, or arrays `(T, F)` for a tagger of numeric frames.

    Returns:
        For each sequence its labels with their probabilities.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data.words.token_table import TokenTable
        >>> from seqnets.models.sequence.tagger import Tagger
        >>> from seqnets.models.sequence.recurrent import RecurrentConfig
        >>> table = TokenTable(("New", "York"))
        >>> tagger = Tagger(table, ("O", "PLACE"), RecurrentConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> [len(labels) for labels in label_sequences(tagger, [["New", "York"], ["in"]])]
        [2, 1]
    """
    if not sequences:
        return []
    table = model.vocabulary
    arrays = [np.asarray(part, np.float32) for part in sequences] if table is None else list(map(table.numbers, sequences))
    column = Column(Ragged.of(arrays, arrays[0].dtype), rounded_width(arrays))
    best, probability = map_examples(likeliest_steps, model, Examples({"inputs": column}))
    return [
        [(model.labels[c], float(p)) for c, p in zip(classes[: len(array)], shares)]
        for array, classes, shares in zip(arrays, best, probability)
    ]
