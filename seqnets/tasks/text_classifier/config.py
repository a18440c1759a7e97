"""What a text classifier's training run is made of."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqnets import settings
from seqnets.data.examples.config import LabeledTextConfig
from seqnets.models.sequence.config import TextClassifierConfig
from seqnets.tasks import recipe
from seqnets.train.config import TrainConfig

USAGE = "FILE ..."


@dataclass(frozen=True)
class TextClassifierRunConfig:
    """A text classifier and the labeled texts it learns from.

    Example:
        >>> TextClassifierRunConfig(texts=("reviews.csv",)).model.pooling
        'max'
    """

    task: Literal["text-classifier"] = "text-classifier"
    """What is learned."""
    texts: tuple[str, ...] = ()
    """Tables, folders or files with a class each; none for lines of Python's standard library."""
    data: LabeledTextConfig = field(default_factory=LabeledTextConfig)
    """How the texts are read, encoded and split."""
    model: TextClassifierConfig = field(default_factory=TextClassifierConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""


def default() -> TextClassifierRunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().model.cell
        'gru'
    """
    return recipe.packaged("text_classifier", TextClassifierRunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the words that name the texts."""
    parser.add_argument(
        "texts",
        nargs="*",
        metavar="FILE",
        help="a table (.csv, .tsv, .jsonl) with the columns text and label, a folder with a folder for each label, or a file "
        "of lines for each label; none for lines of Python's standard library: code, comment or documentation?",
    )


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the texts as settings."""
    return {"texts": found.texts} if found.texts else {}


def run_name(config: TextClassifierRunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(TextClassifierRunConfig(texts=("reviews.csv",)))
        'reviews-classifier'
    """
    return f"{recipe.named_after(config.texts, 'python-lines')}-classifier"


def resolved(config: TextClassifierRunConfig) -> TextClassifierRunConfig:
    """Return the settings as they mean the same from any folder."""
    return settings.replaced(config, {"texts": recipe.absolute(config.texts)})
