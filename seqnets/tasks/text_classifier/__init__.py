"""`seqnets train text-classifier`: a model that finds the class of a text."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from seqnets.data.examples.config import LabeledTextConfig
from seqnets.models.sequence.config import TextClassifierConfig
from seqnets.tasks.recipe import Recipe, Tell, counted, predictions
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.tasks.start import Start
    from seqnets.tasks.text_classifier.task import TextClassifierTask


@dataclass(frozen=True)
class TextClassifierRunConfig:
    """A text classifier and the labeled texts it learns from.

    Example:
        >>> TextClassifierRunConfig(texts=("reviews.csv",)).model.pooling
        'max'
    """

    task: Literal["text-classifier"] = "text-classifier"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    texts: tuple[str, ...] = ()
    """Tables, or folders or files with one class each; none for lines of Python's standard library."""
    data: LabeledTextConfig = field(default_factory=LabeledTextConfig)
    """How the texts are read, encoded and split."""
    model: TextClassifierConfig = field(default_factory=TextClassifierConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


LINES_PER_CLASS = 8000


def make(config: TextClassifierRunConfig, tell: Tell, start: "Start | None" = None) -> "TextClassifierTask":
    """Read the texts and make the model."""
    from flax import nnx

    from seqnets.data.examples.texts import text_examples
    from seqnets.models.sequence.text_classifier import TextClassifier
    from seqnets.tasks.text_classifier.task import TextClassifierTask

    texts, labels = texts_of(config, tell)
    vocabulary, names, splits = text_examples(texts, labels, config.data, extends=start.vocabulary if start else None)
    tell(f"{counted(splits, 'texts')}, {vocabulary}, {len(names)} labels: {', '.join(names)[:200]}")
    if start:
        model = start.grown(config.model, tell, rngs=nnx.Rngs(config.train.seed), vocabulary=vocabulary, labels=names)
    else:
        model = TextClassifier(vocabulary, names, config.model, rngs=nnx.Rngs(config.train.seed))
    return TextClassifierTask(model, splits)


def texts_of(config: TextClassifierRunConfig, tell: Tell | None = None) -> tuple[list[str], list[str]]:
    """Read the texts and their labels."""
    from seqnets.data.demo.python_source import library_lines
    from seqnets.data.examples.labeled_texts import read_labeled_texts

    return read_labeled_texts(config.texts, config.data, tell=tell) if config.texts else library_lines(LINES_PER_CLASS)


RECIPE = Recipe.of_files(
    "texts",
    help="a table (.csv, .tsv, .jsonl) with the columns text and label, a folder with a folder for each label, or a "
    "file of lines for each label; none for lines of Python's standard library: code, comment or documentation?",
    config=TextClassifierRunConfig,
    without="python-lines",
    suffix="-classifier",
    make=make,
    commands=lambda config: predictions(config.texts, "return the number of bytes"),
    figures="macro_f1",
    of_vocabulary={"vocabulary": "unit"},
)
