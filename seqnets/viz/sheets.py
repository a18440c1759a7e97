"""Sheets of tiles: filters, activations, patches, maps over pictures, thumbnails at their places."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from seqnets.errors import UserError

_GROUND = 255


def tile(pictures: Sequence[np.ndarray], *, columns: int | None = None, gap: int = 2, side: int | None = None) -> np.ndarray:
    """Put pictures side by side, row by row.

    Args:
        pictures: uint8 `(h, w)` or `(h, w, 3)` each; smaller ones are enlarged by whole factors, then centered in their cells.
        columns: pictures in a row; about as many as rows when None.
        gap: white pixels between them.
        side: the least pixels of the longer side of a cell, by enlarging; those of the largest picture when None.

    Returns:
        uint8 `(H, W, 3)`.

    Example:
        >>> tile([np.zeros((2, 2), np.uint8)] * 4, gap=1)[:, :, 0].tolist()[2]
        [255, 255, 255, 255, 255]
    """
    colored = [_colored(picture) for picture in pictures]
    if not colored:
        raise UserError("there is nothing to draw; give one picture or more")
    longest = max(max(picture.shape[:2]) for picture in colored)
    aim = max(side or 0, longest)
    enlarged = [_enlarged(picture, max(1, aim // max(picture.shape[:2]))) for picture in colored]
    height, width = (max(picture.shape[axis] for picture in enlarged) for axis in (0, 1))
    columns = min(columns or math.ceil(math.sqrt(len(enlarged))), len(enlarged))
    rows = math.ceil(len(enlarged) / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), _GROUND, np.uint8)
    for number, picture in enumerate(enlarged):
        row, column = divmod(number, columns)
        top = row * (height + gap) + (height - picture.shape[0]) // 2
        left = column * (width + gap) + (width - picture.shape[1]) // 2
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def gray(array: Any) -> np.ndarray:
    """Scale an array to black for its smallest value and white for its largest.

    Example:
        >>> gray([[0.0, 0.5], [1.0, 0.5]]).tolist()
        [[0, 128], [255, 128]]
        >>> gray([[2.0]]).tolist()
        [[0]]
    """
    values = np.asarray(array, np.float64)
    span = values.max() - values.min()
    return np.round(255 * (values - values.min()) / (span or 1)).astype(np.uint8)


def filter_sheet(kernel: np.ndarray, *, most: int = 64, side: int | None = None) -> np.ndarray:
    """Draw the filters of a convolution, each scaled by its own smallest and largest weight.

    Args:
        kernel: `(height, width, in, out)`. With 3 inputs a filter is one tile in color, otherwise a row of gray tiles, one
            for each input.
        most: filters, and inputs of a filter, that are drawn.
        side: the least pixels of a tile's side.

    Returns:
        uint8 `(H, W, 3)`.

    Example:
        >>> filter_sheet(np.zeros((5, 5, 3, 4)), side=5).shape, filter_sheet(np.zeros((3, 3, 8, 2)), side=3).shape
        ((12, 12, 3), (8, 38, 3))
    """
    ranked = np.moveaxis(np.asarray(kernel), -1, 0)[:most]
    if ranked.shape[-1] in (1, 3):
        return tile([gray(one if one.shape[-1] == 3 else one[..., 0]) for one in ranked], side=side or 24)
    shown = [gray(one[..., :most]) for one in ranked]
    inputs = shown[0].shape[-1]
    return tile([one[..., channel] for one in shown for channel in range(inputs)], columns=inputs, side=side or 9)


def map_sheet(maps: np.ndarray, *, most: int = 256, side: int | None = None) -> np.ndarray:
    """Draw the activations of a layer, one gray tile for each channel, each scaled by its own values.

    Args:
        maps: `(h, w, C)`.
        most: channels that are drawn.
        side: the least pixels of a tile's side.

    Returns:
        uint8 `(H, W, 3)`.

    Example:
        >>> map_sheet(np.zeros((4, 4, 9)), side=4).shape
        (16, 16, 3)
    """
    return tile([gray(maps[..., channel]) for channel in range(min(most, maps.shape[-1]))], side=side or 32)


def overlay(picture: np.ndarray, values: Any) -> np.ndarray:
    """Lay a map over a picture: the picture in gray, orange where the map is large and blue where it is below 0.

    Args:
        picture: uint8 `(H, W, 3)`.
        values: `(h, w)`, enlarged to the picture.

    Returns:
        uint8 `(H, W, 3)`.

    Example:
        >>> overlay(np.full((1, 2, 3), 100, np.uint8), np.array([[0.0, 1.0]])).tolist()
        [[[100, 100, 100], [230, 159, 0]]]
    """
    height, width = picture.shape[:2]
    small = Image.fromarray(np.asarray(values, np.float32))
    large = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), np.float64)
    share = large / max(float(np.abs(large).max()), 1e-12)
    ground = np.repeat(picture.astype(np.float64).mean(-1, keepdims=True), 3, axis=-1)
    color = np.where(share[..., None] >= 0, (230.0, 159.0, 0.0), (0.0, 114.0, 178.0))
    strength = np.abs(share)[..., None]
    return np.round((1 - strength) * ground + strength * color).astype(np.uint8)


def signed(gradient: np.ndarray) -> np.ndarray:
    """Draw a gradient by pixels in color: gray is 0, and the largest size is black or white.

    Example:
        >>> signed(np.array([[[0.0, 2.0, -2.0]]])).tolist()
        [[[128, 255, 0]]]
    """
    values = np.asarray(gradient, np.float64)
    scaled = 127.5 + 127.5 * values / max(float(np.abs(values).max()), 1e-12)
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def thumbnail_map(pictures: Sequence[np.ndarray], places: np.ndarray, *, side: int = 48) -> np.ndarray:
    """Put thumbnails on a grid so that their places in the plane are kept as well as a grid allows.

    Args:
        pictures: N of uint8 `(h, w, 3)`.
        places: `(N, 2)`: to the right, and up.
        side: pixels of a thumbnail.

    Returns:
        uint8 `(H, W, 3)`.

    Example:
        >>> colors = [np.full((1, 1, 3), value, np.uint8) for value in (10, 20, 30, 40)]
        >>> corners = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
        >>> thumbnail_map(colors, corners, side=1)[:, :, 0].tolist()
        [[20, 10], [40, 30]]
    """
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    sheet = np.full((rows * side, columns * side, 3), _GROUND, np.uint8)
    for picture, (row, column) in zip(pictures, grid_places(places, rows, columns)):
        top, left = row * side, column * side
        sheet[top : top + side, left : left + side] = _thumbnail(picture, side)
    return sheet


def grid_places(places: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Give every point a cell of a grid of its own, with the least sum of squared distances.

    Args:
        places: `(N, 2)`: to the right, and up.
        rows: of the grid.
        columns: of the grid.

    Returns:
        `(N, 2)`: row and column, from the upper left.

    Example:
        >>> grid_places(np.array([[0.0, 0.0], [0.1, 0.9]]), 2, 1).tolist()
        [[1, 0], [0, 0]]
    """
    from scipy.optimize import linear_sum_assignment

    x = np.asarray(places, np.float64)
    x = (x - x.min(0)) / np.maximum(np.ptp(x, axis=0), 1e-12)
    cells = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2)
    right, up = cells[:, 1] / max(columns - 1, 1), 1 - cells[:, 0] / max(rows - 1, 1)
    cost = (x[:, :1] - right) ** 2 + (x[:, 1:] - up) ** 2
    return cells[linear_sum_assignment(cost)[1]]


def _thumbnail(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    small = Image.fromarray(_colored(picture)).resize(
        (max(1, round(side * width / max(height, width))), max(1, round(side * height / max(height, width)))),
        Image.Resampling.NEAREST if max(height, width) <= side else Image.Resampling.BOX,
    )
    cell = Image.new("RGB", (side, side), (_GROUND,) * 3)
    cell.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return np.asarray(cell)


def _colored(picture: np.ndarray) -> np.ndarray:
    flat = picture[..., None] if picture.ndim == 2 else picture
    return np.repeat(flat, 3, axis=-1) if flat.shape[-1] == 1 else flat


def _enlarged(picture: np.ndarray, times: int) -> np.ndarray:
    return picture.repeat(times, 0).repeat(times, 1)
