"""What a translator's training run is made of."""

from dataclasses import dataclass, field
from typing import Literal

from seqnets.data.examples.texts import SequenceConfig
from seqnets.models.sequence.translator import TranslatorConfig
from seqnets.train.config import TrainConfig


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
