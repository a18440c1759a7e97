"""Pictures with windows drawn in: where a network looked, and how it drew."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from seqnets.viz.sheets import tile

_SIDE, _STEPS = 160, 10  # pixels of a cell; steps of a drawing that are shown
_EARLY, _LATE = np.array([0, 114, 178]), np.array([230, 159, 0])


def framed(picture: np.ndarray, boxes: Sequence[Any], *, side: int = _SIDE, path: bool = False) -> np.ndarray:
    """Enlarge a picture and draw boxes into it, from the first in blue to the last in orange.

    Args:
        picture: uint8 `(H, W, 3)`.
        boxes: left, top, right and bottom of each, in pixels of the picture.
        side: pixels of the longer side of the result.
        path: whether a line joins their centers.

    Returns:
        uint8 `(h, w, 3)`.

    Example:
        >>> framed(np.zeros((2, 4, 3), np.uint8), [(0, 0, 1, 1)], side=8)[0, 0].tolist()
        [230, 159, 0]
    """
    scale = side / max(picture.shape[:2])
    size = [max(1, round(scale * length)) for length in picture.shape[1::-1]]
    large = Image.fromarray(picture).resize((size[0], size[1]), Image.Resampling.NEAREST)
    draw, scaled = ImageDraw.Draw(large), np.asarray(boxes, np.float64).reshape(-1, 4) * scale
    centers = (scaled[:, :2] + scaled[:, 2:]) / 2
    for number, box in enumerate(scaled):
        color = _color(number, len(scaled))
        if path and number:
            draw.line([*centers[number - 1], *centers[number]], fill=color)
        draw.rectangle([*box[:2], *np.maximum(box[2:] - 1, box[:2])], outline=color)
        if path:
            draw.text((box[0] + 2, box[1]), str(number + 1), fill=color)
    return np.asarray(large)


def glimpses_sheet(picture: np.ndarray, boxes: Sequence[Any], scales: int = 1) -> np.ndarray:
    """Draw a picture with the path of the glimpses, and beside it what each of them shows: sharp inside, coarse around.

    Args:
        picture: uint8 `(H, W, 3)`.
        boxes: left, top, right and bottom of each glimpse's finest square, in pixels of the picture.
        scales: squares of a glimpse, each twice as wide as the one before.

    Returns:
        uint8 `(h, w, 3)`.

    Example:
        >>> glimpses_sheet(np.zeros((8, 8, 3), np.uint8), [(0, 0, 4, 4), (3, 3, 7, 7)], scales=2).shape
        (160, 484, 3)
    """
    shown = [framed(foveated(picture, box, scales), [_inner(box, scales)]) for box in boxes]
    return tile([framed(picture, boxes, path=True), *shown], columns=len(boxes) + 1, gap=2)


def foveated(picture: np.ndarray, box: Any, scales: int) -> np.ndarray:
    """Return a glimpse: a square of a picture as sharp as it is, in the middle of squares of half the sharpness each.

    Args:
        picture: uint8 `(H, W, 3)`.
        box: left, top, right and bottom of the sharp square, in pixels.
        scales: how many squares.

    Returns:
        uint8 `(h, w, 3)`, the size of the largest square; black outside of the picture.

    Example:
        >>> foveated(np.full((8, 8, 3), 9, np.uint8), (2, 2, 4, 4), 2)[:, :, 0].tolist()
        [[9, 9, 9, 9], [9, 9, 9, 9], [9, 9, 9, 9], [9, 9, 9, 9]]
    """
    whole, (left, top, right, bottom) = Image.fromarray(picture), (round(float(side)) for side in box)
    side = right - left
    middle = left + side // 2, top + (bottom - top) // 2
    whole_side = side << (scales - 1)
    found = Image.new("RGB", (whole_side, whole_side))
    for size in [side << scale for scale in reversed(range(scales))]:
        corner = middle[0] - size // 2, middle[1] - size // 2
        part = whole.crop((*corner, corner[0] + size, corner[1] + size)).resize((side, side), Image.Resampling.BOX)
        margin = (whole_side - size) // 2
        found.paste(part.resize((size, size), Image.Resampling.NEAREST), (margin, margin))
    return np.asarray(found)


def _inner(box: Any, scales: int) -> tuple[float, ...]:
    side = float(box[2] - box[0])
    first = (side * 2 ** (scales - 1) - side) // 2
    return (first, first, first + side, first + side)


def drawing_sheet(pictures: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Draw the steps of drawings, a row for each, with the window that each step wrote.

    Args:
        pictures: uint8 `(B, T, H, W)`, the picture after each step; at most 10 of the steps are shown.
        boxes: `(B, T, 4)`, in pixels.

    Returns:
        uint8 `(h, w, 3)`.

    Example:
        >>> drawing_sheet(np.zeros((2, 3, 8, 8), np.uint8), np.zeros((2, 3, 4))).shape
        (194, 292, 3)
    """
    steps = np.unique(np.linspace(0, pictures.shape[1] - 1, _STEPS).round().astype(int))
    side = _SIDE * 3 // 5
    cells = [
        framed(np.repeat(pictures[row, step, ..., None], 3, -1), boxes[row, step][None], side=side)
        for row in range(len(pictures))
        for step in steps
    ]
    return tile(cells, columns=len(steps))


def _color(number: int, count: int) -> tuple[int, ...]:
    share = number / (count - 1) if count > 1 else 1
    return tuple(np.round((1 - share) * _EARLY + share * _LATE).astype(int).tolist())
