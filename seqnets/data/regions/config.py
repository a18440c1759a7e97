"""The settings of pictures with regions: the section [data] of segmenters, localizers and detectors."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings
from seqnets.data.images.config import AugmentName


@dataclass(frozen=True)
class RegionConfig:
    """How pictures with regions are read, split and varied.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> RegionConfig(height=-1)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: data.height must be at least 0, not -1
    """

    height: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Height that pictures are resized to, in pixels; 0 for 64 with drawings and 192 with photographs."""
    width: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Width that pictures are resized to; 0 for the height."""
    channels: Literal["rgb", "gray"] = "rgb"
    """rgb or gray; published weights have their own."""
    ignore: Annotated[int, settings.NOT_NEGATIVE] = 255
    """The number in label maps of pixels that do not count; 255 never counts."""
    validation_fraction: Annotated[float, settings.RATE] = 0.1
    """Share of the training pictures held out for validation where the data has no such split; 0 for none."""
    augment: AugmentName = "pad-crop-flip"
    """How training pictures vary: shifted (pad-crop), mirrored (flip), both, or a resized part of the picture, mirrored."""
    padding: Annotated[int, settings.NOT_NEGATIVE] = 4
    """The largest shift of pad-crop, in pixels."""
    least_area: Annotated[float, settings.SHARE_ABOVE_ZERO] = 0.25
    """The smallest share of the picture that resized-crop-flip cuts out."""
    context: Annotated[float, settings.NOT_NEGATIVE] = 0.0
    """For joints: cut out a square this many times as large as the person's box; 0 for the whole picture."""
    proposals: str = ""
    """For detectors of given proposals: their file, JSON or .npz; empty for graph segmentation."""
    min_count: Annotated[int, settings.POSITIVE] = 1
    """Leave out words of phrases that occur less often."""
    drawn: Annotated[int, settings.POSITIVE] = 2000
    """How many pictures are drawn where no data is given."""
    in_memory_megabytes: Annotated[int, settings.NOT_NEGATIVE] = 2048
    """Decoded sets up to this size stay in memory; larger ones are decoded when needed."""
    workers: Annotated[int, settings.NOT_NEGATIVE] = 2
    """Processes that decode pictures ahead of training when they do not fit in memory; 0 decodes in the training process."""

    def __post_init__(self) -> None:
        settings.settle(self, "data")
