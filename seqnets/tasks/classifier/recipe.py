"""`seqnets train classifier`: a network that tells the class of an image."""

import dataclasses
import shlex
from collections.abc import Callable, Mapping

import numpy as np
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.sets import ImageSet, read_images
from seqnets.errors import UserError
from seqnets.models.classifier import make_classifier
from seqnets.models.cnn.network import ConvNet, feature_shapes
from seqnets.run import Run
from seqnets.tasks.classifier.config import ClassifierRunConfig
from seqnets.tasks.classifier.task import ClassifierTask

_CONFUSIONS = 5
_FIGURES = {"top1": "top-1 accuracy", "top5": "top-5 accuracy", "nats": "nats"}


def make_task(config: ClassifierRunConfig, tell: Callable[[str], None]) -> ClassifierTask:
    """Read the images and make the network."""
    images = read_images(*config.images).with_validation(config.data.validation_fraction)
    for remark in (str(images), *images.remarks):
        tell(remark)
    model = _network(config, images, tell)
    return ClassifierTask(
        model, images, config.data, describes=config.model, label_smoothing=config.loss.label_smoothing, tell=tell
    )


def closing(run: Run, config: ClassifierRunConfig) -> str:
    """Return the figures, the most confused classes and the next commands."""
    images = read_images(*config.images).with_validation(config.data.validation_fraction)
    task = ClassifierTask(run.model, images, config.data, describes=config.model)
    folder, lines = shlex.quote(str(run.directory)), list[str]()
    for split in ("validation", "test"):
        if split in images.splits:
            figures, counts = task.measure(run.model, split)
            lines += [_told(split, figures, int(counts.sum()), len(images.classes)), *confused(counts, images.classes)]
    return "\n".join([*lines, f"the run is in {run.directory}; now try", f"  seqnets classify {folder} IMAGES"])


def confused(counts: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Say which classes are most often taken for which.

    Args:
        counts: [C, C], row the true class, column the guess.
        classes: their names.

    Example:
        >>> confused(np.array([[9, 1], [0, 5]]), ("cat", "dog"))
        ['most often confused: cat taken for dog (1 of 10)']
        >>> confused(np.eye(2, dtype=int), ("cat", "dog"))
        []
    """
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = [(int(at // len(counts)), int(at % len(counts))) for at in order if wrong.flat[at]]
    told = [f"{classes[i]} taken for {classes[j]} ({wrong[i, j]} of {counts[i].sum()})" for i, j in pairs]
    return [f"most often confused: {', '.join(told)}"] if told else []


def _told(split: str, figures: Mapping[str, float], count: int, classes: int) -> str:
    shown = {name: word for name, word in _FIGURES.items() if name != "top5" or classes > 5}
    told = ", ".join(f"{word} {figures[name]:.4f}" for name, word in shown.items())
    return f"{split}: {told} over {count:,} images"


def _network(config: ClassifierRunConfig, images: ImageSet, tell: Callable[[str], None]) -> ConvNet:
    rule = None if config.model.weights else images.preprocessing(config.data.size, config.data.channels)
    channels = rule.channel_count if rule else 1 if config.data.channels == "gray" else 3
    rngs = nnx.Rngs(config.train.seed)
    model = make_classifier(config.model, images.classes, rule, in_channels=channels, rngs=rngs)
    if rule is None:
        own = images.preprocessing(config.data.size, "rgb" if channels == 3 else "gray")
        rule = _of_weights(model.preprocessing, config.data.size) if model.preprocessing else own
        model.preprocessing = rule
    _check_size(config.model.name, model, rule.image_size or (0, 0), channels)
    tell(f"{config.model.name} on {rule.channels} images of {' x '.join(map(str, rule.image_size or ()))}")
    return model


def _of_weights(rule: Preprocessing, size: int) -> Preprocessing:
    if not size:
        return rule
    share = rule.resize / min(rule.crop) if isinstance(rule.resize, int) and rule.crop else 1
    return dataclasses.replace(rule, resize=round(size * share), crop=(size, size))


def _check_size(name: str, model: ConvNet, size: tuple[int, int], channels: int) -> None:
    graphdef, state = nnx.split(model)
    try:
        feature_shapes(lambda: nnx.merge(graphdef, state), (*size, channels))
    except (UserError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{name} cannot take images of {size[0]} x {size[1]} ({reason}); set --data.size, or give another --model.name"
        ) from None
