"""What a tagger's training run is made of."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqnets import settings
from seqnets.data.examples.config import SequenceConfig
from seqnets.models.sequence.config import RecurrentConfig
from seqnets.tasks import recipe
from seqnets.train.config import TrainConfig

USAGE = "FILE ..."


@dataclass(frozen=True)
class TaggerRunConfig:
    """A tagger and the labeled sequences it learns from.

    Example:
        >>> TaggerRunConfig(sequences=("train.conll",)).data.validation_fraction
        0.1
    """

    task: Literal["tagger"] = "tagger"
    """What is learned."""
    sequences: tuple[str, ...] = ()
    """Files of labeled tokens, or one .npz file of frames; none for the source of Python's standard library."""
    data: SequenceConfig = field(default_factory=SequenceConfig)
    """How the sequences are cut and split."""
    model: RecurrentConfig = field(default_factory=RecurrentConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""


def default() -> TaggerRunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().model.bidirectional
        True
    """
    return recipe.packaged("tagger", TaggerRunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the words that name the sequences."""
    parser.add_argument(
        "sequences",
        nargs="*",
        metavar="FILE",
        help="files of a token, a tab and its label on each line, an empty line after each sequence; JSON Lines with tokens and "
        "labels; or one .npz with inputs [N, T, F] and labels [N, T]; none for Python's standard library: what is each "
        "character of its source?",
    )


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the sequences as settings."""
    return {"sequences": found.sequences} if found.sequences else {}


def run_name(config: TaggerRunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(TaggerRunConfig())
        'python-source-tagger'
    """
    return f"{recipe.named_after(config.sequences, 'python-source')}-tagger"


def resolved(config: TaggerRunConfig) -> TaggerRunConfig:
    """Return the settings as they mean the same from any folder."""
    return settings.replaced(config, {"sequences": recipe.absolute(config.sequences)})
