"""All things in each picture: their classes and boxes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.images.preprocessing import Picture
from seqnets.data.read_ahead import read_ahead
from seqnets.decode.pictures import by_batches
from seqnets.decode.segmentation import shown_and_read
from seqnets.errors import UserError
from seqnets.models.dense.encoder import size_of


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
        model: a `Detector` or a `RegionDetector`.
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

    def run(number: int, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[Found]:
        boxes, labels, scores = jax.device_get(_detected(graphdef, state, np.stack([pixels for _, pixels in pairs])))
        for row, (image, _) in enumerate(pairs):
            scale = np.array([image.shape[1] / width, image.shape[0] / height] * 2)
            there = np.flatnonzero(scores[row] > 0)
            things = zip(labels[row, there], scores[row, there], (boxes[row, there] * scale).tolist())
            yield Found(image, [Thing(model.labels[label], float(score), tuple(box)) for label, score, box in things])

    yield from by_batches(read_ahead(partial(shown_and_read, model.preprocessing), images, ahead=2 * batch), batch, run)


@partial(jax.jit, static_argnums=0)
def _detected(graphdef: Any, state: Any, pixels: jax.Array) -> Any:
    model = nnx.merge(graphdef, state)
    return tuple(model.detect(model(model.preprocessing.normalize(jnp.asarray(pixels)))))
