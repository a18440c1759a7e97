"""The classes of texts, with their probabilities."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from seqnets.data.examples import Batch, Column, Examples, Ragged
from seqnets.decode.rows import map_examples


class Classified(NamedTuple):
    """A text's class.

    Args:
        label: the likeliest.
        probability: the model's.
        probabilities: of every label, the likeliest first.
    """

    label: str
    probability: float
    probabilities: dict[str, float]


def class_log_probabilities(model: Any, batch: Batch) -> Array:
    """Return ln p of every class: `(B, C)`."""
    return jax.nn.log_softmax(model(batch["tokens"], batch["tokens_lengths"]))


def classify_texts(model: Any, texts: Sequence[str]) -> list[Classified]:
    """Tell the class of every text, of any length.

    Args:
        model: a `TextClassifier`.
        texts: any number.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data.words import caption_vocabulary
        >>> from seqnets.models.sequence.text_classifier import TextClassifier, TextClassifierConfig
        >>> vocabulary = caption_vocabulary(["ab"], "chars")
        >>> model = TextClassifier(vocabulary, ("x", "y"), TextClassifierConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> [found.label in "xy" for found in classify_texts(model, ["aab", ""])]
        [True, True]
    """
    if not texts:
        return []
    examples = Examples({"tokens": whole_column([model.vocabulary.encode(text) for text in texts], fill=model.vocabulary.pad)})
    found = np.exp(map_examples(class_log_probabilities, model, examples).astype(np.float64))
    return [_classified(model.labels, row) for row in found]


def whole_column(sequences: Sequence[np.ndarray], fill: int) -> Column:
    """Pad sequences so that none is cut, to one of few widths, so that few programs are compiled.

    Example:
        >>> whole_column([np.arange(40)], fill=0).width
        64
    """
    longest = max(1, *(len(sequence) for sequence in sequences))
    return Column(Ragged.of(sequences, np.int32), max(32, 1 << (longest - 1).bit_length()), fill)


def _classified(labels: Sequence[str], row: np.ndarray) -> Classified:
    order = np.argsort(-row, kind="stable").tolist()
    return Classified(labels[order[0]], float(row[order[0]]), {labels[i]: float(row[i]) for i in order})
