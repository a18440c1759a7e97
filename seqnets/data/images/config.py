"""The settings of labeled images: the section [data] of classifiers, glancers and drawers."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings

AugmentName = Literal["none", "flip", "pad-crop", "pad-crop-flip", "resized-crop-flip"]


@dataclass(frozen=True)
class ImageConfig:
    """How labeled images are read, split and varied.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> ImageConfig(padding=-1)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: data.padding must be at least 0, not -1
    """

    size: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Height and width of the images; 0 takes the size that the weights expect, else that of the data set, else 64."""
    channels: Literal["auto", "rgb", "gray"] = "auto"
    """rgb, gray, or auto, which takes what the weights expect, else what the data set has."""
    validation_fraction: Annotated[float, settings.RATE] = 0.1
    """Share of the training images of each class held out for validation where the data has no such split; 0 for none."""
    augment: AugmentName = "pad-crop"
    """How training images vary: shifted (pad-crop), mirrored (flip), both, or a resized part of the image, mirrored."""
    padding: Annotated[int, settings.NOT_NEGATIVE] = 4
    """The largest shift of pad-crop, in pixels."""
    least_area: Annotated[float, settings.SHARE_ABOVE_ZERO] = 0.25
    """The smallest share of the image that resized-crop-flip cuts out."""
    in_memory_megabytes: Annotated[int, settings.NOT_NEGATIVE] = 2048
    """Decoded image sets up to this size stay in memory; larger ones are decoded when needed."""
    workers: Annotated[int, settings.NOT_NEGATIVE] = 2
    """Processes that decode images ahead of training when they do not fit in memory; 0 decodes in the training process."""

    def __post_init__(self) -> None:
        settings.settle(self, "data")


@dataclass(frozen=True)
class GrayConfig:
    """How gray pictures are read and split.

    Example:
        >>> GrayConfig().size
        0
    """

    size: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Height and width to which the pictures are resized and cropped; 0 for those of the data set, or 64 for files."""
    validation_fraction: Annotated[float, settings.RATE] = 0.1
    """Share of the training pictures of each class held out for validation where the data has no such split; 0 for none."""

    def __post_init__(self) -> None:
        settings.settle(self, "data")


@dataclass(frozen=True)
class ScatterConfig(GrayConfig):
    """Where pictures are put: section `[data]`.

    Example:
        >>> ScatterConfig(clutter=0).canvas
        60
    """

    canvas: Annotated[int, settings.Range(least=0, most=4096)] = 60
    """Height and width of the black picture on which pictures are put at random places; 0 uses them as they are."""
    clutter: Annotated[int, settings.Range(least=0, most=1000)] = 4
    """Pieces of other pictures, at random places behind."""
    piece: Annotated[int, settings.POSITIVE] = 8
    """Height and width of a piece."""

    @property
    def scatters(self) -> bool:
        """Whether there is a canvas."""
        return self.canvas > 0
