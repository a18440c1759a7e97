"""`seqnets train tree-classifier`: a model that labels every phrase of a tree."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from seqnets.data.examples.config import TreeDataConfig
from seqnets.models.sequence.config import TreeClassifierConfig
from seqnets.tasks.recipe import Recipe, Tell, counted, predictions
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.tasks.start import Start
    from seqnets.tasks.tree_classifier.task import TreeClassifierTask


@dataclass(frozen=True)
class TreeClassifierRunConfig:
    """A classifier of trees and the labeled trees it learns from.

    Example:
        >>> TreeClassifierRunConfig(trees=("train.txt",)).model.cell
        'tree-lstm'
    """

    task: Literal["tree-classifier"] = "tree-classifier"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    trees: tuple[str, ...] = ()
    """Files of labeled trees in parentheses; none for drawn arithmetic."""
    validation: tuple[str, ...] = ()
    """Files of trees to validate on; none for a share of `trees`."""
    data: TreeDataConfig = field(default_factory=TreeDataConfig)
    """How the trees are read and split."""
    model: TreeClassifierConfig = field(default_factory=TreeClassifierConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def make(config: TreeClassifierRunConfig, tell: Tell, start: "Start | None" = None) -> "TreeClassifierTask":
    """Read the trees and make the model."""
    from flax import nnx

    from seqnets.models.sequence.tree_classifier import TreeClassifier
    from seqnets.tasks.tree_classifier.task import TreeClassifierTask

    words, labels, splits, _ = trees_of(config, extends=start.vocabulary if start else None)
    tell(f"{counted(splits, 'trees')}, {words}, {len(labels)} labels: {', '.join(labels)[:200]}")
    rngs = nnx.Rngs(config.train.seed)
    if start:
        return TreeClassifierTask(start.grown(config.model, tell, rngs=rngs, vocabulary=words, labels=labels), splits)
    return TreeClassifierTask(TreeClassifier(words, labels, config.model, rngs=rngs), splits)


def trees_of(config: TreeClassifierRunConfig, *, extends: Any = None) -> Any:
    """Return the words, the labels, and the forests and trees by split, as `tree_examples` does."""
    from seqnets.data.demo.arithmetic import arithmetic_trees
    from seqnets.data.examples.trees import parse_trees, read_trees, tree_examples

    drawn = [] if config.trees else parse_trees(arithmetic_trees(config.data.drawn), "drawn arithmetic")
    trees, validation = (read_trees(files) for files in (config.trees, config.validation))
    return tree_examples(drawn or trees, validation, config.data, extends=extends)


RECIPE = Recipe.of_files(
    "trees",
    help="files of labeled trees, such as (3 (2 a) (4 (3 fine) (2 film))), as the Penn and Stanford treebanks have them; none "
    "for drawn arithmetic: what is (3 - (2 + 5)) modulo 5?",
    words={"--validation": {"nargs": "+", "metavar": "FILE", "help": "files of trees to validate on [a share of the others]"}},
    usage="FILE ... [--validation FILE]",
    config=TreeClassifierRunConfig,
    without="arithmetic",
    suffix="-tree-classifier",
    make=make,
    commands=lambda config: predictions((), "(your (own tree))" if config.trees else "(3 - (2 + 5))"),
    figures="accuracy nats",
    paths=("validation",),
)
