"""SqueezeNet: torchvision's names, and those of the authors' Caffe model as `.npz`."""

from seqnets.weights.layout import same_layout
from seqnets.weights.naming import Naming, nested, rules
from seqnets.weights.published import CAFFE_SQUEEZENET, TORCHVISION

FIRE = {"squeeze": "squeeze", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}
CAFFE_FIRE = FIRE | {"squeeze": "squeeze1x1"}
ENDS = rules({"stem.0": "conv1", "maps.1": "conv10"})
FIRST = {
    "squeezenet1_0": {"stage1.{i}": "fire{i+1}", "stage2.{i}": "fire{i+4}", "stage3.{i}": "fire{i+8}"},
    "squeezenet1_1": {"stage1.{i}": "fire{i+1}", "stage2.{i}": "fire{i+3}", "stage3.{i}": "fire{i+5}"},
}
CAFFE_LEAVES = {"kernel": "weight", "bias": "bias"}

NAMINGS = (
    Naming(
        "torchvision",
        (
            *nested({"stage{s}.{i}": "features.{at}"}, FIRE),
            *rules({"stem.0": "features.{at}", "maps.1": "classifier.1"}),
        ),
        preprocessing=TORCHVISION,
    ),
    *(
        Naming("caffe", (*ENDS, *nested(fires, CAFFE_FIRE)), CAFFE_LEAVES, "/", same_layout, CAFFE_SQUEEZENET)
        for fires in FIRST.values()
    ),
)
