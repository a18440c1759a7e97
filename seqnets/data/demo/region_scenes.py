"""Drawn scenes of one to four things, with their boxes, masks and phrases, exactly."""

from typing import NamedTuple

import numpy as np

from seqnets.data.demo.scene_drawing import draw, outline_boxes, silhouettes
from seqnets.data.demo.scene_words import COLORS, SHAPES

SIDE = 64
_RADII, _LARGE = (6.0, 14.0), 10.0
_TRIES = 40


class Drawing(NamedTuple):
    """A picture, uint8 `(64, 64, 3)`, and its M things.

    Attributes:
        image: the pixels.
        boxes: `(M, 4)` left, top, right, bottom in pixels.
        labels: `(M,)` indices into `SHAPES`.
        masks: bool `(M, 64, 64)`.
        phrases: M phrases, such as "a small red circle".
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    phrases: tuple[str, ...]


def draw_regions(index: int, seed: int = 0, *, most: int = 4) -> Drawing:
    """Draw a scene; the same numbers give the same scene.

    Args:
        index: the number of the scene.
        seed: seed of all random choices.
        most: the largest number of things.

    Example:
        >>> drawing = draw_regions(3)
        >>> drawing.image.shape, len(drawing.boxes) == len(drawing.masks) == len(drawing.phrases)
        ((64, 64, 3), True)
    """
    rng = np.random.default_rng([seed, 18, index])
    frames = _frames(rng, int(rng.integers(1, most + 1)))
    kinds = [(str(rng.choice(SHAPES)), str(rng.choice(COLORS))) for _ in frames]
    sizes = ["large" if box[2] - box[0] > 2 * _LARGE else "small" for box in frames]
    phrases = tuple(f"a {size} {color} {shape}" for size, (shape, color) in zip(sizes, kinds))
    image = draw(kinds, frames, side=SIDE, noise=int(rng.integers(2**31)))
    labels = np.array([SHAPES.index(shape) for shape, _ in kinds], np.int32)
    return Drawing(image, outline_boxes(kinds, frames), labels, silhouettes(kinds, frames, side=SIDE), phrases)


def _frames(rng: np.random.Generator, count: int) -> list[tuple[float, float, float, float]]:
    frames: list[tuple[float, float, float, float]] = []
    for _ in range(_TRIES):
        radius = rng.uniform(*_RADII)
        x, y = rng.uniform(radius + 1, SIDE - radius - 1, 2)
        frame = (x - radius, y - radius, x + radius, y + radius)
        if all(_apart(frame, other) for other in frames):
            frames.append(frame)
        if len(frames) == count:
            break
    return frames


def _apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
