"""The network that a verb runs images through: --model with --weights, or a run folder."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from seqnets.cli import runtime
from seqnets.cli.parser import Parser
from seqnets.cli.trained import add_offline, load_trained
from seqnets.errors import UserError
from seqnets.hub import is_repository

if TYPE_CHECKING:
    from seqnets.data.images.preprocessing import Preprocessing
    from seqnets.models.cnn.network import ConvNet


class Chosen(NamedTuple):
    """The network and images that a command line chooses.

    Args:
        model: the network, weights loaded, with its `preprocessing`.
        name: its name in the registry, or of its run.
        labels: the names of its classes, if known.
        images: the arguments that name images.
        run: the run that it comes from; None for a network of the registry.
    """

    model: "ConvNet"
    name: str
    labels: list[str] | None
    images: list[str]
    run: Any = None


def add_network(parser: Parser) -> None:
    """Add the options and positional arguments that `chosen_network` reads."""
    parser.add_argument("words", nargs="*", metavar="[RUN] IMAGES", help="image files, folders, or patterns such as '*.jpg'")
    parser.add_argument("--model", metavar="NAME", help="a network such as resnet50, or hf:OWNER/NAME; without it the first "
                        "argument is a run")  # fmt: skip
    parser.add_argument("--weights", metavar="WEIGHTS", help="its weights: a file or folder (.safetensors, .pth, .onnx, ...), "
                        "torchvision-v1, torchvision-v2, or hf:OWNER/NAME [the latest of torchvision]")  # fmt: skip
    parser.add_argument("--preprocessing", metavar="FILE", help="JSON file of the preprocessing [that of the weights]")
    add_offline(parser)


def chosen_network(found: argparse.Namespace, *, needs_images: bool = True, also: str = "", **options: Any) -> Chosen:
    """Load the chosen network.

    Args:
        found: the parsed arguments.
        needs_images: whether images must be given.
        also: another task whose runs are taken besides a classifier's.
        **options: options of `create_model`: `dtype`.

    Raises:
        UserError: the arguments do not name a network and images, or the weights do not match it.
    """
    chosen = _of_registry(found, options) if found.model else _of_run(found, also)
    if needs_images and not chosen.images:
        raise UserError("no images are given; name files, folders, or patterns such as '*.jpg'")
    if found.preprocessing:
        chosen.model.preprocessing = read_preprocessing(Path(found.preprocessing))
    return chosen


def read_preprocessing(path: Path) -> "Preprocessing":
    """Read a rule: our own JSON, Hugging Face's `preprocessor_config.json`, or timm's `config.json`.

    Raises:
        UserError: the file cannot be read or has no such rule.
    """
    from seqnets.data.images.preprocessing import Preprocessing
    from seqnets.decoders import read_json, reading

    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"'{path}' states no preprocessing; give a JSON object such as {json.dumps(Preprocessing().to_json())}")
    of_huggingface = {"image_processor_type", "feature_extractor_type", "image_mean", "do_resize"} & value.keys()
    with reading(path, "the preprocessing"):
        if "pretrained_cfg" in value:
            return Preprocessing.from_timm(value)
        return Preprocessing.from_huggingface(value) if of_huggingface else Preprocessing.from_json(value)


def named_network(name: str, weights: str | None, **options: Any) -> Chosen:
    """Load the network that --model and --weights name; without images.

    Raises:
        UserError: there are no such weights, or they do not match the network.
    """
    from seqnets.weights.named import class_names, weights_source

    source = weights_source(name, weights)
    runtime.start()
    from seqnets.models import create_model

    model = create_model(source.network, weights=source.path, **options)
    return Chosen(model, source.network, class_names(source.path), [])


def _of_registry(found: argparse.Namespace, options: dict[str, Any]) -> Chosen:
    return named_network(found.model, found.weights, **options)._replace(images=found.words)


def _of_run(found: argparse.Namespace, also: str) -> Chosen:
    from seqnets.run import run_folder

    if found.weights:
        raise UserError("--weights needs --model NAME: name the network that the weights belong to")
    if not found.words or not (is_repository(found.words[0]) or run_folder(found.words[0]).is_dir()):
        raise UserError("give --model NAME, or a run folder of `seqnets train classifier` as the first argument")
    run = load_trained(found.words[0], "classifier", *filter(None, [also]), fits=lambda model: _network(model, also) is not None)
    network = cast("ConvNet", _network(run.model, also))
    return Chosen(network, Path(found.words[0]).resolve().name, _labels(run), found.words[1:], run)


def _network(model: Any, also: str) -> "ConvNet | None":
    from seqnets.models.cnn.network import ConvNet
    from seqnets.run import TASKS

    if TASKS.get(type(model).__name__, "") == also:
        return model
    return next((part for part in (model, getattr(model, "network", None)) if isinstance(part, ConvNet)), None)


def _labels(run: Any) -> list[str] | None:
    labels: Sequence[str] | None = run.config["model"].get("labels")
    return list(labels) if labels else None
