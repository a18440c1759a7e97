"""Decoders as data: how a map is enlarged, what it meets on the way, how far it goes step by step."""

from dataclasses import dataclass
from typing import Literal

UpName = Literal["nearest", "bilinear", "unpool", "transposed"]
JoinName = Literal["none", "scores", "add", "concatenate"]


@dataclass(frozen=True)
class Plan:
    """How the features of an encoder become maps as large as the picture.

    Args:
        up: how a map is enlarged.
        join: what meets it: nothing; the finer features' own scores (added); the finer features, added or side by side.
        levels: how many finer maps it visits before the rest is done at once; None for all.
        convolutions: 3 x 3 convolutions after each step.
        deepens: whether two wide convolutions, after a pooling, come first (FCN's dense layers).
    """

    up: UpName
    join: JoinName
    levels: int | None
    convolutions: int = 0
    deepens: bool = False


PLANS = {
    "fcn32s": Plan("transposed", "scores", 0, deepens=True),
    "fcn16s": Plan("transposed", "scores", 1, deepens=True),
    "fcn8s": Plan("transposed", "scores", 2, deepens=True),
    "segnet": Plan("unpool", "none", None, 2),
    "unet": Plan("transposed", "concatenate", None, 2),
    "pyramid": Plan("nearest", "add", None, 1),
    "plain": Plan("bilinear", "none", 0, 0),
}
"""The published decoders by name.

fcn32s, fcn16s, fcn8s: Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", 2015; the numbers
are the strides with a VGG. segnet: Badrinarayanan, Kendall and Cipolla, "SegNet", 2015. unet: Ronneberger, Fischer and Brox,
"U-Net", 2015. pyramid: Lin et al., "Feature pyramid networks for object detection", 2017. plain: one bilinear enlargement of
the coarsest scores.
"""
