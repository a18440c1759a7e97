"""One thing in each picture: its class and box, or its joints."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

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
from seqnets.models.dense.localizer import corners


@dataclass(frozen=True)
class Place:
    """What was found in a picture.

    Args:
        image: the picture, uint8 `(H, W, 3)`.
        label: the class; "" for joints.
        score: its softmax probability; for joints, the mean strength of their maps.
        box: left, top, right, bottom in pixels; None for joints.
        joints: x and y of each joint in pixels, by name; empty for a box.
    """

    image: np.ndarray
    label: str
    score: float
    box: tuple[float, float, float, float] | None
    joints: dict[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """Return the result without the picture, rounded to hundredths of a pixel."""
        if self.box is None:
            return {"score": round(self.score, 4), "joints": {name: _rounded(at) for name, at in self.joints.items()}}
        return {"label": self.label, "score": round(self.score, 4), "box": _rounded(self.box)}

    def figure(self) -> Any:
        """Return a matplotlib figure: the picture with the box, or with the joints and limbs."""
        from seqnets.viz.regions import place_figure

        return place_figure(self.image, self.label, self.score, self.box, self.joints)


def locate(model: Any, images: Iterable[Picture], *, batch: int = 16) -> Iterator[Place | UserError]:
    """Yield what is found in each picture, in order, in its own pixels.

    Args:
        model: a `Localizer`.
        images: paths, pictures, uint8 arrays or the bytes of files; read ahead by threads.
        batch: pictures at a time, at least 1.

    Yields:
        The result of a picture, or the error of one that cannot be read.

    Example:
        >>> from seqnets.data.images.preprocessing import Preprocessing
        >>> from seqnets.models.dense.localizer import Localizer, LocalizerConfig
        >>> rule = Preprocessing(resize=(16, 16), crop=None)
        >>> model = Localizer(LocalizerConfig(width=2), ("cat", "dog"), rule, rngs=nnx.Rngs(0))
        >>> [found] = locate(model, [np.zeros((20, 30, 3), np.uint8)])
        >>> found.label in ("cat", "dog"), len(found.box)
        (True, 4)
    """
    graphdef, state = nnx.split(model)
    height, width = size_of(model.preprocessing)

    def run(number: int, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[Place]:
        found = jax.device_get(_found(graphdef, state, np.stack([pixels for _, pixels in pairs])))
        for row, (image, _) in enumerate(pairs):
            scale = np.array([image.shape[1] / width, image.shape[0] / height])
            yield _place(model.labels, {name: array[row] for name, array in found.items()}, image, scale)

    yield from by_batches(read_ahead(partial(shown_and_read, model.preprocessing), images, ahead=2 * batch), batch, run)


def _place(labels: tuple[str, ...], found: dict[str, np.ndarray], image: np.ndarray, scale: np.ndarray) -> Place:
    if "joints" in found:
        at = found["joints"][:, :2] * scale
        joints = {name: (float(x), float(y)) for name, (x, y) in zip(labels, at)}
        return Place(image, "", float(found["joints"][:, 2].mean()), None, joints)
    best = int(found["scores"].argmax())
    limits = np.array([image.shape[1], image.shape[0]] * 2)
    left, top, right, bottom = np.clip(found["boxes"] * np.tile(scale, 2), 0, limits).tolist()
    return Place(image, labels[best], float(found["scores"][best]), (left, top, right, bottom), {})


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 2) for value in values]


@partial(jax.jit, static_argnums=0)
def _found(graphdef: Any, state: Any, pixels: jax.Array) -> dict[str, jax.Array]:
    model = nnx.merge(graphdef, state)
    found = model(model.preprocessing.normalize(jnp.asarray(pixels)))
    if "boxes" not in found:
        return {"joints": model.places(found)}
    best, boxes = found["logits"].argmax(-1), found["boxes"]
    boxes = boxes if boxes.ndim == 2 else jnp.take_along_axis(boxes, best[:, None, None], 1)[:, 0]
    return {"scores": jax.nn.softmax(found["logits"]), "boxes": corners(boxes, size_of(model.preprocessing))}
