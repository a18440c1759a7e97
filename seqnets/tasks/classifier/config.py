"""What an image classifier's training run is made of."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqnets import places, settings
from seqnets.data.images.config import ImageConfig
from seqnets.models.classifier_config import ClassifierConfig
from seqnets.tasks import recipe
from seqnets.train.config import TrainConfig

USAGE = "DATA ..."


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


def default() -> ClassifierRunConfig:
    """Return the settings when nothing is said.

    Example:
        >>> default().model.name
        'resnet20'
    """
    return recipe.packaged("classifier", ClassifierRunConfig())


def add_arguments(parser: ArgumentParser) -> None:
    """Add the words that name the images."""
    parser.add_argument(
        "images",
        nargs="*",
        metavar="DATA",
        help="a folder with a folder of images for each class (or train/, val/ and test/ of such), CIFAR's binary files, or "
        "MNIST's idx files; none for drawn shapes",
    )


def given(found: Any) -> Mapping[str, Any]:
    """Return the words that name the images as settings."""
    return {"images": found.images} if found.images else {}


def run_name(config: ClassifierRunConfig) -> str:
    """Return what to call the run's folder.

    Example:
        >>> run_name(ClassifierRunConfig(images=("photos/flowers",)))
        'flowers-classifier'
    """
    return f"{recipe.named_after(config.images, 'shapes')}-classifier"


def resolved(config: ClassifierRunConfig) -> ClassifierRunConfig:
    """Return the settings as they mean the same from any folder."""
    changes: dict[str, Any] = {"images": recipe.absolute(config.images)}
    if config.model.weights:
        changes["model"] = {"weights": places.absolute(config.model.weights)}
    return settings.replaced(config, changes)
