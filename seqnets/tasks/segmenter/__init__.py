"""`seqnets train segmenter`: a network that gives every pixel a class."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from seqnets import settings
from seqnets.data.regions.config import RegionConfig
from seqnets.errors import UserError
from seqnets.models.dense.config import SegmenterConfig
from seqnets.tasks.recipe import Recipe, Tell
from seqnets.tasks.starting_weights import completed_encoder
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.data.regions.examples import RegionSet
    from seqnets.run import Run
    from seqnets.tasks.segmenter.task import SegmenterTask
    from seqnets.tasks.start import Start


@dataclass(frozen=True)
class PixelLossConfig:
    """The loss of a class map: section `[loss]`."""

    class_weights: Literal["none", "median", "logarithm"] = "none"
    """What rare classes weigh: as much as others (none), the median share by their own (median), 1 / ln(1.02 + share)."""

    def __post_init__(self) -> None:
        settings.settle(self, "loss")


@dataclass(frozen=True)
class SegmenterRunConfig:
    r"""A network and the pictures with class maps that it learns from.

    Example:
        >>> settings.loads('[model]\ndecoder = "fcn8s"', SegmenterRunConfig()).model.decoder
        'fcn8s'
    """

    task: Literal["segmenter"] = "segmenter"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    pictures: tuple[str, ...] = ()
    """A folder with label maps or of VOC, or COCO's files; none for drawn scenes."""
    data: RegionConfig = field(default_factory=RegionConfig)
    """How the pictures are read, split and varied."""
    model: SegmenterConfig = field(default_factory=SegmenterConfig)
    """The network."""
    loss: PixelLossConfig = field(default_factory=PixelLossConfig)
    """The loss."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def read(config: SegmenterRunConfig) -> "RegionSet":
    """Read or draw the pictures with class maps."""
    from seqnets.data.regions.reading import draw_scenes, read_regions

    regions = read_regions(*config.pictures, ignore=config.data.ignore) if config.pictures else draw_scenes(config.data.drawn)
    if not regions.map_classes:
        raise UserError(f"{regions.kind} in '{config.pictures[0]}' has neither label maps nor masks; give others")
    return regions.with_validation(config.data.validation_fraction)


def make(config: SegmenterRunConfig, tell: Tell, start: "Start | None" = None) -> "SegmenterTask":
    """Read the pictures and make the network."""
    from flax import nnx

    from seqnets.models.dense.segmenter import Segmenter
    from seqnets.tasks.region_task import begun_encoder
    from seqnets.tasks.segmenter.task import SegmenterTask

    regions, rngs = read(config), nnx.Rngs(config.train.seed)
    for remark in (str(regions), *regions.remarks):
        tell(remark)
    if start:
        model = start.grown(config.model, tell, rngs=rngs, labels=regions.map_classes)
    else:
        rule, encoder = begun_encoder(config.model, config.data, regions, rngs=rngs, tell=tell)
        model = Segmenter(config.model, regions.map_classes, rule, encoder=encoder, rngs=rngs)
    return SegmenterTask(model, regions, config.data, class_weights=config.loss.class_weights, tell=tell)


def measured(run: "Run", config: SegmenterRunConfig) -> list[str]:
    """Return the figures of the held-out splits, and the overlap of each class."""
    from seqnets.tasks.segmenter.task import SegmenterTask, split_lines

    regions = read(config)
    task = SegmenterTask(run.model, regions, config.data)
    held_out: Sequence[str] = [split for split in ("validation", "test") if split in regions.splits]
    return [line for split in held_out for line in split_lines(split, *task.measure(run.model, split), regions.map_classes)]


RECIPE = Recipe.of_files(
    "pictures",
    metavar="DATA",
    help="a folder with train/ and train_labels/ (or images/ and labels/), of VOC or COCO, or COCO's JSON files; none for "
    "drawn scenes",
    config=SegmenterRunConfig,
    without="scenes",
    suffix="-segmenter",
    make=make,
    shown=measured,
    commands=lambda config: ["seqnets segment {run} IMAGE --figure segments.png"],
    paths=("model.encoder_weights",),
    completed=completed_encoder,
)
