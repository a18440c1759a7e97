"""Shapes with soft edges on a grainy ground."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

_FINE = 4  # drawn this many times larger, then averaged
_PAINT = {
    "red": (215, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 225),
    "yellow": (235, 215, 40), "purple": (150, 50, 190), "white": (245, 245, 245),
}  # fmt: skip
_OUTLINES = {
    "square": [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
    "triangle": [(0.0, -1.0), (0.95, 0.85), (-0.95, 0.85)],
    "cross": [
        *((-0.33, -1.0), (0.33, -1.0), (0.33, -0.33), (1.0, -0.33), (1.0, 0.33), (0.33, 0.33)),
        *((0.33, 1.0), (-0.33, 1.0), (-0.33, 0.33), (-1.0, 0.33), (-1.0, -0.33), (-0.33, -0.33)),
    ],
}


def draw(
    kinds: Sequence[tuple[str, str]], boxes: Sequence[tuple[float, float, float, float]], *, side: int, noise: int
) -> np.ndarray:
    """Draw things in their boxes.

    Args:
        kinds: shape and color of each thing.
        boxes: left, top, right, bottom of each, in pixels.
        side: height and width of the picture in pixels.
        noise: seeds the shade of the ground and its grain.

    Returns:
        uint8 `(side, side, 3)`.

    Example:
        >>> picture = draw([("circle", "red")], [(8, 8, 24, 24)], side=32, noise=0)
        >>> bool(picture[16, 16, 0] > 2 * picture[16, 16, 1])
        True
    """
    rng = np.random.default_rng(noise)
    ground = tuple(int(shade) for shade in rng.integers(40, 90) + rng.integers(-10, 11, size=3))
    large = Image.new("RGB", (side * _FINE, side * _FINE), ground)
    pen = ImageDraw.Draw(large)
    for (shape, color), box in zip(kinds, boxes):
        _draw_one(pen, shape, _PAINT[color], np.array(box) * _FINE)
    pixels = np.asarray(large.reduce(_FINE), np.float32) + rng.normal(0, 4, (side, side, 1)).astype(np.float32)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def silhouettes(kinds: Sequence[tuple[str, str]], boxes: Sequence[tuple[float, float, float, float]], *, side: int) -> np.ndarray:
    """Return the pixels of each thing of `draw`: those that it covers by at least half.

    Args:
        kinds: shape and color of each thing.
        boxes: left, top, right, bottom of each, in pixels.
        side: height and width of the picture in pixels.

    Returns:
        bool `(things, side, side)`.

    Example:
        >>> silhouettes([("square", "red")], [(0, 0, 8, 8)], side=8)[0, 4].sum()
        np.int64(8)
    """
    found = np.zeros((len(kinds), side, side), bool)
    for mask, (shape, _), box in zip(found, kinds, boxes):
        large = Image.new("L", (side * _FINE, side * _FINE), 0)
        _draw_one(ImageDraw.Draw(large), shape, 255, np.array(box) * _FINE)
        mask[:] = np.asarray(large.reduce(_FINE)) >= 128
    return found


def outline_boxes(kinds: Sequence[tuple[str, str]], boxes: Sequence[tuple[float, float, float, float]]) -> np.ndarray:
    """Return the smallest boxes around the things of `draw`, float32 `(things, 4)`, which are smaller than their frames.

    Example:
        >>> outline_boxes([("triangle", "red")], [(0, 0, 20, 20)]).tolist()
        [[0.5, 0.0, 19.5, 18.5]]
    """
    found = np.array(boxes, np.float32).reshape(-1, 4)
    for row, (shape, _) in zip(found, kinds):
        if shape in _OUTLINES:
            center, radius, corners = (row[:2] + row[2:]) / 2, (row[2] - row[0]) / 2, np.array(_OUTLINES[shape])
            row[:] = [*(center + radius * corners.min(0)), *(center + radius * corners.max(0))]
    return found


def _draw_one(pen: ImageDraw.ImageDraw, shape: str, paint: tuple[int, int, int] | int, box: np.ndarray) -> None:
    if shape == "circle":
        pen.ellipse(box.tolist(), fill=paint)
        return
    center, radius = (box[:2] + box[2:]) / 2, (box[2] - box[0]) / 2
    pen.polygon([tuple(center + radius * np.array(corner)) for corner in _OUTLINES[shape]], fill=paint)
