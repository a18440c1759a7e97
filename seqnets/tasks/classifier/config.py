"""What an image classifier's training run is made of."""

from dataclasses import dataclass, field
from typing import Literal

from seqnets.data.images.config import ImageConfig
from seqnets.models.classifier import ClassifierConfig
from seqnets.train.config import TrainConfig


@dataclass(frozen=True)
class LossConfig:
    """What is minimized: section `[loss]`."""

    label_smoothing: float = 0.0
    """Share of the probability that is asked of all classes alike."""


@dataclass(frozen=True)
class ClassifierRunConfig:
    r"""A network and the images it learns from.

    Example:
        >>> from seqnets import settings
        >>> settings.loads('[model]\nname = "lenet5"', ClassifierRunConfig()).model.name
        'lenet5'
    """

    task: Literal["classifier"] = "classifier"
    """What is learned."""
    images: tuple[str, ...] = ()
    """Folders: with a folder of images for each class, of CIFAR's binary files, or of MNIST's; none for drawn shapes."""
    data: ImageConfig = field(default_factory=ImageConfig)
    """How the images are read, split and varied."""
    model: ClassifierConfig = field(default_factory=ClassifierConfig)
    """The network."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What is minimized."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How it is trained."""
