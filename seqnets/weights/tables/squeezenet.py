"""SqueezeNet: torchvision's names, and those of the authors' Caffe model as `.npz`."""

from seqnets.weights.layout import same_layout
from seqnets.weights.naming import Naming, nested, rules
from seqnets.weights.published import CAFFE_SQUEEZENET, TORCHVISION

FIRE = {"squeeze": "squeeze", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}

NAMINGS = (
    Naming(
        "torchvision",
        (
            *nested({"stage{s}.{i}": "features.{at}"}, FIRE),
            *rules({"stem.0": "features.{at}", "maps.1": "classifier.1"}),
        ),
        preprocessing=TORCHVISION,
    ),
    Naming(
        "caffe",
        (
            # the first convolution is number 1, and every stage begins with a pooling that is not counted
            *nested({"stage{s}.{i}": "fire{at-s}"}, FIRE | {"squeeze": "squeeze1x1"}),
            *rules({"stem.0": "conv1", "maps.1": "conv10"}),
        ),
        leaves={"kernel": "weight", "bias": "bias"},
        separator="/",
        layout=same_layout,
        preprocessing=CAFFE_SQUEEZENET,
    ),
)
