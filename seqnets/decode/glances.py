"""What a glancer sees in pictures, and where it looks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.images.preprocessing import Picture
from seqnets.decode.captions.images import shown
from seqnets.decode.classification import Guess, guesses
from seqnets.decode.pictures import by_batches, pixels_ahead
from seqnets.errors import UserError
from seqnets.models.glimpse.glancer import END


@dataclass(frozen=True)
class Glance:
    """What was seen in a picture.

    Args:
        image: the picture as the network reads it, uint8 `(H, W, 3)`.
        things: for each thing the likeliest classes, the likeliest first.
        boxes: `(T, 4)`, left, top, right and bottom of the finest square of each glimpse, in its pixels.
        scales: squares of a glimpse, each twice as wide as the one before.
    """

    image: np.ndarray
    things: tuple[list[Guess], ...]
    boxes: np.ndarray
    scales: int = 1

    def sheet(self) -> np.ndarray:
        """Return the picture with the path of the glimpses, and what each of them shows: uint8 `(h, w, 3)`."""
        from seqnets.viz.windows import glimpses_sheet

        return glimpses_sheet(self.image, list(self.boxes), self.scales)


def glance(model: Any, images: Iterable[Picture], *, top: int = 5, batch: int = 16) -> Iterator[Glance | UserError]:
    """Yield what is seen in each picture, in order, and the first series of glimpses; see `Glancer.answers`.

    Args:
        model: a `Glancer`.
        images: paths, pictures, uint8 arrays or the bytes of files; read ahead by threads.
        top: classes of each thing.
        batch: pictures at a time, at least 1.

    Yields:
        The result of a picture, or the error of one that cannot be read.

    Example:
        >>> from seqnets.data.images.gray import gray_rule
        >>> from seqnets.models.glimpse.glancer import Glancer, GlancerConfig
        >>> config = GlancerConfig(hidden_features=4, glimpse_features=4, glimpses=3, samples=1)
        >>> model = Glancer(config, ("cat", "dog"), gray_rule((16, 16)), rngs=nnx.Rngs(0))
        >>> [found] = glance(model, [np.zeros((20, 30), np.uint8)])
        >>> len(found.things), found.boxes.shape
        (1, (3, 4))
    """
    graphdef, state = nnx.split(model)

    def run(number: int, pixels: list[np.ndarray]) -> Iterator[Glance]:
        logs, places = jax.device_get(_seen(graphdef, state, np.stack(pixels)))
        for image, things, path in zip(pixels, logs, places):
            yield _glance(model, shown(model.preprocessing, image), things, path, top)

    yield from by_batches(pixels_ahead(model.preprocessing, images, batch=batch), batch, run)


def _glance(model: Any, image: np.ndarray, things: np.ndarray, path: np.ndarray, top: int) -> Glance:
    found = [guesses(logs.astype(np.float64), model.labels, top) for logs in things]
    ends = [number for number, best in enumerate(found) if best[0].label == END and len(found) > 1]
    named = found[: ends[0]] if ends else found
    looks, side = path[: model.config.glimpses * min(len(named) + 1, len(found))], model.config.glimpse_size
    first = np.round((looks + 1) / 2 * (np.array(image.shape[:2]) - 1)) - side // 2
    corners = np.concatenate([first[:, ::-1], first[:, ::-1] + side], -1)
    return Glance(image, tuple(named), corners, model.config.scales)


@partial(jax.jit, static_argnums=0)
def _seen(graphdef: Any, state: Any, pixels: jax.Array) -> tuple[jax.Array, jax.Array]:
    model = nnx.merge(graphdef, state)
    return model.answers(model.preprocessing.normalize(jnp.asarray(pixels)))
