"""DenseNet: torchvision and timm, the names with an extra dot in torchvision's published files, and Keras."""

from dataclasses import replace

from seqnets.weights.naming import Naming, Rule, keras, nested, rules
from seqnets.weights.published import KERAS_TORCH, TORCHVISION

LAYERS = {"stage1.{i}": "features.denseblock1.denselayer{i+1}", "stage{s}.{i}": "features.denseblock{s}.denselayer{i}"}
PARTS = {"norm{n}": "norm{n}", "conv{n}": "conv{n}"}
OLD_PARTS = {"norm{n}": "norm.{n}", "conv{n}": "conv.{n}"}
REST = {
    "stem.0.conv": "features.conv0",
    "stem.0.norm": "features.norm0",
    "stage{s}.0.norm": "features.transition{s-1}.norm",
    "stage{s}.0.conv": "features.transition{s-1}.conv",
    "stage{s}.{last}": "features.norm5",
    "logits": "classifier",
}
KERAS_LAYERS = {"stage1.{i}": "conv2_block{i+1}", "stage{s}.{i}": "conv{s+1}_block{i}"}
KERAS_PARTS = {"norm{n}": "{n-1}_bn", "conv{n}": "{n}_conv"}
KERAS_REST = {
    "stem.0.conv": "conv1_conv",
    "stem.0.norm": "conv1_bn",
    "stage{s}.0.norm": "pool{s}_bn",
    "stage{s}.0.conv": "pool{s}_conv",
    "stage{s}.{last}": "bn",
    "logits": "predictions",
}
KERAS = {f"{o}.{i}": f"{KERAS_LAYERS[o]}_{KERAS_PARTS[i]}" for o in KERAS_LAYERS for i in KERAS_PARTS}


def _names(parts: dict[str, str]) -> tuple[Rule, ...]:
    return (*nested(LAYERS, parts), *rules(REST))


_torchvision = Naming("torchvision", _names(PARTS), preprocessing=TORCHVISION)

NAMINGS = (
    _torchvision,
    replace(_torchvision, source="timm", preprocessing=None),
    replace(_torchvision, rules=_names(OLD_PARTS)),
    keras(rules(KERAS | KERAS_REST), epsilon=1.001e-5, preprocessing=KERAS_TORCH),
)
