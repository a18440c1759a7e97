"""Many to one: the class of a text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flax import nnx
from jax import Array

from seqnets.data.words.vocabulary import TokenVocabulary
from seqnets.models.description import described, names, needed, stated
from seqnets.models.sequence.config import TextClassifierConfig
from seqnets.models.sequence.pooling import POOLS
from seqnets.models.sequence.recurrent import Embedding, RecurrentEncoder
from seqnets.nn.chain import subkey
from seqnets.nn.dense import Dense
from seqnets.nn.initializers import input_kernel
from seqnets.nn.regularize import dropout
from seqnets.ops import arguments


class TextClassifier(nnx.Module):
    """Classify a text: embedding, recurrent layers, pooling over the steps, output layer.

    Args:
        vocabulary: the vocabulary of its tokens.
        labels: the names of the classes.
        config: its shape.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> import jax.numpy as jnp
        >>> from seqnets.data.words.vocabulary import token_vocabulary
        >>> vocabulary = token_vocabulary(["good", "bad"], "chars")
        >>> model = TextClassifier(vocabulary, ("no", "yes"), TextClassifierConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> model(jnp.array([vocabulary.encode("good")]), jnp.array([4])).shape
        (1, 2)
    """

    def __init__(self, vocabulary: TokenVocabulary, labels: Sequence[str], config: TextClassifierConfig, *, rngs: nnx.Rngs):
        self.vocabulary = vocabulary
        self.labels = tuple(labels)
        self.config = config
        self.embedding = Embedding(vocabulary, config, rngs=rngs)
        self.encoder = RecurrentEncoder(config.embedding_features, config, rngs=rngs)
        self.pool = POOLS[config.pooling](config.outputs, rngs)
        self.output = Dense(config.outputs, len(labels), kernel_init=input_kernel, rngs=rngs)

    def __call__(self, tokens: Array, lengths: Array, *, key: Array | None = None) -> Array:
        """Score every class.

        Args:
            tokens: `(B, T)` int32.
            lengths: `(B,)`; inputs beyond them have no effect.
            key: a JAX key that turns on dropout; None for inference.

        Returns:
            Logits `(B, C)` float32.
        """
        tokens = arguments.tokens_of(tokens, ("batch", "time"))
        lengths = arguments.lengths_of(lengths, tokens.shape[0])
        outputs, last = self.encoder(self.embedding(tokens, subkey(key, 1)), lengths=lengths, key=subkey(key, 2))
        pooled = self.pool(outputs, last, lengths)
        return self.output(dropout(pooled, self.config.dropout, subkey(key, 3))).astype("float32")

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of tokens or classes: by name, the list that the axis follows, and the axis."""
        return {"embedding.table": ("vocabulary", 0), "output.kernel": ("labels", 1), "output.bias": ("labels", 0)}

    def describe(self) -> dict[str, Any]:
        """Return the description that `from_description` reads."""
        return {"kind": "TextClassifier", "config": asdict(self.config), "labels": list(self.labels)}


def from_description(description: Mapping[str, Any], vocabulary: Any) -> TextClassifier:
    """Make the classifier that a run folder's config.json describes, with arbitrary weights.

    Raises:
        UserError: there is no vocabulary, or the description belongs to another version.
    """
    with described("TextClassifier"):
        config = stated(description.get("config"), TextClassifierConfig())
        labels = names(description.get("labels"), "labels")
        return TextClassifier(needed(vocabulary, TokenVocabulary), labels, config, rngs=nnx.Rngs(0))
