"""Pictures that a drawer draws, step by step."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets import settings
from seqnets.data.images.preprocessing import Picture

_BATCH = 32


class Drawn(NamedTuple):
    """Pictures while they are drawn.

    Attributes:
        pictures: uint8 `(B, T, H, W)`, the probability of white after each step, from 0 to 255.
        boxes: `(B, T, 4)`, the windows that were written: left, top, right, bottom in pixels.
    """

    pictures: np.ndarray
    boxes: np.ndarray

    def sheet(self) -> np.ndarray:
        """Return the steps with their windows, a row for each picture: uint8 `(h, w, 3)`."""
        from seqnets.viz.windows import drawing_sheet

        return drawing_sheet(self.pictures, self.boxes)


def draw(model: Any, count: int, key: jax.Array) -> Iterator[Drawn]:
    """Yield pictures of a drawer's own, some at a time.

    Args:
        model: a `Drawer`.
        count: how many, at least 1.
        key: a JAX key.

    Example:
        >>> from seqnets.data.images.gray import gray_rule
        >>> from seqnets.models.glimpse.drawer import Drawer, DrawerConfig
        >>> model = Drawer(DrawerConfig(hidden_features=4, latent_features=2, steps=3), gray_rule((8, 8)), rngs=nnx.Rngs(0))
        >>> [drawn.pictures.shape for drawn in draw(model, 2, jax.random.key(0))]
        [(2, 3, 8, 8)]
    """
    settings.POSITIVE.check("count", count)
    graphdef, state = nnx.split(model)
    size = min(count, _BATCH)
    for number, first in enumerate(range(0, count, size)):
        drawn = _shown(_drawn(graphdef, state, size, jax.random.fold_in(key, number)))
        yield Drawn(*(array[: count - first] for array in drawn))


def redraw(model: Any, image: Picture, key: jax.Array) -> Drawn:
    """Draw a given picture again, as training does.

    Args:
        model: a `Drawer`.
        image: a path, picture, uint8 array or the bytes of a file.
        key: a JAX key.

    Raises:
        UserError: it cannot be read.
    """
    graphdef, state = nnx.split(model)
    return _shown(_redrawn(graphdef, state, model.preprocessing.pixels(image)[None], key))


def _shown(drawn: tuple[Any, Any]) -> Drawn:
    canvas, boxes = jax.device_get(drawn)
    return Drawn(np.round(255 / (1 + np.exp(-canvas[..., 0].astype(np.float64).clip(-50, 50)))).astype(np.uint8), boxes)


@partial(jax.jit, static_argnums=(0, 2))
def _drawn(graphdef: Any, state: Any, count: int, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    return nnx.merge(graphdef, state).draw(count, key)[:2]


@partial(jax.jit, static_argnums=0)
def _redrawn(graphdef: Any, state: Any, pixels: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    model = nnx.merge(graphdef, state)
    return model.redraw(model.preprocessing.normalize(jnp.asarray(pixels)), key)[:2]
