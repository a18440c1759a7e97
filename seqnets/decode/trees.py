"""The labels of all nodes of trees."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from seqnets.data.examples.trees import Tree, forest_of
from seqnets.data.forest import Forest, Schedule, on_ladder, width_for
from seqnets.decode.rows import run_batches

TREES = 32


class LabeledTree(NamedTuple):
    """A tree and what a model says of its nodes.

    Args:
        tree: the tree, with the likeliest labels.
        probabilities: of every class at every node, `(N, C)`.
    """

    tree: Tree
    probabilities: np.ndarray


def _log_probabilities(model: Any, schedule: Schedule) -> Array:
    return jax.nn.log_softmax(model(schedule))


def node_log_probabilities(model: Any, forest: Forest) -> np.ndarray:
    """Return ln p of every class at every node, `(N, C)`; programs are compiled for the rooms of the ladder only.

    Args:
        model: a `TreeClassifier`.
        forest: trees of any size and shape.
    """
    found = run_batches(_log_probabilities, model, on_ladder(forest, TREES, width_for(TREES)))
    parts = [table[places] for table, places in found]
    return np.concatenate(parts) if parts else np.zeros((0, len(model.labels)), np.float32)


def label_trees(model: Any, trees: Sequence[Tree]) -> list[LabeledTree]:
    """Label every node of trees.

    Args:
        model: a `TreeClassifier`.
        trees: any number, from `seqnets.data.examples.trees.parse_trees`.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data.examples.trees import parse_trees
        >>> from seqnets.data.words.token_table import TokenTable
        >>> from seqnets.models.sequence.tree_classifier import TreeClassifier, TreeClassifierConfig
        >>> model = TreeClassifier(TokenTable(("a", "b")), ("x", "y"), TreeClassifierConfig(hidden_features=4), rngs=nnx.Rngs(0))
        >>> (found,) = label_trees(model, parse_trees("(a (b c))", "a text", labels=model.labels))
        >>> len(found.tree), found.probabilities.shape
        (5, (5, 2))
    """
    forest = forest_of(trees, model.vocabulary, model.labels)
    found = np.exp(node_log_probabilities(model, forest).astype(np.float64))
    shares = np.split(found, forest.bounds[1:-1])
    best = [[model.labels[label] for label in part.argmax(-1)] for part in shares]
    return [
        LabeledTree([part._replace(label=label) for part, label in zip(tree, labels)], part)
        for tree, labels, part in zip(trees, best, shares)
    ]
