"""`seqnets train classifier`: a network that finds the class of an image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seqnets import settings
from seqnets.data.images.config import ImageConfig
from seqnets.models.classifier_config import ClassifierConfig
from seqnets.tasks.recipe import Recipe, Tell
from seqnets.tasks.starting_weights import with_version
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.run import Run
    from seqnets.tasks.classifier.task import ClassifierTask
    from seqnets.tasks.start import Start


@dataclass(frozen=True)
class LossConfig:
    """The loss: section `[loss]`."""

    label_smoothing: Annotated[float, settings.RATE] = 0.0
    """Share of the target probability that is spread evenly over all classes."""

    def __post_init__(self) -> None:
        settings.settle(self, "loss")


@dataclass(frozen=True)
class ClassifierRunConfig:
    r"""A network and the images it learns from.

    Example:
        >>> from seqnets import settings
        >>> settings.loads('[model]\nname = "lenet5"', ClassifierRunConfig()).model.name
        'lenet5'
    """

    task: Literal["classifier"] = "classifier"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    images: tuple[str, ...] = ()
    """Folders: with a folder of images for each class, CIFAR's binary files, or MNIST's; none for drawn shapes."""
    data: ImageConfig = field(default_factory=ImageConfig)
    """How the images are read, split and augmented."""
    model: ClassifierConfig = field(default_factory=ClassifierConfig)
    """The network."""
    loss: LossConfig = field(default_factory=LossConfig)
    """The loss."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def make(config: ClassifierRunConfig, tell: Tell, start: "Start | None" = None) -> "ClassifierTask":
    """Read the images and make the network."""
    from flax import nnx

    from seqnets.data.images.sets import read_images
    from seqnets.tasks.classifier.network import fitted, make_network
    from seqnets.tasks.classifier.task import ClassifierTask

    images = read_images(*config.images).with_validation(config.data.validation_fraction)
    for remark in (str(images), *images.remarks):
        tell(remark)
    if start:
        model = start.grown(config.model, tell, rngs=nnx.Rngs(config.train.seed), labels=images.classes)
        model = fitted(model, config.model, config.data, tell=tell)
    else:
        model = make_network(config.model, config.data, images, seed=config.train.seed, tell=tell)
    smoothing = config.loss.label_smoothing
    return ClassifierTask(model, images, config.data, describes=config.model, label_smoothing=smoothing, tell=tell)


def completed(config: ClassifierRunConfig) -> ClassifierRunConfig:
    """Return the settings with the version of published weights."""
    return settings.replaced(config, {"model": {"weights": with_version(config.model.name, config.model.weights)}})


def shape(description: Mapping[str, Any], default: ClassifierConfig) -> ClassifierConfig:
    """Return the settings of a classifier from its description; a run that begins with it needs no other weights."""
    from seqnets.models.classifier import config_of

    return config_of(description["config"])


def measured(run: "Run", config: ClassifierRunConfig) -> list[str]:
    """Return the figures of the held-out splits and the classes most often confused."""
    from seqnets.data.images.sets import read_images
    from seqnets.tasks.classifier.figures import split_lines
    from seqnets.tasks.classifier.task import ClassifierTask

    images = read_images(*config.images).with_validation(config.data.validation_fraction)
    task = ClassifierTask(run.model, images, config.data, describes=config.model)
    held_out = [split for split in ("validation", "test") if split in images.splits]
    return [line for split in held_out for line in split_lines(split, *task.measure(run.model, split), images.classes)]


RECIPE = Recipe.of_files(
    "images",
    metavar="DATA",
    help="a folder with a folder of images for each class (or train/, val/, test/ with such folders), CIFAR's binary "
    "files, or MNIST's idx files; or mnist, fashion-mnist, cifar10, cifar100; none for drawn shapes",
    config=ClassifierRunConfig,
    without="shapes",
    suffix="-classifier",
    make=make,
    shown=measured,
    commands=lambda config: ["seqnets classify {run} IMAGES"],
    shape=shape,
    paths=("model.weights",),
    completed=completed,
)
