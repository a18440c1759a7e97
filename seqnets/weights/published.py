"""The preprocessing of published weights: from files beside them, else from the defaults of their library."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqnets import manifest
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.decoders import read_json, read_text, reading
from seqnets.errors import UserError
from seqnets.weights.files import TORCH_SUFFIXES, WeightFile
from seqnets.weights.torchvision import PUBLISHED
from seqnets.weights.torchvision import TORCHVISION as TORCHVISION
from seqnets.weights.torchvision import TORCHVISION_INCEPTION_V1 as TORCHVISION_INCEPTION_V1
from seqnets.weights.torchvision import TORCHVISION_INCEPTION_V3 as TORCHVISION_INCEPTION_V3

TIMM_INCEPTION_V4 = Preprocessing(resize=341, crop=(299, 299), interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3)
# files of torchvision by the first 32 bits of their SHA-256, which end their names
_BY_DIGEST = {
    **{entry.digest: entry.preprocessing for entry in PUBLISHED},
    "88682ab5": Preprocessing(mean=(0.48235, 0.45882, 0.40784), std=(1 / 255,) * 3),  # VGG-16 of Amdegroot
}
_HASHED = 400_000_000  # size limit of a renamed file; larger ones are not among these
CIFAR = Preprocessing(resize=None, crop=None)
CAFFE_SQUEEZENET = Preprocessing(
    crop=(227, 227),
    side_rounding="nearest",
    crop_rounding="down",
    channels="bgr",
    scale=1.0,
    mean=(104.006, 116.669, 122.679),
    std=(1.0,) * 3,
)
CAFFE_ALEXNET = replace(CAFFE_SQUEEZENET, resize=(256, 256), crop_rounding="down")
CAFFE_VGG = Preprocessing(channels="bgr", scale=1.0, mean=(103.939, 116.779, 123.68), std=(1.0,) * 3)
CAFFE_RESNET = replace(CAFFE_VGG, mean=(103.0626, 115.9029, 123.1516))  # the average of the authors' mean image
KERAS_CAFFE, KERAS_TF, KERAS_TORCH = CAFFE_VGG, Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3), TORCHVISION


def stated_preprocessing(file: WeightFile) -> Preprocessing | None:
    """Return the preprocessing stated by a weight file or a file beside it: our own metadata, or a library's JSON file.

    Args:
        file: the weights.

    Raises:
        UserError: the statement is not supported, or describes another kind of network.
    """
    if file.facts.get("preprocessing"):
        with reading(file.path):
            return Preprocessing.from_json(file.facts["preprocessing"])
    known = _by_digest(file.path)
    if known is not None:
        return known
    for name, read in _BESIDE.items():
        path = file.path.with_name(name)
        with reading(path, advice="remove it, or put back a copy of it"):
            found = read(read_json(path), path) if path.is_file() else None
        if found is not None:
            return found
    return None


def _by_digest(path: Path) -> Preprocessing | None:
    if not path.name.endswith(TORCH_SUFFIXES):
        return None
    found = next((rule for digest, rule in _BY_DIGEST.items() if f"-{digest}." in path.name), None)
    if found is not None or path.stat().st_size > _HASHED:
        return found
    with path.open("rb") as content:
        return _BY_DIGEST.get(hashlib.file_digest(content, "sha256").hexdigest()[:8])


def _of_huggingface(config: Any, path: Path) -> Preprocessing | None:
    return Preprocessing.from_huggingface(config) if isinstance(config, Mapping) and "image_mean" in config else None


def _of_config(config: Any, path: Path) -> Preprocessing | None:
    if not isinstance(config, Mapping):
        return None
    if config.get("downsample_in_bottleneck"):
        raise UserError(f"'{path}' sets downsample_in_bottleneck, but our bottlenecks stride in their 3 x 3 convolution")
    if config.get("format") == "seqnets-run":
        if "checksum" in config and not manifest.is_whole(read_text(path)):
            raise UserError(f"'{path}' is damaged: it does not match its checksum; put back a copy of it")
        stated = config.get("model", {}).get("preprocessing")
        return Preprocessing.from_json(stated) if stated else None
    return Preprocessing.from_timm(config) if "pretrained_cfg" in config else None


_BESIDE = {"config.json": _of_config, "preprocessor_config.json": _of_huggingface}
