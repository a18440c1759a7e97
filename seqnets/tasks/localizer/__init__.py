"""`seqnets train localizer`: a network that finds one thing and its box, or joints."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from seqnets import settings
from seqnets.data.regions.config import RegionConfig
from seqnets.errors import UserError
from seqnets.models.dense.config import LocalizerConfig
from seqnets.tasks.recipe import Recipe, Tell
from seqnets.tasks.starting_weights import completed_encoder
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.data.regions.examples import RegionSet
    from seqnets.run import Run
    from seqnets.tasks.localizer.task import LocalizerTask
    from seqnets.tasks.start import Start


@dataclass(frozen=True)
class PlaceLossConfig:
    """The losses of places: section `[loss]`."""

    distance: Literal["l2", "smooth-l1"] = "smooth-l1"
    """How far a box or a joint is off: squared, or squared only near 0."""
    beta: Annotated[float, settings.ABOVE_ZERO] = 0.1
    """Where smooth-l1 becomes straight, as a share of the picture's side."""
    place_weight: Annotated[float, settings.NOT_NEGATIVE] = 2.0
    """Weight of the loss of boxes beside that of classes."""
    heatmap: Literal["softmax", "l2"] = "softmax"
    """The loss of heatmaps: cross-entropy over all cells, or squared differences from a bump."""
    sigma: Annotated[float, settings.ABOVE_ZERO] = 1.0
    """Standard deviation of the bump of a joint, in cells."""

    def __post_init__(self) -> None:
        settings.settle(self, "loss")


@dataclass(frozen=True)
class LocalizerRunConfig:
    r"""A network and the pictures with boxes or joints that it learns from.

    Example:
        >>> settings.loads('[model]\nhead = "heatmaps"', LocalizerRunConfig()).model.head
        'heatmaps'
    """

    task: Literal["localizer"] = "localizer"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    pictures: tuple[str, ...] = ()
    """COCO's files, a folder of VOC, or a file of joints; none for drawings."""
    data: RegionConfig = field(default_factory=RegionConfig)
    """How the pictures are read, split and varied."""
    model: LocalizerConfig = field(default_factory=LocalizerConfig)
    """The network."""
    loss: PlaceLossConfig = field(default_factory=PlaceLossConfig)
    """The loss."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def read(config: LocalizerRunConfig) -> "RegionSet":
    """Read or draw pictures with one thing each: the largest one, or a person with joints."""
    from seqnets.data.regions.reading import draw_figures, draw_scenes, read_regions
    from seqnets.tasks.localizer.examples import one_a_person, one_a_picture

    boxes = config.model.head == "box"
    if config.pictures:
        regions = read_regions(*config.pictures)
    else:
        regions = draw_scenes(config.data.drawn, most=1) if boxes else draw_figures(config.data.drawn)
    if not boxes and not regions.joints:
        raise UserError(f"{regions.kind} in '{config.pictures[0]}' has no joints; give --model.head box")
    found = one_a_picture(regions) if boxes else one_a_person(regions)
    return found.with_validation(config.data.validation_fraction)


def make(config: LocalizerRunConfig, tell: Tell, start: "Start | None" = None) -> "LocalizerTask":
    """Read the pictures and make the network."""
    from flax import nnx

    from seqnets.models.dense.localizer import Localizer
    from seqnets.tasks.localizer.task import LocalizerTask
    from seqnets.tasks.region_task import begun_encoder

    regions, rngs = read(config), nnx.Rngs(config.train.seed)
    for remark in (str(regions), *regions.remarks):
        tell(remark)
    labels = regions.classes if config.model.head == "box" else regions.joints
    if start:
        model = start.grown(config.model, tell, rngs=rngs, labels=labels)
    else:
        rule, encoder = begun_encoder(config.model, config.data, regions, rngs=rngs, tell=tell)
        model = Localizer(config.model, labels, rule, encoder=encoder, rngs=rngs)
    return LocalizerTask(model, regions, config.data, loss=config.loss, tell=tell)


def measured(run: "Run", config: LocalizerRunConfig) -> list[str]:
    """Return the figures of the held-out splits."""
    from seqnets.tasks.localizer.task import LocalizerTask, split_line

    regions = read(config)
    task = LocalizerTask(run.model, regions, config.data, loss=config.loss)
    held_out = [split for split in ("validation", "test") if split in regions.splits]
    return [split_line(split, task.measure(run.model, split)[0], len(regions.splits[split])) for split in held_out]


RECIPE = Recipe.of_files(
    "pictures",
    metavar="DATA",
    help="COCO's JSON files or their folder, a folder of VOC, or JSON with joints; none for drawings",
    config=LocalizerRunConfig,
    without="drawings",
    suffix="-localizer",
    make=make,
    shown=measured,
    commands=lambda config: ["seqnets locate {run} IMAGE --figure found.png"],
    paths=("model.encoder_weights",),
    completed=completed_encoder,
)
