"""The likeliest classes of images."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqnets import settings
from seqnets.data.images.files import ImageError
from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.decode.pictures import pixels_ahead
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.extractor import Extractor

Pixels = np.ndarray | ImageError


class Guess(NamedTuple):
    """A class: its index, its name, and its softmax probability."""

    index: int
    label: str
    score: float


def classify(
    model: ConvNet,
    images: Iterable[Picture],
    *,
    labels: Sequence[str] | None = None,
    top: int = 5,
    batch_size: int = 32,
    preprocessing: Preprocessing | None = None,
) -> Iterator[list[Guess] | UserError]:
    r"""Yield the likeliest classes of every image: $p = \mathrm{softmax}(\text{logits})$.

    Images are decoded ahead by threads and run in batches; the network is compiled once per image size.

    Args:
        model: a network with `logits`.
        images: paths, pictures, uint8 arrays or the bytes of files.
        labels: the names of the classes; their numbers when None.
        top: classes per image, the likeliest first.
        batch_size: images at once.
        preprocessing: the rule; the model's own when None.

    Yields:
        In the order of the images: `top` guesses, or the error of an unreadable image.

    Raises:
        UserError: the number of labels does not match the network, or no preprocessing is known.

    Example:
        >>> from seqnets.models import create_model
        >>> digits = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> [guesses] = classify(create_model("lenet5"), [np.full((40, 30), 99, np.uint8)], top=2, preprocessing=digits)
        >>> len(guesses), guesses[0].score > guesses[1].score
        (2, True)
    """
    top = settings.whole("top", top, settings.POSITIVE)
    for nats in image_log_probabilities(model, images, batch_size=batch_size, preprocessing=preprocessing):
        yield nats if isinstance(nats, UserError) else guesses(nats, labels, top)


def image_log_probabilities(
    model: ConvNet, images: Iterable[Picture], *, batch_size: int = 32, preprocessing: Preprocessing | None = None
) -> Iterator[np.ndarray | UserError]:
    """Yield ln p of every class of every image, float64 `(C,)`, or the error of an unreadable image; see `classify`."""
    extractor = Extractor(model, ["logits"], batch_size=batch_size, preprocessing=preprocessing)
    pixels = pixels_ahead(extractor.preprocessing, images, batch=batch_size)
    for logits in _in_order(extractor, pixels):
        yield logits if isinstance(logits, ImageError) else _log_softmax(logits.astype(np.float64))


def check_labels(labels: Sequence[str] | None, classes: int) -> None:
    """Refuse a list of names whose length differs from the number of logits.

    Example:
        >>> check_labels(["cat", "dog"], 1000)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: there are 2 labels, but the network has 1,000 classes; give the labels it was trained on
    """
    if labels is not None and len(labels) != classes:
        raise UserError(
            f"there are {len(labels):,} labels, but the network has {classes:,} classes; give the labels it was trained on"
        )


def _in_order(extractor: Extractor, images: Iterable[Pixels]) -> Iterator[Any]:
    done: dict[int, Any] = {}
    waiting: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
    turn = 0
    for index, image in enumerate(images):
        if isinstance(image, ImageError):
            done[index] = image
            continue
        same = waiting[image.shape]
        same.append((index, image))
        if len(same) == extractor.batch_size:
            done |= _logits(extractor, waiting.pop(image.shape))
            while turn in done:
                yield done.pop(turn)
                turn += 1
    for batch in waiting.values():
        done |= _logits(extractor, batch)
    yield from (done[index] for index in sorted(done))


def _logits(extractor: Extractor, batch: Sequence[tuple[int, np.ndarray]]) -> dict[int, np.ndarray]:
    found = extractor(np.stack([image for _, image in batch]))["logits"]
    return {index: logits for (index, _), logits in zip(batch, found)}


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


def guesses(log_probabilities: np.ndarray, labels: Sequence[str] | None, top: int) -> list[Guess]:
    """Return the likeliest classes.

    Args:
        log_probabilities: `(C,)`.
        labels: C names; their numbers when None.
        top: how many, the likeliest first.

    Raises:
        UserError: the number of labels is another one.

    Example:
        >>> guesses(np.log([0.25, 0.75]), ["cat", "dog"], 1)
        [Guess(index=1, label='dog', score=0.75)]
    """
    check_labels(labels, len(log_probabilities))
    scores = np.exp(log_probabilities)
    best = np.argsort(-scores, kind="stable")[:top]
    names = list(labels) if labels is not None else list(map(str, range(len(scores))))
    return [Guess(index, names[index], float(scores[index])) for index in best.tolist()]
