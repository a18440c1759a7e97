"""Inception v4: timm."""

from seqnets.weights.naming import Naming, nested, rules
from seqnets.weights.published import TIMM_INCEPTION_V4

CONV_NORM = {"conv": "conv", "norm": "bn"}
# modules whose first branch is one convolution, and those (stage 3 from its second module on) that fork
ALONE = {"stage1.{i}.branch0.0": "features.{at}.branch0", "stage2.{i}.branch0.0": "features.{at}.branch0"}
FORKS = {
    "stage3.0.branch{b}.{i}": "features.{at}.branch{b}.{i}",
    "stage3.{i}.branch0.0": "features.{at}.branch0",
    "stage3.{i}.branch1.0": "features.{at}.branch1_0",
    "stage3.{i}.branch1.1.{side}.0": "features.{at}.branch1_1{side}",
    "stage3.{i}.branch2.{j}": "features.{at}.branch2_{j}",
    "stage3.{i}.branch2.3.{side}.0": "features.{at}.branch2_3{side}",
}
BRANCHES = {
    "stem.{i}.conv.0": "features.{at}.conv",
    "stem.{i}.branch{b}.{j}": "features.{at}.branch{b}.{j}",
    "stage{s}.{i}.branch{b}.{j}": "features.{at}.branch{b}.{j}",
}
NAMINGS = (
    Naming(
        "timm",
        (
            *nested({"stem.{i}": "features.{at}"} | ALONE | FORKS | BRANCHES, CONV_NORM),
            *rules({"logits": "last_linear"}),
        ),
        preprocessing=TIMM_INCEPTION_V4,
    ),
)
