"""The settings of detectors: the section [model] of their runs, and the published shapes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from seqnets import settings
from seqnets.errors import UserError
from seqnets.models.dense.config import DenseConfig


@dataclass(frozen=True)
class DetectorConfig(DenseConfig):
    """A network that finds all things of a picture: section `[model]`.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> DetectorConfig(method="yolo", boxes_per_cell=3).maps
        2
    """

    method: Literal["ssd", "yolo", "regions"] = "ssd"
    """Default boxes on several maps with a class each (ssd), a few boxes and one class for each cell of a grid (yolo), or
    proposals, whose features are pooled and classified (regions)."""
    maps: Annotated[int, settings.POSITIVE] = 2
    """How many maps have default boxes, the coarsest first; of a pyramid, its levels."""
    least_scale: Annotated[float, settings.SHARE_ABOVE_ZERO] = 0.2
    """The side of the default boxes of the finest map, as a share of the picture's."""
    most_scale: Annotated[float, settings.SHARE_ABOVE_ZERO] = 0.4
    """The side of the default boxes of the coarsest map."""
    ratios: tuple[float, ...] = (2.0,)
    """Proportions of the default boxes and anchors besides squares, each also upright."""
    boxes_per_cell: Annotated[int, settings.POSITIVE] = 2
    """Boxes of each cell of a grid (yolo)."""
    head_features: Annotated[int, settings.NOT_NEGATIVE] = 64
    """Features of a convolution before the predictions; 0 for none."""
    suppression: Annotated[float, settings.SHARE] = 0.45
    """The largest overlap of two detections of one class."""
    least_score: Annotated[float, settings.RATE] = 0.01
    """Detections below this score are left out."""
    keep: Annotated[int, settings.POSITIVE] = 100
    """The largest number of detections in a picture."""
    proposals: Literal["learned", "given"] = "learned"
    """Where regions are from: anchors that a head chooses and moves (learned), or a file or graph segmentation (given)."""
    stride: Annotated[int, settings.POSITIVE] = 4
    """Pixels of the picture per cell of the map that regions are pooled from, at most."""
    pyramid: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Features of a feature pyramid over the coarsest maps; 0 for none."""
    level_cells: Annotated[float, settings.ABOVE_ZERO] = 7.0
    """Cells that a region has along its side on its level of the pyramid, at least; the paper has 14."""
    sides: tuple[float, ...] = (0.2, 0.4)
    """Sides of the anchors as shares of the picture's shorter side; in a pyramid one for each level, the finest first."""
    considered: Annotated[int, settings.POSITIVE] = 200
    """The surest anchors of a map that become proposals, before suppression."""
    proposed: Annotated[int, settings.POSITIVE] = 32
    """Proposals of a picture, after suppression; of given ones, the largest number."""
    proposal_suppression: Annotated[float, settings.SHARE] = 0.7
    """The largest overlap of two proposals."""
    pooling: Literal["align", "max", "spp", "position-sensitive", "warp"] = "align"
    """How the features of a region come to one size: bilinear samples (align), maxima of cells (max), those of several grids
    (spp), votes of maps for each part of a region (position-sensitive), or those of the encoder for each cut-out part of the
    picture by itself (warp)."""
    crop: Annotated[int, settings.POSITIVE] = 32
    """Rows and columns that a region is stretched to (warp)."""
    context: Annotated[int, settings.NOT_NEGATIVE] = 2
    """Rows and columns on each side of it that show what is around the region; R-CNN has 16 of 227 (warp)."""
    scorer: Literal["softmax", "svm"] = "softmax"
    """Whether scores are shares of all classes, or each class has a margin of its own, which R-CNN fits afterwards (svm)."""
    grid: Annotated[int, settings.POSITIVE] = 5
    """Rows and columns of the features of a region."""
    spp_grids: tuple[int, ...] = (1, 2, 3, 6)
    """Rows and columns of each grid of a spatial pyramid (spp)."""
    aligned: bool = True
    """Samples of align lie where cells of pictures are; false for half a cell beside, as until 2019."""
    hidden_features: Annotated[int, settings.POSITIVE] = 128
    """Features of the dense layers after pooling (of the cells before it, where parts vote)."""
    hidden_layers: Annotated[int, settings.NOT_NEGATIVE] = 2
    """How many such layers."""
    box_per_class: bool = True
    """A correction of the box for each class, or one for all."""
    masks: bool = False
    """Whether the pixels of each thing are found, too."""
    joints: bool = False
    """Whether the joints of each thing are found, too."""
    map_grid: Annotated[int, settings.POSITIVE] = 7
    """Rows and columns of a region's features for masks and joints; maps of masks have twice as many, of joints four times."""
    map_features: Annotated[int, settings.POSITIVE] = 32
    """Features of the convolutions that find masks and joints."""
    map_layers: Annotated[int, settings.NOT_NEGATIVE] = 2
    """How many such convolutions, before the one that enlarges."""
    phrases: Literal["none", "nic", "sat-soft", "init", "every"] = "none"
    """How regions are described in words: as the captioner's preset of this name does it with pictures; none for classes."""
    phrase_features: Annotated[int, settings.POSITIVE] = 128
    """Features of the recurrent layer and of the words of phrases."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")
        if self.least_scale > self.most_scale:
            raise UserError(
                f"model.least_scale {self.least_scale} is above model.most_scale {self.most_scale}; give a smaller one"
            )
        if any(ratio <= 0 for ratio in self.ratios):
            raise UserError(f"model.ratios must be above 0, not {self.ratios}")
        if self.pyramid and self.pooling == "position-sensitive":
            raise UserError("model.pooling position-sensitive has votes of one map, not of a pyramid; leave model.pyramid at 0")
        if not self.sides or any(side <= 0 for side in self.sides):
            raise UserError(f"model.sides must be above 0, and at least one, not {self.sides}")
        if 2 * self.context >= self.crop:
            raise UserError(f"model.context {self.context} on both sides leaves nothing of model.crop {self.crop}; give less")
        if self.pooling == "warp" and (self.masks or self.joints or self.pyramid):
            raise UserError("model.pooling warp has no map for masks, joints or a pyramid; give another --model.pooling")
        if self.pooling == "warp" and (self.proposals == "learned" or self.masks or self.joints):
            raise UserError("model.pooling warp has no map for proposals, masks and joints; set --model.proposals given alone")
        if self.phrases != "none" and (self.method != "regions" or self.pooling not in ("align", "max")):
            raise UserError("model.phrases describe pooled regions; set --model.method regions and --model.pooling align or max")

    @property
    def takes_proposals(self) -> bool:
        """Whether the model must be given the regions that it classifies."""
        return self.method == "regions" and self.proposals == "given"


_REGIONS = {"method": "regions", "suppression": 0.5, "least_score": 0.05}
_GIVEN = {
    "model": {**_REGIONS, "proposals": "given", "proposed": 100},
    "loss": {"background_overlap": 0.1},
    "data": {"drawn": 1000},
}

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ssd": {"model": {"method": "ssd"}},
    "yolo": {"model": {"method": "yolo", "suppression": 0.5}, "loss": {"offsets": 5.0}, "train": {"steps": 1000}},
    "faster-rcnn": {"model": {**_REGIONS, "pooling": "max"}},
    "r-fcn": {"model": {**_REGIONS, "pooling": "position-sensitive", "grid": 3, "box_per_class": False}},
    "mask-rcnn": {"model": {**_REGIONS, "masks": True, "keep": 30}},
    "rcnn": {
        "model": {**_GIVEN["model"], "pooling": "warp", "proposed": 64},
        "loss": {"region_samples": 16, "svm": True},
        "data": {"drawn": 1000},
        "train": {"steps": 300, "batch_size": 8, "evaluate_every": 300},
    },
    "fast-rcnn": {**_GIVEN, "model": {**_GIVEN["model"], "pooling": "max"}},
    "spp": {**_GIVEN, "model": {**_GIVEN["model"], "pooling": "spp"}, "train": {"steps": 200}},
    "densecap": {
        "model": {
            "method": "regions",
            "phrases": "nic",
            "box_per_class": False,
            "suppression": 0.3,
            "least_score": 0.05,
            "keep": 20,
            "grid": 7,
        },
        "loss": {"objectness": 0.1, "anchors": 0.05, "classes": 0.1, "offsets": 0.1, "region_share": 0.5},
        "data": {"augment": "pad-crop"},  # phrases may say left and right
        "train": {"steps": 600},
    },
}
"""Published detectors by name, as settings of a run.

ssd: Liu et al., "SSD: single shot multibox detector", 2016. yolo: Redmon et al., "You only look once", 2016. faster-rcnn: Ren et
al., "Faster R-CNN: towards real-time object detection with region proposal networks", 2015. r-fcn: Dai et al.,
"R-FCN: object detection via region-based fully convolutional networks", 2016. mask-rcnn: He et al., "Mask R-CNN", 2017. rcnn:
Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", 2014. fast-rcnn: Girshick,
"Fast R-CNN", 2015. spp: He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition", 2014.
densecap: Johnson, Karpathy and Fei-Fei, "DenseCap: fully convolutional localization networks for dense captioning", 2016.
"""


def preset(name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the settings of a published detector.

    Raises:
        UserError: the preset is unknown.

    Example:
        >>> preset("yolo")["model"]["method"]
        'yolo'
    """
    if name not in PRESETS:
        raise UserError(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
