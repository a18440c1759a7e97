"""What a translator's training run is made of."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqnets import settings
from seqnets.data.examples.config import SequenceConfig
from seqnets.models.sequence.config import TranslatorConfig
from seqnets.tasks import recipe
from seqnets.train.config import TrainConfig

USAGE = "FILE ..."


@dataclass(frozen=True)
class TranslatorRunConfig:
    """A translator and the pairs it learns from.

    Example:
        >>> TranslatorRunConfig(pairs=("english-german.tsv",)).model.attention
        'additive'
    """

    task: Literal["translator"] = "translator"
    """What is learned."""
    pairs: tuple[str, ...] = ()
    """Files of sources and targets; none for dates in many forms, to be written in one."""
    data: SequenceConfig = field(default_factory=SequenceConfig)
    """How the pairs are encoded and split."""
    model: TranslatorConfig = field(default_factory=TranslatorConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""


def default() -> TranslatorRunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().model.attention
        'additive'
    """
    return recipe.packaged("translator", TranslatorRunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the words that name the pairs."""
    parser.add_argument(
        "pairs",
        nargs="*",
        metavar="FILE",
        help="files of a source, a tab and its target on each line, or tables (.csv, .jsonl) with the columns source and "
        "target; none for dates as people write them, to be written in ISO 8601",
    )


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the pairs as settings."""
    return {"pairs": found.pairs} if found.pairs else {}


def run_name(config: TranslatorRunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(TranslatorRunConfig())
        'dates-translator'
    """
    return f"{recipe.named_after(config.pairs, 'dates')}-translator"


def resolved(config: TranslatorRunConfig) -> TranslatorRunConfig:
    """Return the settings as they mean the same from any folder."""
    return settings.replaced(config, {"pairs": recipe.absolute(config.pairs)})
