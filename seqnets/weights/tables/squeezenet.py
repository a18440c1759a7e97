"""SqueezeNet: torchvision's names, and those of the authors' Caffe model, also as `.npz` in our layout."""

from dataclasses import replace

from seqnets.weights.layout import same_layout
from seqnets.weights.naming import Naming, caffe, nested, rules
from seqnets.weights.published import CAFFE_SQUEEZENET, TORCHVISION

FIRE = {"squeeze": "squeeze", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}

# the first convolution is number 1, and every stage begins with a pooling that is not counted
CAFFE = (
    *nested({"stage{s}.{i}": "fire{at-s}"}, FIRE | {"squeeze": "squeeze1x1"}),
    *rules({"stem.0": "conv1", "maps.1": "conv10"}),
)
_caffe = caffe(CAFFE, preprocessing=CAFFE_SQUEEZENET)

NAMINGS = (
    Naming(
        "torchvision",
        (
            *nested({"stage{s}.{i}": "features.{at}"}, FIRE),
            *rules({"stem.0": "features.{at}", "maps.1": "classifier.1"}),
        ),
        preprocessing=TORCHVISION,
    ),
    _caffe,
    replace(_caffe, leaves={"kernel": "weight", "bias": "bias"}, layout=same_layout),  # as converted to .npz
)
