"""The settings of segmenters and localizers: the section [model] of their runs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from seqnets import settings
from seqnets.models.dense.plans import PLANS, UpName


@dataclass(frozen=True)
class DenseConfig:
    """The network that reads pictures, and how its features are enlarged."""

    encoder: str = "small"
    """small, or a network of `seqnets summary --list`, such as vgg16 or resnet18."""
    encoder_weights: str = ""
    """Weights of the network: a file, torchvision or hf:OWNER/NAME; empty for torchvision's, none for random ones."""
    width: Annotated[int, settings.POSITIVE] = 16
    """Features of the first convolution of the small encoder; they double twice."""
    up: UpName | Literal["auto"] = "auto"
    """How maps are enlarged: nearest, bilinear, unpool, transposed; auto for the decoder's own way."""
    dropout: Annotated[float, settings.RATE] = 0.0
    """Dropout rate before the last layer."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the arithmetic; parameters and batch statistics are float32."""


@dataclass(frozen=True)
class SegmenterConfig(DenseConfig):
    """A network that gives every pixel a class: section `[model]`.

    Example:
        >>> SegmenterConfig(decoder="fcn8s").encoder
        'small'
    """

    decoder: Literal[tuple(PLANS)] = "unet"  # pyright: ignore[reportInvalidTypeForm]
    """How features become a class map: fcn32s, fcn16s, fcn8s, segnet, unet, pyramid or plain."""
    head_features: Annotated[int, settings.NOT_NEGATIVE] = 0
    """Features of the two convolutions of an FCN's head; 0 for twice those of the encoder."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")


@dataclass(frozen=True)
class LocalizerConfig(DenseConfig):
    """A network that finds one thing and its box, or joints: section `[model]`.

    Example:
        >>> LocalizerConfig(head="heatmaps").stride
        4
    """

    head: Literal["box", "joints", "heatmaps"] = "box"
    """What is found: class and box; joints as numbers (joints); joints as maps (heatmaps)."""
    hidden_features: Annotated[int, settings.NOT_NEGATIVE] = 128
    """Size of the dense layer before the numbers; 0 for none."""
    grid: Annotated[int, settings.POSITIVE] = 4
    """Rows and columns that the features are averaged to before the dense layers, beside their maxima over the whole picture."""
    box_per_class: bool = False
    """A box for each class (OverFeat), or one for all (VGG)."""
    stride: Annotated[int, settings.POSITIVE] = 4
    """Pixels of the picture per cell of a heatmap, at least."""
    decoder: Literal[tuple(PLANS)] = "unet"  # pyright: ignore[reportInvalidTypeForm]
    """How features become heatmaps."""

    def __post_init__(self) -> None:
        settings.settle(self, "model")
