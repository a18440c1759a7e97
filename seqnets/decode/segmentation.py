"""The classes of the pixels of pictures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from PIL import Image

from seqnets.data.images.files import ImageError
from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.data.read_ahead import read_ahead
from seqnets.decode.pictures import by_batches
from seqnets.errors import UserError


@dataclass(frozen=True)
class Segments:
    """The class of every pixel of a picture.

    Args:
        classes: uint8 `(H, W)`, the size of the picture.
        labels: the names of the classes.
        image: the picture, uint8 `(H, W, 3)`.

    Example:
        >>> found = Segments(np.array([[0, 0], [0, 1]], np.uint8), ("road", "car"), np.zeros((2, 2, 3), np.uint8))
        >>> found.shares
        {'road': 0.75, 'car': 0.25}
    """

    classes: np.ndarray
    labels: tuple[str, ...]
    image: np.ndarray

    @property
    def shares(self) -> dict[str, float]:
        """The share of the picture that each class covers, the largest first; those that it lacks are left out."""
        counts = np.bincount(self.classes.ravel(), minlength=len(self.labels))
        order = np.argsort(-counts, kind="stable")
        return {self.labels[place]: float(counts[place] / self.classes.size) for place in order if counts[place]}

    def figure(self) -> Any:
        """Return a matplotlib figure: the picture, and the classes in color over it."""
        from seqnets.viz.regions import segments_figure

        return segments_figure(self.image, self.classes, self.labels)


def segment(model: Any, images: Iterable[Picture], *, batch: int = 16) -> Iterator[Segments | UserError]:
    """Yield the classes of the pixels of each picture, in order and at its own size.

    Args:
        model: a `Segmenter`.
        images: paths, pictures, uint8 arrays or the bytes of files; read ahead by threads.
        batch: pictures at a time, at least 1.

    Yields:
        The result of a picture, or the error of one that cannot be read.

    Example:
        >>> from seqnets.models.dense.segmenter import Segmenter, SegmenterConfig
        >>> rule = Preprocessing(resize=(16, 16), crop=None)
        >>> model = Segmenter(SegmenterConfig(width=2), ("ground", "cat"), rule, rngs=nnx.Rngs(0))
        >>> [found] = segment(model, [np.zeros((20, 30, 3), np.uint8)])
        >>> found.classes.shape
        (20, 30)
    """
    graphdef, state = nnx.split(model)

    def run(number: int, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[Segments]:
        logits = np.asarray(_logits(graphdef, state, np.stack([pixels for _, pixels in pairs])))
        for (image, _), scores in zip(pairs, logits):
            yield Segments(_at_size(scores, image.shape[:2]), model.labels, image)

    yield from by_batches(read_ahead(partial(shown_and_read, model.preprocessing), images, ahead=2 * batch), batch, run)


def shown_and_read(rule: Preprocessing, image: Picture) -> tuple[np.ndarray, np.ndarray] | ImageError:
    """Return a picture as people see it, uint8 `(H, W, 3)`, and as a network reads it; or the error of an unreadable one."""
    try:
        whole = Preprocessing(resize=None, crop=None).pixels(image)
        return whole, rule.pixels(whole)
    except ImageError as error:
        return error


def _at_size(scores: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Enlarge the scores of each class smoothly and take the best: borders are smoother than those of enlarged classes."""
    best, classes = np.full(size, -np.inf, np.float32), np.zeros(size, np.uint8)
    for number in range(scores.shape[-1]):
        plane = Image.fromarray(np.ascontiguousarray(scores[..., number], np.float32))
        large = np.asarray(plane.resize((size[1], size[0]), Image.Resampling.BILINEAR))
        wins = large > best
        best, classes = np.where(wins, large, best), np.where(wins, np.uint8(number), classes)
    return classes


@partial(jax.jit, static_argnums=0)
def _logits(graphdef: Any, state: Any, pixels: jax.Array) -> jax.Array:
    model = nnx.merge(graphdef, state)
    return model(model.preprocessing.normalize(jnp.asarray(pixels)))
