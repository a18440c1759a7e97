"""GoogLeNet with batch norm: torchvision."""

from seqnets.weights.naming import Naming, Rule, nested, rules
from seqnets.weights.published import TORCHVISION_INCEPTION_V1

CONV_NORM = {"conv": "conv", "norm": "bn"}
STEM = {"stem.0": "conv1", "stem.2": "conv2", "stem.3": "conv3"}
MODULES = {
    "stage1.1": "inception3a",
    "stage1.2": "inception3b",
    "stage2.1": "inception4a",
    "stage3.0": "inception4b",
    "stage3.1": "inception4c",
    "stage3.2": "inception4d",
    "stage4.0": "inception4e",
    "stage5.1": "inception5a",
    "stage5.2": "inception5b",
}
BRANCHES = {
    **{f"branch1.0.{ours}": f"branch1.{theirs}" for ours, theirs in CONV_NORM.items()},
    **{f"branch{{b}}.{{i}}.{ours}": f"branch{{b}}.{{i}}.{theirs}" for ours, theirs in CONV_NORM.items()},
}
AUXILIARY_HEADS = (
    *nested({"aux{n}.1": "aux{n}.conv"}, CONV_NORM),
    Rule("aux{n}.3", "aux{n}.fc1", flattens="aux{n}.0"),
    Rule("aux{n}.6", "aux{n}.fc2"),
)
NAMINGS = (
    Naming(
        "torchvision",
        (*nested(STEM, CONV_NORM), *nested(MODULES, BRANCHES), *AUXILIARY_HEADS, *rules({"logits": "fc"})),
        preprocessing=TORCHVISION_INCEPTION_V1,
        auxiliary_heads=("aux1", "aux2"),
    ),
)
