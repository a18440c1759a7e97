"""AlexNet: torchvision's of 2014, and Caffe's AlexNet and CaffeNet, of 2012. ZFNet has no published weights."""

from typing import Any

from seqnets.weights.naming import Naming, Rule, caffe, rules
from seqnets.weights.published import CAFFE_ALEXNET, TORCHVISION

CONVOLUTIONS = {
    "stem.0": "features.0",
    "stage1.1": "features.3",
    "stage2.1": "features.6",
    "stage2.3": "features.8",
    "stage2.5": "features.10",
}
CAFFE = {"stem.0": "conv1", "stage1.2": "conv2", "stage2.2": "conv3", "stage2.4": "conv4", "stage2.6": "conv5"}


def _is_padded(model: Any) -> str | None:
    if model.stem[0].padding:
        return "Caffe's networks do not pad the image; use alexnet_caffe, or caffenet for CaffeNet"
    return None


NAMINGS = (
    Naming(
        "torchvision",
        (
            *rules(CONVOLUTIONS),
            Rule("fc6.2", "classifier.1", flattens="pool.1"),
            *rules({"fc7.1": "classifier.4", "logits": "classifier.6"}),
        ),
        preprocessing=TORCHVISION,
    ),
    caffe(
        (
            *rules(CAFFE),
            Rule("fc6.2", "fc6", flattens="pool.1"),
            *rules({"fc7.1": "fc7", "logits": "fc8"}),
        ),
        preprocessing=CAFFE_ALEXNET,
        objection=_is_padded,
    ),
)
