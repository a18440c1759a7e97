"""Inception v3: torchvision and timm."""

from dataclasses import replace

from seqnets.weights.naming import Naming, nested, rules
from seqnets.weights.published import TORCHVISION_INCEPTION_V3

CONV_NORM = {"conv": "conv", "norm": "bn"}
STEM = {
    "stem.0": "Conv2d_1a_3x3",
    "stem.1": "Conv2d_2a_3x3",
    "stem.2": "Conv2d_2b_3x3",
    "stem.4": "Conv2d_3b_1x1",
    "stem.5": "Conv2d_4a_3x3",
}
MODULES = {
    "stage1.0": "Mixed_5b",
    "stage1.1": "Mixed_5c",
    "stage1.2": "Mixed_5d",
    "stage2.1": "Mixed_6b",
    "stage2.2": "Mixed_6c",
    "stage2.3": "Mixed_6d",
    "stage2.4": "Mixed_6e",
    "stage2.0": "Mixed_6a",
    "stage3.0": "Mixed_7a",
    "stage3.1": "Mixed_7b",
    "stage3.2": "Mixed_7c",
}
# a module that forks ends its branch with 2a and 2b, or 3a and 3b; the 3 x 3 branch of Mixed_6a is one convolution
ALONE = {"stage2.0.branch3x3.0": "Mixed_6a.branch3x3"}
BRANCHES = {
    "branch1x1.0": "branch1x1",
    "branch_pool.1": "branch_pool",
    **{f"branch{size}.{{i}}": f"branch{size}_{{i+1}}" for size in ("3x3", "3x3dbl", "5x5", "7x7", "7x7dbl", "7x7x3")},
    "branch3x3.1.{side}.0": "branch3x3_2{side}",
    "branch3x3dbl.2.{side}.0": "branch3x3dbl_3{side}",
}
PARTS = {f"{ours}.{part}": f"{theirs}.{CONV_NORM[part]}" for ours, theirs in BRANCHES.items() for part in CONV_NORM}

_torchvision = Naming(
    "torchvision",
    (
        *nested(STEM | ALONE | {"aux.1": "AuxLogits.conv0", "aux.2": "AuxLogits.conv1"}, CONV_NORM),
        *nested(MODULES, PARTS),
        *rules({"aux.4": "AuxLogits.fc", "logits": "fc"}),
    ),
    preprocessing=TORCHVISION_INCEPTION_V3,
    auxiliary_heads=("AuxLogits",),
)
NAMINGS = (_torchvision, replace(_torchvision, source="timm", preprocessing=None))
