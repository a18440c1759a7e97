"""The classes of texts, with their probabilities."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from seqnets.data.examples.examples import Batch, Column, Examples, Ragged
from seqnets.decode.rows import map_examples


class Classified(NamedTuple):
    """A text's class.

    Args:
        label: the likeliest label.
        probability: the probability of that label.
        probabilities: the probability of every label, the likeliest first.
    """

    label: str
    probability: float
    probabilities: dict[str, float]


def class_log_probabilities(model: Any, batch: Batch) -> Array:
    """Return ln p of every class: `(B, C)`."""
    return jax.nn.log_softmax(model(batch["tokens"], batch["tokens_lengths"]))


def classify_texts(model: Any, texts: Sequence[str]) -> list[Classified]:
    """Classify texts of any length.

    Args:
        model: a `TextClassifier`.
        texts: any number.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data.words.vocabulary import token_vocabulary
        >>> from seqnets.models.sequence.text_classifier import TextClassifier, TextClassifierConfig
        >>> vocabulary = token_vocabulary(["ab"], "chars")
        >>> model = TextClassifier(vocabulary, ("x", "y"), TextClassifierConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> [found.label in "xy" for found in classify_texts(model, ["aab", ""])]
        [True, True]
    """
    if not texts:
        return []
    tokens = [model.vocabulary.encode(text) for text in texts]
    examples = Examples({"tokens": Column(Ragged.of(tokens, np.int32), rounded_width(tokens), model.vocabulary.pad)})
    found = np.exp(map_examples(class_log_probabilities, model, examples).astype(np.float64))
    return [classified(model.labels, row) for row in found]


def rounded_width(sequences: Sequence[np.ndarray]) -> int:
    """Return a width that cuts no sequence, chosen from a few values so that few programs are compiled.

    Example:
        >>> rounded_width([np.arange(40), np.arange(3)])
        64
    """
    longest = max((len(sequence) for sequence in sequences), default=1)
    return max(32, 1 << (longest - 1).bit_length())


def classified(labels: Sequence[str], row: np.ndarray) -> Classified:
    """Return the likeliest class.

    Args:
        labels: C names.
        row: `(C,)` probabilities.

    Example:
        >>> classified(("a", "b"), np.array([0.25, 0.75]))
        Classified(label='b', probability=0.75, probabilities={'b': 0.75, 'a': 0.25})
    """
    order = [int(place) for place in np.argsort(-row, kind="stable")]
    return Classified(labels[order[0]], float(row[order[0]]), {labels[i]: float(row[i]) for i in order})
