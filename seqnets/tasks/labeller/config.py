"""What a labeller's training run is made of."""

from dataclasses import dataclass, field
from typing import Literal

from seqnets.data.examples.texts import SequenceConfig
from seqnets.models.sequence.recurrent import RecurrentConfig
from seqnets.train.config import TrainConfig


@dataclass(frozen=True)
class LabellerRunConfig:
    """A labeller and the labelled sequences it learns from.

    Example:
        >>> LabellerRunConfig(sequences=("train.conll",)).data.validation_fraction
        0.1
    """

    task: Literal["labeller"] = "labeller"
    """What is learned."""
    sequences: tuple[str, ...] = ()
    """Files of labelled tokens, or one .npz file of frames; none for the source of Python's standard library."""
    data: SequenceConfig = field(default_factory=SequenceConfig)
    """How the sequences are cut and split."""
    model: RecurrentConfig = field(default_factory=RecurrentConfig)
    """The shape of the model."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""
