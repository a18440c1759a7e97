"""All things in each picture: their classes and boxes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.data.read_ahead import read_ahead
from seqnets.data.regions.selective_search import propose
from seqnets.decode.pictures import by_batches
from seqnets.decode.segmentation import shown_and_read
from seqnets.errors import UserError
from seqnets.models.dense.encoder import size_of
from seqnets.models.detector.region_detector import given


class Thing(NamedTuple):
    """A detection: its class, its score, and left, top, right, bottom in pixels."""

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Found:
    """What was detected in a picture.

    Args:
        image: the picture, uint8 `(H, W, 3)`.
        things: the detections, the surest first.

    Example:
        >>> found = Found(np.zeros((8, 8, 3), np.uint8), [Thing("cat", 0.9, (1, 1, 5, 5)), Thing("dog", 0.2, (0, 0, 2, 2))])
        >>> [thing.label for thing in found.above(0.5).things]
        ['cat']
    """

    image: np.ndarray
    things: list[Thing]

    def above(self, score: float) -> "Found":
        """Return the detections of at least a score."""
        return Found(self.image, [thing for thing in self.things if thing.score >= score])

    def figure(self) -> Any:
        """Return a matplotlib figure: the picture with the boxes."""
        from seqnets.viz.regions import boxes_figure

        return boxes_figure(self.image, [(f"{thing.label} {thing.score:.0%}", thing.box) for thing in self.things])


def detect(model: Any, images: Iterable[Picture], *, batch: int = 16) -> Iterator[Found | UserError]:
    """Yield the detections of each picture, in order, in its own pixels.

    Args:
        model: a `Detector` or a `RegionDetector`, which is given proposals by graph segmentation if it does not make its own.
        images: paths, pictures, uint8 arrays or the bytes of files; read ahead by threads.
        batch: pictures at a time, at least 1.

    Yields:
        The detections of a picture, or the error of one that cannot be read.

    Example:
        >>> from seqnets.data.images.preprocessing import Preprocessing
        >>> from seqnets.models.detector.detector import Detector, DetectorConfig
        >>> rule = Preprocessing(resize=(32, 32), crop=None)
        >>> model = Detector(DetectorConfig(width=2, keep=3), ("cat", "dog"), rule, rngs=nnx.Rngs(0))
        >>> [found] = detect(model, [np.zeros((20, 30, 3), np.uint8)])
        >>> len(found.things) <= 3
        True
    """
    graphdef, state = nnx.split(model)
    height, width = size_of(model.preprocessing)
    rule, count = model.preprocessing, model.config.proposed
    read = partial(_read_and_proposed, rule, count) if model.config.takes_proposals else partial(shown_and_read, rule)

    def run(number: int, pictures: list[tuple[np.ndarray, ...]]) -> Iterator[Found]:
        images, *arrays = zip(*pictures)
        boxes, labels, scores = jax.device_get(_detected(graphdef, state, *map(np.stack, arrays)))
        for row, image in enumerate(images):
            scale = np.array([image.shape[1] / width, image.shape[0] / height] * 2)
            there = np.flatnonzero(scores[row] > 0)
            things = zip(labels[row, there], scores[row, there], (boxes[row, there] * scale).tolist())
            yield Found(image, [Thing(model.labels[label], float(score), tuple(box)) for label, score, box in things])

    yield from by_batches(read_ahead(read, images, ahead=2 * batch), batch, run)


def _read_and_proposed(rule: Preprocessing, count: int, image: Picture) -> tuple[np.ndarray, ...] | UserError:
    found = shown_and_read(rule, image)
    if isinstance(found, UserError):
        return found
    whole, pixels = found
    (height, width), boxes = size_of(rule), np.zeros((count, 4), np.float32)
    some = propose(whole, count) * np.array([width / whole.shape[1], height / whole.shape[0]] * 2, np.float32)
    boxes[: len(some)] = some
    return whole, pixels, boxes


@partial(jax.jit, static_argnums=0)
def _detected(graphdef: Any, state: Any, pixels: jax.Array, *proposals: jax.Array) -> Any:
    model = nnx.merge(graphdef, state)
    return tuple(model.detect(model(model.preprocessing.normalize(jnp.asarray(pixels))), *map(given, proposals)))
