"""`seqnets train detector`: a network that finds all things in a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seqnets import settings
from seqnets.data.regions.config import RegionConfig
from seqnets.errors import UserError
from seqnets.models.detector.config import PRESETS, DetectorConfig, preset
from seqnets.tasks.recipe import Recipe, Tell
from seqnets.tasks.starting_weights import completed_encoder
from seqnets.train.config import TrainConfig

if TYPE_CHECKING:
    from seqnets.data.regions.examples import RegionSet
    from seqnets.run import Run
    from seqnets.tasks.detector.task import DetectorTask
    from seqnets.tasks.start import Start


@dataclass(frozen=True)
class DetectionLossConfig:
    """The weights of the losses: section `[loss]`."""

    classes: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the loss of classes."""
    offsets: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the loss of boxes; YOLO has 5."""
    confidence: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the confidence of boxes with a thing (yolo)."""
    empty: Annotated[float, settings.NOT_NEGATIVE] = 0.5
    """Weight of the confidence of boxes without one (yolo)."""
    negatives: Annotated[float, settings.NOT_NEGATIVE] = 3.0
    """Background boxes that count for each box with a thing: the hardest (ssd)."""

    objectness: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of whether an anchor has a thing (regions)."""
    anchors: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the offsets of anchors (regions)."""
    masks: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the masks (regions)."""
    joints: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the joints (regions)."""
    phrases: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Weight of the words of phrases (regions)."""
    smooth: Annotated[float, settings.ABOVE_ZERO] = 1 / 9
    """Offsets of which the error is below this have a squared loss, others an absolute one (regions)."""
    anchor_samples: Annotated[int, settings.POSITIVE] = 128
    """Anchors of a picture that count (regions)."""
    anchor_share: Annotated[float, settings.SHARE] = 0.5
    """Share of them that have a thing, at most."""
    anchor_overlap: Annotated[float, settings.SHARE] = 0.7
    """Overlap from which an anchor has a thing; the best one of each thing has it in any case."""
    anchor_background: Annotated[float, settings.SHARE] = 0.3
    """Overlap below which an anchor has none; those between do not count."""
    proposals: Annotated[int, settings.POSITIVE] = 64
    """Proposals of a picture in training, from which regions are sampled."""
    region_samples: Annotated[int, settings.POSITIVE] = 32
    """Regions of a picture that count."""
    region_share: Annotated[float, settings.SHARE] = 0.25
    """Share of them that have a thing, at most."""
    region_overlap: Annotated[float, settings.SHARE] = 0.5
    """Overlap from which a region has a thing."""
    background_overlap: Annotated[float, settings.SHARE] = 0.0
    """Overlap from which a region without a thing is background that counts; Fast R-CNN has .1."""
    svm: bool = False
    """Fits support vector machines and ridge regressions of boxes to the features afterwards, as a run beside (R-CNN)."""
    svm_background: Annotated[float, settings.SHARE] = 0.3
    """Overlap with a class below which a region is background for its machine; those between do not count."""
    svm_cost: Annotated[float, settings.ABOVE_ZERO] = 1e-3
    """Cost of a region on the wrong side, for features with a mean length of 20."""
    ridge_overlap: Annotated[float, settings.SHARE] = 0.6
    """Overlap from which a region is an example of the ridge regression."""
    ridge_strength: Annotated[float, settings.ABOVE_ZERO] = 1000.0
    """Weight of the squared coefficients of the ridge regression."""

    def __post_init__(self) -> None:
        settings.settle(self, "loss")


@dataclass(frozen=True)
class DetectorRunConfig:
    r"""A network and the pictures with boxes that it learns from.

    Example:
        >>> settings.loads('[model]\nmethod = "yolo"', DetectorRunConfig()).model.method
        'yolo'
    """

    task: Literal["detector"] = "detector"
    """The task."""
    from_run: str = ""
    """The run whose weights to begin with: its folder or name; empty for random weights."""
    pictures: tuple[str, ...] = ()
    """COCO's files or a folder of VOC; none for drawn scenes."""
    data: RegionConfig = field(default_factory=RegionConfig)
    """How the pictures are read, split and varied."""
    model: DetectorConfig = field(default_factory=DetectorConfig)
    """The network."""
    loss: DetectionLossConfig = field(default_factory=DetectionLossConfig)
    """The losses."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """The training."""


def read(config: DetectorRunConfig) -> "RegionSet":
    """Read or draw the pictures with boxes."""
    from seqnets.data.regions.phrases import phrased
    from seqnets.data.regions.reading import draw_figures, draw_scenes, read_regions

    drawn = draw_figures if config.model.joints else draw_scenes
    regions = read_regions(*config.pictures) if config.pictures else drawn(config.data.drawn)
    if not any(len(example.labels) for example in regions.splits["train"]):
        raise UserError(f"no picture to train on in '{config.pictures[0]}' has boxes; give COCO's files or a folder of VOC")
    regions = regions.with_validation(config.data.validation_fraction)
    return phrased(regions) if config.model.phrases != "none" else regions


def proposed(config: DetectorRunConfig, regions: "RegionSet", model: DetectorConfig, tell: Tell) -> "RegionSet":
    """Return the pictures with proposals, if the model wants them."""
    from seqnets.data.regions.proposals import with_proposals

    if model.takes_proposals:
        return with_proposals(regions, config.data.proposals, model.proposed, tell)
    if config.data.proposals:
        raise UserError("data.proposals is set, but the model finds regions by itself; add --preset fast-rcnn, spp or rcnn")
    return regions


def make(config: DetectorRunConfig, tell: Tell, start: "Start | None" = None) -> "DetectorTask":
    """Read the pictures and make the network."""
    from flax import nnx

    from seqnets.models.detector.describer import RegionDescriber
    from seqnets.models.detector.detector import Detector
    from seqnets.models.detector.region_detector import RegionDetector
    from seqnets.tasks.region_task import begun_encoder

    regions, rngs = read(config), nnx.Rngs(config.train.seed)
    words = vocabulary_of(config, regions, start)
    for remark in (str(regions), *(f"vocabulary: {found}" for found in words.values()), *regions.remarks):
        tell(remark)
    if start:
        model = start.grown(config.model, tell, rngs=rngs, labels=regions.classes, **words)
    else:
        rule, encoder = begun_encoder(config.model, config.data, regions, rngs=rngs, tell=tell)
        parts = config.model, regions.classes, rule
        if words:
            model = RegionDescriber(*parts, **words, encoder=encoder, joints=regions.joints, rngs=rngs)
        elif config.model.method == "regions":
            model = RegionDetector(*parts, encoder=encoder, joints=regions.joints, rngs=rngs)
        else:
            model = Detector(*parts, encoder=encoder, rngs=rngs)
    return task_for(model, config, regions, tell)


def vocabulary_of(config: DetectorRunConfig, regions: "RegionSet", start: "Start | None" = None) -> dict[str, Any]:
    """Return the `vocabulary` of the phrases, added to that of a run to begin with; nothing where regions have classes only."""
    if config.model.phrases == "none":
        return {}
    from seqnets.data.examples.texts import extended
    from seqnets.data.regions.phrases import all_phrases
    from seqnets.data.words.vocabulary import token_vocabulary

    found: Any = token_vocabulary(all_phrases(regions.splits["train"]), min_count=config.data.min_count)
    return {"vocabulary": extended(start.vocabulary if start else None, found)}


def task_for(model: Any, config: DetectorRunConfig, regions: "RegionSet", tell: Tell) -> "DetectorTask":
    """Return the task of a model."""
    from seqnets.tasks.detector.describer_task import DescriberTask
    from seqnets.tasks.detector.task import DetectorTask

    kind = DetectorTask if config.model.phrases == "none" else DescriberTask
    return kind(model, proposed(config, regions, model.config, tell), config.data, loss=config.loss, tell=tell)


def as_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given arguments as settings, including those of a preset."""
    words = {name: value for name, value in given.items() if name != "preset"}
    return {**words, **preset(given["preset"])} if "preset" in given else words


def measured(run: "Run", config: DetectorRunConfig) -> list[str]:
    """Return the figures of the held-out splits."""
    from seqnets.tasks.detector.task import split_line

    regions = read(config)
    task = task_for(run.model, config, regions, lambda sentence: None)
    held_out = [split for split in ("validation", "test") if split in regions.splits]

    def lines(model: Any) -> list[str]:
        return [split_line(split, task.measure(model, split)[0], len(regions.splits[split])) for split in held_out]

    found = lines(run.model)
    if config.loss.svm:
        from seqnets.tasks.detector.machines import FOLDER, saved_with_machines

        model = saved_with_machines(task, run)
        found += [f"with support vector machines and ridge regression, the run '{run.directory}/{FOLDER}':", *lines(model)]
    return found


RECIPE = Recipe.of_files(
    "pictures",
    metavar="DATA",
    help="COCO's JSON files or their folder, or a folder of VOC; none for drawn scenes",
    words={"--preset": {"choices": tuple(PRESETS), "metavar": "|".join(PRESETS), "help": "a published detector [ssd]"}},
    usage="DATA ... [--preset NAME]",
    config=DetectorRunConfig,
    without="scenes",
    suffix="-detector",
    make=make,
    shown=measured,
    as_settings=as_settings,
    commands=lambda config: [
        f"seqnets detect {run} IMAGE --figure found.png" for run in ("{run}", *(["{run}/svm"] if config.loss.svm else []))
    ],
    paths=("model.encoder_weights", "data.proposals"),
    completed=completed_encoder,
)
