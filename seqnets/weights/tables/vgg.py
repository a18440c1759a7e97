"""VGG, with and without batch norm: torchvision, and timm, which keeps the dense layers as convolutions."""

from seqnets.weights.naming import Naming, Rule, rules
from seqnets.weights.published import TORCHVISION

FEATURES = rules({"stage{s}.{i}": "features.{at}"})

NAMINGS = (
    Naming(
        "torchvision",
        (
            *FEATURES,
            Rule("fc6.2", "classifier.0", flattens="pool.1"),
            *rules({"fc7.1": "classifier.3", "logits": "classifier.6"}),
        ),
        preprocessing=TORCHVISION,
    ),
    Naming(
        "timm",
        (
            *FEATURES,
            Rule("fc6.2", "pre_logits.fc1", flattens="pool.1", convolution=True),
            Rule("fc7.1", "pre_logits.fc2", convolution=True),
            *rules({"logits": "head.fc"}),
        ),
    ),
)
