"""AlexNet of 2014: torchvision. The network of 2012 and ZFNet have no published torch weights."""

from seqnets.weights.naming import Naming, Rule, rules
from seqnets.weights.published import TORCHVISION

CONVOLUTIONS = {
    "stem.0": "features.0",
    "stage1.1": "features.3",
    "stage2.1": "features.6",
    "stage2.3": "features.8",
    "stage2.5": "features.10",
}
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
)
