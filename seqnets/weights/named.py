"""Weights by name: torchvision's published files, repositories on Hugging Face, and files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seqnets import hub
from seqnets.data.images.labels import imagenet_classes, read_labels
from seqnets.decoders import read_json, reading
from seqnets.errors import UserError
from seqnets.weights.torchvision import LATEST, PUBLISHED, SETS, fetch_published, published

_DESCRIPTIONS = ("config.json", "preprocessor_config.json")
_SAFETENSORS = ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors")
_OF_TORCH = ("pytorch_model.bin",)
_SHAPES: Mapping[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "resnet18",
    ("basic", (3, 4, 6, 3)): "resnet34",
    ("bottleneck", (3, 4, 6, 3)): "resnet50",
    ("bottleneck", (3, 4, 23, 3)): "resnet101",
    ("bottleneck", (3, 8, 36, 3)): "resnet152",
}  # transformers' ResNet: layer_type and depths


_TIMM = {
    "mobilenetv1_100": "mobilenet_v1",
    "mobilenetv2_050": "mobilenet_v2_050",
    "mobilenetv2_100": "mobilenet_v2",
    "mobilenetv2_140": "mobilenet_v2_140",
}  # the others have our names


class Source(NamedTuple):
    """Where a network's weights are.

    Attributes:
        network: the network, by our name.
        path: the file or folder.
    """

    network: str
    path: Path


def is_name(weights: str | os.PathLike[str]) -> bool:
    """Return whether weights are given by name, not as a file.

    Example:
        >>> is_name("torchvision-v1"), is_name("hf:timm/resnet50.a1_in1k"), is_name("resnet50.pth")
        (True, True, False)
    """
    return hub.is_repository(weights) or (os.fspath(weights) in SETS and not os.path.lexists(weights))


def weights_source(network: str, weights: str | os.PathLike[str] | None) -> Source:
    """Return the file of a network's weights, downloaded if needed.

    Args:
        network: a network; or a repository on Hugging Face, for the network that its config.json names.
        weights: a file or folder; `torchvision`, `torchvision-v1` or `torchvision-v2`; or `hf:OWNER/NAME`. A file or folder of
            that name comes first. None for those of the network's own repository, or torchvision's.

    Raises:
        UserError: the name is not published, or the download fails; the message says where to put the file by hand.

    Example:
        >>> weights_source("resnet50", "no/such.pth").path.as_posix()
        'no/such.pth'
    """
    if hub.is_repository(network):
        source = repository_source(network)
        return source if weights is None else weights_source(source.network, weights)
    if weights is None:
        weights = LATEST
    if hub.is_repository(weights):
        return repository_source(os.fspath(weights), network)
    if is_name(weights):
        return Source(network, fetch_published(published(network, os.fspath(weights))))
    return Source(network, Path(weights))


def repository_source(address: str, network: str = "") -> Source:
    """Return a repository's folder with its weights, and its network.

    Args:
        address: `hf:OWNER/NAME`.
        network: the network, if it is known; otherwise config.json names it.

    Raises:
        UserError: it cannot be downloaded, has no weights, or holds another kind of network.
    """
    folder = hub.pull(address, [*_DESCRIPTIONS, *_SAFETENSORS])
    if not any(path.name.endswith((".safetensors", ".index.json")) for path in folder.iterdir()):
        folder = hub.pull(address, [*_DESCRIPTIONS, *_OF_TORCH])
    return Source(network or _network(address, folder / "config.json"), folder)


def class_names(weights: str | os.PathLike[str]) -> list[str] | None:
    """Return the names of the classes that weights were trained for; None if they are not known.

    Args:
        weights: a file or folder.
    """
    path = Path(weights)
    config = (path if path.is_dir() else path.parent) / "config.json"
    stated = _stated(config)
    if "id2label" in stated:
        return read_labels(config)
    if "pretrained_cfg" in stated:
        return _of_timm(stated, config)
    return imagenet_classes() if any(entry.file == path.stem for entry in PUBLISHED) else None


def _stated(config: Path) -> Mapping[str, Any]:
    found = read_json(config) if config.is_file() else {}
    return found if isinstance(found, Mapping) else {}


def _of_timm(stated: Mapping[str, Any], config: Path) -> list[str] | None:
    names = stated.get("label_names")
    with reading(config):
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            described = stated.get("label_descriptions") or {}
            return [str(described.get(name, name)) for name in names]
        # timm's repositories name the data in the tag: a1_in1k, in12k_ft_in1k
        tag = str(stated["pretrained_cfg"].get("tag", ""))
        return imagenet_classes() if stated.get("num_classes") == 1000 and tag.endswith("in1k") else None


def _network(address: str, config: Path) -> str:
    stated = _stated(config)
    named = stated.get("architecture")
    if isinstance(named, str):
        return _TIMM.get(named, named)
    with reading(config):
        shape = str(stated.get("layer_type")), tuple(stated.get("depths") or ())
        found = _SHAPES.get(shape) if stated.get("model_type") == "resnet" else None
    if found is None:
        raise UserError(f"{address} does not say which network it holds; name it: --model NETWORK --weights {address}")
    return found
