"""Trees that a classifier did not learn from, and what it says of their nodes."""

from functools import cached_property
from typing import Any

import numpy as np

from seqnets.data.examples.trees import Tree, forest_of, phrase, read_trees
from seqnets.data.forest import Forest
from seqnets.decode.trees import node_log_probabilities
from seqnets.inspect import Judgments
from seqnets.run import Run
from seqnets.tasks.unchanged import held_out_of


class Trees:
    """Labeled trees, as they are written and encoded.

    Args:
        trees: the trees.
        forest: the same, encoded.
    """

    def __init__(self, trees: list[Tree], forest: Forest) -> None:
        self.trees, self.forest = trees, forest

    def __len__(self) -> int:
        return len(self.trees)

    @cached_property
    def labeled(self) -> np.ndarray:
        """The places of all nodes that have a label."""
        return np.flatnonzero(self.forest.labels >= 0)


def held_out(run: Run, file: str | None = None, *, most: int = 500) -> tuple[Trees, str]:
    """Return labeled trees that a classifier did not learn from, and what to call them.

    Args:
        run: a run of `seqnets train tree-classifier`.
        file: other trees, in a file as for training; those of the run's validation split if None.
        most: how many are taken, the first ones.

    Raises:
        UserError: they cannot be read, or the run holds none out.
    """
    from seqnets.tasks.tree_classifier import RECIPE, trees_of

    if file is not None:
        trees = read_trees([file])[:most]
        return Trees(trees, forest_of(trees, run.model.vocabulary, run.model.labels)), file
    _, _, forests, trees = trees_of(RECIPE.settings_of(run), extends=run.vocabulary)
    forest, source = held_out_of(run, forests, most)
    return Trees(trees["validation"][:most], forest), source


def judged(model: Any, trees: Trees) -> Judgments:
    """Return what a classifier says of every labeled node."""
    there = trees.labeled
    return Judgments(model.labels, trees.forest.labels[there], node_log_probabilities(model, trees.forest)[there])


def name_of(model: Any, trees: Trees, example: int) -> str:
    """Return the words below a labeled node, by its place among all of them."""
    row = row_of(trees, example)
    return phrase(trees.trees[row], int(trees.labeled[example] - trees.forest.bounds[row]))


def row_of(trees: Trees, example: int) -> int:
    """Return which tree a labeled node belongs to."""
    return int(np.searchsorted(trees.forest.bounds, trees.labeled[example], side="right")) - 1
