"""Which parts of a picture a score needs: a window slides over it and hides what is below."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqnets import settings
from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.errors import UserError
from seqnets.inspect.gradients import score_of
from seqnets.inspect.targets import Target, see
from seqnets.models.cnn.network import ConvNet
from seqnets.models.taps import Taps, tapped

Score = Literal["probability", "logit"]
_AT_ONCE = 32  # pictures in a pass
_FILLINGS = {"gray": 127.5, "black": 0.0, "white": 255.0}


class Occlusion(NamedTuple):
    """A score with parts of the pictures hidden.

    Args:
        pictures: [B, H, W, 3] of uint8, RGB, as the network saw them.
        grid: [B, R, C], the score with the window at each position.
        rows: [R], the upper edges of the window.
        columns: [C], its left edges.
        window: its height and width, in pixels.
        without: [B], the score of the whole picture.
        layer: the layer of the score.
        index: [B], its place in the layer's flattened output: the class, for logits.
    """

    pictures: np.ndarray
    grid: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    window: tuple[int, int]
    without: np.ndarray
    layer: str
    index: np.ndarray

    @property
    def map(self) -> np.ndarray:
        """By how much the score falls when a pixel is hidden, in the mean over the windows that hide it: [B, H, W]."""
        height, width = self.pictures.shape[1:3]
        covers = [
            (start[:, None] <= np.arange(side)) & (np.arange(side) < start[:, None] + size)
            for start, side, size in ((self.rows, height, self.window[0]), (self.columns, width, self.window[1]))
        ]
        rows, columns = (cover.astype(np.float32) for cover in covers)
        falls = rows.T @ (self.without[:, None, None] - self.grid) @ columns
        return falls / np.maximum(np.outer(rows.sum(0), columns.sum(0)), 1)


def occlusion(
    model: ConvNet,
    pictures: Sequence[Picture],
    target: Target = None,
    *,
    window: int | tuple[int, int] | None = None,
    stride: int | None = None,
    filling: str | float = "mean",
    score: Score = "probability",
) -> Occlusion:
    """Hide each part of a picture in turn and return the score of a class.

    The last window of a row or column ends at the edge of the picture, even if it is nearer to the one before.

    Args:
        model: the network, with its `preprocessing`.
        pictures: paths, Pillow images, arrays or bytes.
        target: a class by number or name, a `Unit`, or None for the likeliest class of each picture.
        window: side, or height and width, of what is hidden, in pixels; a quarter of the picture when None.
        stride: pixels from one window to the next; half a window when None.
        filling: what hides: "mean" (the input 0), "gray", "black", "white", or a value from 0 to 255.
        score: "probability", which saturates where the network is certain, or "logit"; a unit of a layer has only its value.

    Raises:
        UserError: the window does not fit into the picture, or the class or filling is unknown.

    Example:
        >>> from seqnets.models import create_model
        >>> model = create_model("lenet5_relu")
        >>> model.preprocessing = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> found = occlusion(model, [np.full((28, 28), 99, np.uint8)], 3, window=12, stride=8)
        >>> found.rows.tolist(), found.grid.shape, found.map.shape
        ([0, 8, 16], (1, 3, 3), (1, 28, 28))

    References:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
    """
    if score not in ("probability", "logit"):
        raise UserError(f"score must be probability or logit, not {score!r}")
    seen = see(model, pictures, target)
    height, width = seen.pixels.shape[1:3]
    size = _size(window, height, width)
    step = settings.whole("stride", stride or max(1, min(size) // 2), settings.POSITIVE)
    rows, columns = _starts(height, size[0], step), _starts(width, size[1], step)
    corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
    taps = Taps(model, seen.layer)
    plan = _Plan(taps.structure, seen.rule, seen.layer, size, score if seen.layer == "logits" else "logit")
    without, found = _slide(plan, taps.state, seen.pixels, seen.index, corners, _filling(filling, seen.rule))
    grid = np.asarray(found).T.reshape(len(seen.pixels), len(rows), len(columns))
    return Occlusion(seen.shown, grid, rows, columns, size, np.asarray(without), seen.layer, seen.index)


class _Plan(NamedTuple):
    structure: Any
    rule: Preprocessing
    layer: str
    size: tuple[int, int]
    score: str


@partial(jax.jit, static_argnums=0)
def _slide(plan: _Plan, state: Any, pixels: Any, index: Any, corners: Any, filling: Any) -> tuple[jax.Array, jax.Array]:
    x = plan.rule.normalize(pixels)
    row, column = jnp.arange(x.shape[1])[:, None], jnp.arange(x.shape[2])[None, :]

    def scores(x: jax.Array) -> jax.Array:
        output = tapped(plan.structure, (plan.layer,), state, x)[plan.layer]
        return score_of(jax.nn.softmax(output) if plan.score == "probability" else output, index)

    def hidden(corner: jax.Array) -> jax.Array:
        inside = [(at >= first) & (at < first + size) for at, first, size in zip((row, column), corner, plan.size)]
        return scores(jnp.where((inside[0] & inside[1])[None, :, :, None], filling, x))

    return scores(x), jax.lax.map(hidden, jnp.asarray(corners), batch_size=max(1, _AT_ONCE // len(x)))


def _size(window: int | tuple[int, int] | None, height: int, width: int) -> tuple[int, int]:
    if window is None:
        return max(1, height // 4), max(1, width // 4)
    sides = (window, window) if isinstance(window, int) else tuple(window)
    rows, columns = (settings.whole("window", side, settings.POSITIVE) for side in sides)
    if rows > height or columns > width:
        raise UserError(f"a window of {rows} x {columns} does not fit into a picture of {height} x {width}; make it smaller")
    return rows, columns


def _starts(side: int, window: int, stride: int) -> np.ndarray:
    return np.unique([*range(0, side - window, stride), side - window])


def _filling(filling: str | float, rule: Preprocessing) -> np.ndarray:
    if filling == "mean":
        return np.zeros((1, 1, 1, rule.channel_count), np.float32)
    value = _FILLINGS.get(str(filling), filling)
    if isinstance(value, str) or not 0 <= value <= 255:
        raise UserError(f"filling must be mean, {', '.join(_FILLINGS)}, or a value from 0 to 255, not {filling!r}")
    return rule.normalize(np.full((1, 1, 1, rule.channel_count), value, np.float32))
