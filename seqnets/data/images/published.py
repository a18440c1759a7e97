"""The preprocessing in the files of other libraries, Hugging Face's and timm's, as fields of `Preprocessing`."""

import math
from collections.abc import Mapping
from typing import Any

from seqnets.errors import UserError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}  # Pillow's numbers
_WARPED_FROM = 384  # pixels: ConvNeXt's and ResNet's processors crop only smaller images
_PERCENT = 224 / 256
_STEPS = ("resize", "center_crop", "rescale", "normalize", "convert_rgb", "flip_channel_order")


def huggingface(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read a `preprocessor_config.json`.

    Example:
        >>> huggingface({"size": 224, "resample": 2, "do_center_crop": False, "crop_pct": None})["resize"]
        (224, 224)
    """
    for name, asked in config.items():
        if name.startswith("do_") and asked and name[3:] not in _STEPS:
            raise UserError(f"preprocessor_config.json asks for the step {name!r}, which is unknown; pass preprocessing=...")
    resize, crop = _huggingface_sizes(config)
    normalized, rescaled = config.get("do_normalize", True), config.get("do_rescale", True)
    return {
        "resize": resize,
        "crop": crop,
        "interpolation": _RESAMPLING.get(config.get("resample", 2), "unknown"),
        "crop_rounding": "down",
        "channels": "bgr" if config.get("do_flip_channel_order") else "rgb",
        "scale": float(config.get("rescale_factor", 1 / 255)) if rescaled else 1.0,
        "mean": _floats(config.get("image_mean") or IMAGENET_MEAN) if normalized else (0.0,) * 3,
        "std": _floats(config.get("image_std") or IMAGENET_STD) if normalized else (1.0,) * 3,
    }


def timm(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read a `pretrained_cfg`.

    Example:
        >>> timm({"pretrained_cfg": {"input_size": [3, 299, 299], "crop_mode": "squash", "crop_pct": 1.0}})["resize"]
        (299, 299)
    """
    config = config.get("pretrained_cfg", config)
    channels, height, width = config.get("input_size") or (3, 224, 224)
    percent, mode = config.get("crop_pct") or _PERCENT, config.get("crop_mode") or "center"
    if mode not in ("center", "squash") or (mode == "center" and height != width):
        raise UserError(f"timm's crop_mode {mode!r} for images of {height} x {width} is not known; pass preprocessing=...")
    scaled = math.floor(height / percent), math.floor(width / percent)
    return {
        "resize": scaled if mode == "squash" else scaled[0],
        "crop": (height, width),
        "interpolation": config.get("interpolation") or "bilinear",
        "channels": "rgb" if channels == 3 else "gray",
        "mean": _floats(config.get("mean") or IMAGENET_MEAN),
        "std": _floats(config.get("std") or IMAGENET_STD),
    }


def _huggingface_sizes(config: Mapping[str, Any]) -> tuple[int | tuple[int, int] | None, tuple[int, int] | None]:
    cropped = config.get("do_center_crop", "crop_size" in config)
    crop = _pair(config.get("crop_size", 224)) if cropped else None
    if not config.get("do_resize", True):
        return None, crop
    size = config.get("size", 224)
    shorter = size.get("shortest_edge") if isinstance(size, Mapping) else size
    if config.get("crop_pct") and shorter:
        return _cropped_by_percent(shorter, config["crop_pct"])
    if isinstance(size, int) and cropped:  # the older way to write shortest_edge
        return size, crop
    return (shorter, crop) if shorter and not isinstance(size, int) else (_pair(size), crop)


def _cropped_by_percent(shorter: int, percent: float) -> tuple[int | tuple[int, int], tuple[int, int]]:
    square = (shorter, shorter)
    return (square if shorter >= _WARPED_FROM else int(shorter / percent)), square


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping) and {"height", "width"} <= size.keys():
        return size["height"], size["width"]
    if isinstance(size, Mapping) and "shortest_edge" in size:
        return size["shortest_edge"], size["shortest_edge"]
    if isinstance(size, int):
        return size, size
    raise UserError(f"preprocessor_config.json has the size {size!r}, which is not known; pass preprocessing=...")


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in (values if isinstance(values, list | tuple) else [values] * 3))
