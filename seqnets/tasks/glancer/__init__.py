"""`seqnets train glancer`: a network that looks at places of a picture and names what is there."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from seqnets import settings
from seqnets.data.images.config import ScatterConfig
from seqnets.models.glimpse.config import GlancerConfig
from seqnets.tasks.recipe import Recipe, Tell
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.tasks.glancer.task import GlancerTask
    from seqnets.tasks.start import Start


@dataclass(frozen=True)
class GlanceLossConfig:
    """The loss: section `[loss]`."""

    answers: Literal["every", "last"] = "every"
    """Whether the class should be known after every glimpse at a thing, from which places are learned faster, or the last."""
    score_rate: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the REINFORCE term, from which the places are learned."""
    cost: Literal["nats", "wrong"] = "nats"
    """What places are judged by: -ln p of the right class, or whether the likeliest class is wrong."""
    baseline: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the squared error of the learned baseline, which changes no other layer."""
    entropy: Annotated[float, settings.NOT_NEGATIVE] = 0.005
    """Weight of the entropy of the places on a grid, which keeps them from converging too soon."""

    def __post_init__(self) -> None:
        settings.settle(self, "loss")


@dataclass(frozen=True)
class GlancerRunConfig:
    r"""A glancer and the pictures it learns from.

    Example:
        >>> settings.loads('[model]\nplaces = "random"', GlancerRunConfig()).model.glimpses
        6
    """

    task: Literal["glancer"] = "glancer"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    images: tuple[str, ...] = ()
    """Folders: with a folder of images for each class, CIFAR's binary files, or MNIST's; none for drawn shapes."""
    data: ScatterConfig = field(default_factory=ScatterConfig)
    """How the pictures are read, split and put on a canvas."""
    model: GlancerConfig = field(default_factory=GlancerConfig)
    """The shape of the network."""
    loss: GlanceLossConfig = field(default_factory=GlanceLossConfig)
    """The loss."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def make(config: GlancerRunConfig, tell: Tell, start: "Start | None" = None) -> "GlancerTask":
    """Read the pictures and make the network."""
    from flax import nnx

    from seqnets.data.images.gray import gray_rule, read_gray
    from seqnets.models.glimpse.glancer import END, Glancer
    from seqnets.tasks.glancer.task import GlancerTask

    found, rngs = read_gray(config.images, config.data, tell), nnx.Rngs(config.train.seed)
    labels = (*found.classes, END) if config.model.objects > 1 else found.classes
    rule = gray_rule((config.data.canvas, config.data.canvas)) if config.data.scatters else found.rule
    if not start:
        return GlancerTask(Glancer(config.model, labels, rule, rngs=rngs), found, config.data, config.loss)
    model = start.grown(config.model, tell, rngs=rngs, labels=labels)
    return GlancerTask(model, found, config.data, config.loss)


RECIPE = Recipe.of_files(
    "images",
    metavar="DATA",
    help="what `seqnets train classifier` reads: a folder with a folder of images for each class, CIFAR's or MNIST's files, or "
    "mnist, fashion-mnist, cifar10, cifar100; none for drawn shapes among pieces of others",
    config=GlancerRunConfig,
    without="shapes",
    suffix="-glancer",
    make=make,
    commands=lambda config: ["seqnets classify {run} IMAGES --figure glimpses.png", "seqnets show {run}"],
    figures="accuracy nats",
)
