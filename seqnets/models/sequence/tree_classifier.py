"""A class for every node of a tree."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.data.words.token_table import TokenTable
from seqnets.models.description import described, names, needed, stated
from seqnets.models.sequence.config import TreeClassifierConfig
from seqnets.nn.cells.tree import TREE_CELLS
from seqnets.nn.chain import subkey
from seqnets.nn.dense import Dense
from seqnets.nn.forest import Block, visit
from seqnets.nn.initializers import input_kernel
from seqnets.nn.regularize import dropout
from seqnets.ops.lookup import take_rows

_SPREAD = 0.1  # of the words' vectors; a leaf's tanh is nearly linear there


class TreeClassifier(nnx.Module):
    """Label every node of trees: words have vectors, phrases get theirs from their two parts, and each vector gives a class.

    Args:
        vocabulary: the table of words.
        labels: the names of the classes.
        config: its shape.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> import numpy as np
        >>> from seqnets.data.forest import Forest, Node
        >>> model = TreeClassifier(TokenTable(("a", "b")), ("x", "y"), TreeClassifierConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> forest = Forest.of([[Node(0, 2), Node(0, 3), Node(1, 0, 0, 1)]])
        >>> schedule, rows = forest.scheduled(np.array([0]), forest.room(np.array([0]), 8))
        >>> model(schedule)[rows].shape
        (3, 2)

    References:
        Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank", 2013.
    """

    def __init__(self, vocabulary: TokenTable, labels: Sequence[str], config: TreeClassifierConfig, *, rngs: nnx.Rngs):
        self.vocabulary, self.labels, self.config = vocabulary, tuple(labels), config
        size = config.hidden_features
        self.embedding = nnx.Param(_SPREAD * rngs.params.normal((len(vocabulary), size), jnp.float32))
        self.cell = TREE_CELLS[config.cell](size, rngs=rngs)
        self.output = Dense(size, len(labels), kernel_init=input_kernel, rngs=rngs)

    def __call__(self, schedule: Mapping[str, Any], *, key: Array | None = None) -> Array:
        """Score every class at every node.

        Args:
            schedule: of a batch of trees, from `seqnets.data.forest.Forest.scheduled`.
            key: a JAX key that turns on dropout; None for inference.

        Returns:
            Logits of every row of the table, `(1 + L + K W, C)` float32.
        """
        rate = self.config.dropout
        words = dropout(take_rows(self.embedding[...], schedule["words"]), rate, subkey(key, 1))
        table = visit(self.cell.leaf(words), [self._compose], schedule)
        return self.output(dropout(self.cell.hidden(table), rate, subkey(key, 2))).astype(jnp.float32)

    def _compose(self, block: Block) -> Array:
        return self.cell(block.left, block.right)

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of words or classes: by name, the list that the axis follows, and the axis."""
        return {"embedding": ("vocabulary", 0), "output.kernel": ("labels", 1), "output.bias": ("labels", 0)}

    def describe(self) -> dict[str, Any]:
        """Return the description that `from_description` reads."""
        return {"kind": "TreeClassifier", "config": asdict(self.config), "labels": list(self.labels)}


def from_description(description: Mapping[str, Any], vocabulary: Any) -> TreeClassifier:
    """Make the classifier that a run folder's config.json describes, with arbitrary weights.

    Raises:
        UserError: there is no vocabulary, or the description belongs to another version.
    """
    with described("TreeClassifier"):
        config, labels = stated(description.get("config"), TreeClassifierConfig()), names(description.get("labels"), "labels")
        return TreeClassifier(needed(vocabulary, TokenTable), labels, config, rngs=nnx.Rngs(0))
