"""`seqnets train stylizer`: a network that paints any picture in the style of one painting, or of several."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from seqnets import settings
from seqnets.models.stylizer_config import StylizerConfig
from seqnets.tasks.recipe import Recipe, Tell
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.run import Run
    from seqnets.tasks.start import Start
    from seqnets.tasks.stylizer.task import StylizerTask

TEXTURE = "waves"
PREVIEW = "preview.png"


@dataclass(frozen=True)
class PaintedConfig:
    """The pictures to learn painting on: section `[data]`."""

    size: Annotated[int, settings.POSITIVE] = 64
    """Height and width to which the pictures are resized and cropped."""
    style_size: Annotated[int, settings.NOT_NEGATIVE] = 0
    """The shorter side of the paintings; 0 for `size`. Larger paintings give finer strokes than the pictures have room for."""
    scenes: Annotated[int, settings.POSITIVE] = 400
    """Drawn scenes to paint where no pictures are given."""
    validation_fraction: Annotated[float, settings.RATE] = 0.05
    """Share of the pictures held out."""

    def __post_init__(self) -> None:
        settings.settle(self, "data")


@dataclass(frozen=True)
class StyleLossConfig:
    """The loss, as in `seqnets dream style`: section `[loss]`."""

    network: str = "random"
    """The network that compares pictures: a name such as vgg16, a run of a classifier, or random for untrained filters."""
    weights: str = ""
    """Its weights, if it has a name: a file, or torchvision."""
    content: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the relative distance of the features."""
    style: Annotated[float, settings.ABOVE_ZERO] = 1.0
    """Weight of the relative distance of the Gram matrices."""
    smoothness: Annotated[float, settings.NOT_NEGATIVE] = 1e-3
    """Weight of the total variation."""

    def __post_init__(self) -> None:
        settings.settle(self, "loss")


@dataclass(frozen=True)
class StylizerRunConfig:
    """A stylizer, its paintings, and the pictures that it learns to paint.

    Example:
        >>> StylizerRunConfig(styles=("wave.jpg",)).loss.network
        'random'
    """

    task: Literal["stylizer"] = "stylizer"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    styles: tuple[str, ...] = ()
    """Paintings: image files; none for a texture by formula."""
    contents: tuple[str, ...] = ()
    """Pictures to paint: files, folders or patterns; none for drawn scenes."""
    data: PaintedConfig = field(default_factory=PaintedConfig)
    """How the pictures are read and split."""
    model: StylizerConfig = field(default_factory=StylizerConfig)
    """The shape of the network."""
    loss: StyleLossConfig = field(default_factory=StyleLossConfig)
    """The loss."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def make(config: StylizerRunConfig, tell: Tell, start: "Start | None" = None) -> "StylizerTask":
    """Read the paintings and the pictures and make the network."""
    from flax import nnx

    from seqnets.models.stylizer import Stylizer
    from seqnets.tasks.stylizer.pictures import content_splits, paintings
    from seqnets.tasks.stylizer.task import StylizerTask

    names, styles = style_names(config.styles), paintings(config.styles, config.data.style_size or config.data.size)
    splits = content_splits(config.contents, config.data, len(styles), tell)
    rngs = nnx.Rngs(config.train.seed)
    model = start.grown(config.model, tell, rngs=rngs, styles=names) if start else Stylizer(config.model, names, rngs=rngs)
    return StylizerTask(model, splits, styles, config.loss)


def style_names(paths: Sequence[str]) -> list[str]:
    """Return a name for each painting: that of its file, with a number where two are alike.

    Example:
        >>> style_names(["a/wave.jpg", "b/wave.png", "scream.jpg"]), style_names([])
        (['wave', 'wave 2', 'scream'], ['waves'])
    """
    found: list[str] = []
    for name in [Path(path).stem for path in paths] or [TEXTURE]:
        found.append(name if name not in found else next(n for k in range(2, 99) if (n := f"{name} {k}") not in found))
    return found


def previewed(run: "Run", config: StylizerRunConfig) -> list[str]:
    """Write held-out pictures beside their painted versions into the run's folder, and say so."""
    from seqnets.tasks.stylizer.pictures import preview

    if run.directory is None:
        return []
    preview(run.model, config.contents, config.data, run.directory / PREVIEW)
    return [f"pictures that were not in training, painted: {run.directory / PREVIEW}"]


RECIPE = Recipe.of_files(
    "styles",
    metavar="PAINTING",
    help="image files, one for each style; none for a texture by formula",
    words={
        "--contents": {"nargs": "+", "metavar": "PICTURES", "help": "pictures to paint: files or folders; none for drawn scenes"}
    },
    config=StylizerRunConfig,
    without=TEXTURE,
    suffix="-stylizer",
    make=make,
    shown=previewed,
    commands=lambda config: ["seqnets stylize {run} photo.jpg"],
    figures="loss style_loss content_loss",
    paths=("contents",),
)
