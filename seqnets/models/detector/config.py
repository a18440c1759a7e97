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

    method: Literal["ssd", "yolo"] = "ssd"
    """Default boxes on several maps with a class each (ssd), or a few boxes and one class for each cell of a grid (yolo)."""
    maps: Annotated[int, settings.POSITIVE] = 2
    """How many maps have default boxes, the coarsest first."""
    least_scale: Annotated[float, settings.SHARE_ABOVE_ZERO] = 0.2
    """The side of the default boxes of the finest map, as a share of the picture's."""
    most_scale: Annotated[float, settings.SHARE_ABOVE_ZERO] = 0.4
    """The side of the default boxes of the coarsest map."""
    ratios: tuple[float, ...] = (2.0,)
    """Proportions of the default boxes besides squares, each also upright."""
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

    def __post_init__(self) -> None:
        settings.settle(self, "model")
        if self.least_scale > self.most_scale:
            raise UserError(
                f"model.least_scale {self.least_scale} is above model.most_scale {self.most_scale}; give a smaller one"
            )
        if any(ratio <= 0 for ratio in self.ratios):
            raise UserError(f"model.ratios must be above 0, not {self.ratios}")


PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ssd": {"model": {"method": "ssd"}},
    "yolo": {"model": {"method": "yolo", "suppression": 0.5}, "loss": {"offsets": 5.0}, "train": {"steps": 1000}},
}
"""Published detectors by name, as settings of a run.

ssd: Liu et al., "SSD: single shot multibox detector", 2016. yolo: Redmon et al., "You only look once", 2016.
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
