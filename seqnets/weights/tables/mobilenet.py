"""MobileNet: torchvision (v2) and timm (v1 and v2)."""

from seqnets.weights.naming import Naming, nested, rules
from seqnets.weights.published import TORCHVISION

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
)
