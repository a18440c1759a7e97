"""DenseNet: torchvision and timm, and the names with an extra dot in torchvision's published files."""

from dataclasses import replace

from seqnets.weights.naming import Naming, Rule, nested, rules
from seqnets.weights.published import TORCHVISION

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


def _names(parts: dict[str, str]) -> tuple[Rule, ...]:
    return (*nested(LAYERS, parts), *rules(REST))


_torchvision = Naming("torchvision", _names(PARTS), preprocessing=TORCHVISION)

NAMINGS = (
    _torchvision,
    replace(_torchvision, source="timm", preprocessing=None),
    replace(_torchvision, rules=_names(OLD_PARTS)),
)
