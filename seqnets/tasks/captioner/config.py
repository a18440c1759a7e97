"""What a captioner's training run is made of."""

from dataclasses import dataclass, field
from typing import Literal

from seqnets.data.captions.config import CaptionDataConfig
from seqnets.models.captioner.config import CaptionerConfig
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.train.config import TrainConfig


@dataclass(frozen=True)
class CaptionerRunConfig:
    """A captioner and the captioned images it learns from.

    Example:
        >>> CaptionerRunConfig(images="photos", captions="captions.txt").model.attention
        'additive'
    """

    task: Literal["captioner"] = "captioner"
    """What is learned."""
    images: str = ""
    """Folder of the images; empty for drawn scenes."""
    captions: str = ""
    """File of their captions."""
    data: CaptionDataConfig = field(default_factory=CaptionDataConfig)
    """How captions are read and split."""
    model: CaptionerConfig = field(default_factory=CaptionerConfig)
    """The shape of the model."""
    learning: CaptionLearning = field(default_factory=CaptionLearning)
    """What is minimized, and how the model is judged."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""
