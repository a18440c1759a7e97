"""`seqnets train drawer`: a network that draws pictures in steps."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from seqnets import settings as settings
from seqnets.data.images.config import GrayConfig
from seqnets.models.glimpse.config import DrawerConfig
from seqnets.tasks.recipe import Recipe, Tell
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.tasks.drawer.task import DrawerTask
    from seqnets.tasks.start import Start


@dataclass(frozen=True)
class DrawerRunConfig:
    r"""A drawer and the pictures it learns from.

    Example:
        >>> settings.loads('[model]\nsteps = 10', DrawerRunConfig()).model.latent_features
        32
    """

    task: Literal["drawer"] = "drawer"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    images: tuple[str, ...] = ()
    """Folders: with a folder of images for each class, CIFAR's binary files, or MNIST's; none for drawn shapes."""
    data: GrayConfig = field(default_factory=GrayConfig)
    """How the pictures are read and split."""
    model: DrawerConfig = field(default_factory=DrawerConfig)
    """The shape of the network."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def make(config: DrawerRunConfig, tell: Tell, start: "Start | None" = None) -> "DrawerTask":
    """Read the pictures and make the network."""
    from flax import nnx

    from seqnets.data.images.gray import read_gray
    from seqnets.models.glimpse.drawer import Drawer
    from seqnets.tasks.drawer.task import DrawerTask

    found, rngs = read_gray(config.images, config.data, tell), nnx.Rngs(config.train.seed)
    model = start.grown(config.model, tell, rngs=rngs) if start else Drawer(config.model, found.rule, rngs=rngs)
    return DrawerTask(model, found)


RECIPE = Recipe.of_files(
    "images",
    metavar="DATA",
    help="what `seqnets train classifier` reads: a folder with a folder of images for each class, CIFAR's or MNIST's files, or "
    "mnist, fashion-mnist, cifar10, cifar100; none for drawn shapes. Pictures become black and white",
    config=DrawerRunConfig,
    without="shapes",
    suffix="-drawer",
    make=make,
    commands=lambda config: ["seqnets sample {run} --samples 16 --figure steps.png", "seqnets show {run}"],
    figures="bound reconstruction divergence first_divergence",
)
