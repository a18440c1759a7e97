"""MobileNet: torchvision (v2), timm and Keras (v1 and v2)."""

from dataclasses import replace
from typing import Any

from seqnets.weights.layout import depthwise_layout
from seqnets.weights.naming import Naming, Rule, keras, nested, rules
from seqnets.weights.published import KERAS_TF, TORCHVISION

CONV_NORM = {"conv": "0", "norm": "1"}
# the first stage does not expand, so its parts come one place earlier
V2 = {
    "stage1.{i}.depthwise.conv": "features.{at}.conv.0.0",
    "stage1.{i}.depthwise.norm": "features.{at}.conv.0.1",
    "stage1.{i}.narrow.conv": "features.{at}.conv.1",
    "stage1.{i}.narrow.norm": "features.{at}.conv.2",
    "stage{s}.{i}.widen.conv": "features.{at}.conv.0.0",
    "stage{s}.{i}.widen.norm": "features.{at}.conv.0.1",
    "stage{s}.{i}.depthwise.conv": "features.{at}.conv.1.0",
    "stage{s}.{i}.depthwise.norm": "features.{at}.conv.1.1",
    "stage{s}.{i}.narrow.conv": "features.{at}.conv.2",
    "stage{s}.{i}.narrow.norm": "features.{at}.conv.3",
}
TIMM_STEM = {"stem.conv": "conv_stem", "stem.norm": "bn1", "logits": "classifier"}


def _timm(parts: dict[str, str], stage: str = "{s}", number: str = "{s-1}") -> dict[str, str]:
    names = {}
    for index, (ours, theirs) in enumerate(parts.items(), 1):
        names[f"stage{stage}.{{i}}.{ours}.conv"] = f"blocks.{number}.{{i}}.{theirs}"
        names[f"stage{stage}.{{i}}.{ours}.norm"] = f"blocks.{number}.{{i}}.bn{index}"
    return names


TIMM_V1 = _timm({"depthwise": "conv_dw", "pointwise": "conv_pw"})
TIMM_V2 = {
    **_timm({"depthwise": "conv_dw", "narrow": "conv_pw"}, "1", "0"),
    **_timm({"widen": "conv_pw", "depthwise": "conv_dw", "narrow": "conv_pwl"}),
    "stage8.conv": "conv_head",
    "stage8.norm": "bn2",
}
KERAS_V1 = {
    "stem.conv": "conv1",
    "stem.norm": "conv1_bn",
    "stage{s}.{i}.depthwise.conv": "conv_dw_{at}",
    "stage{s}.{i}.depthwise.norm": "conv_dw_{at}_bn",
    "stage{s}.{i}.pointwise.conv": "conv_pw_{at}",
    "stage{s}.{i}.pointwise.norm": "conv_pw_{at}_bn",
}
KERAS_V2 = {
    "stem.conv": "Conv1",
    "stem.norm": "bn_Conv1",
    "stage8.conv": "Conv_1",
    "stage8.norm": "Conv_1_bn",
    "logits": "predictions",
}
for _stage, _theirs in {"stage1.0": "expanded_conv", "stage{s}.{i}": "block_{at-1}"}.items():
    for _ours, _part in {"widen": "expand", "depthwise": "depthwise", "narrow": "project"}.items():
        KERAS_V2 |= {f"{_stage}.{_ours}.conv": f"{_theirs}_{_part}", f"{_stage}.{_ours}.norm": f"{_theirs}_{_part}_BN"}


def _pads_both_sides(model: Any) -> str | None:
    if model.stem.conv.padding != "SAME":
        return "Keras' networks pad strided convolutions at the end alone; use mobilenet_v1_same or mobilenet_v2_same"
    return None


_keras = keras((), layout=depthwise_layout, epsilon=1e-3, preprocessing=KERAS_TF, objection=_pads_both_sides)

NAMINGS = (
    Naming(
        "torchvision",
        (
            *rules(V2),
            *nested({"stem": "features.{at}", "stage8": "features.{at}"}, CONV_NORM),
            *rules({"logits": "classifier.1"}),
        ),
        preprocessing=TORCHVISION,
    ),
    Naming("timm", rules(TIMM_STEM | TIMM_V1)),
    Naming("timm", rules(TIMM_STEM | TIMM_V2)),
    replace(_keras, rules=(*rules(KERAS_V1), Rule("logits", "conv_preds", convolution=True))),
    replace(_keras, rules=rules(KERAS_V2)),
)
