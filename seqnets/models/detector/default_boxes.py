"""Default boxes: around the center of every cell of every map, in several sizes and proportions."""

import math
from collections.abc import Sequence

import numpy as np


def default_boxes(
    grids: Sequence[tuple[int, int]],
    scales: Sequence[float],
    ratios: Sequence[Sequence[float]],
    size: tuple[int, int],
) -> np.ndarray:
    """Return the default boxes of some maps, the cells of each row by row.

    A cell has a square of the scale s of its map, one of the geometric mean of s and the next scale, and for each ratio r the two
    boxes of sides s sqrt(r) and s / sqrt(r).

    Args:
        grids: (h, w) of each map.
        scales: sides as shares of the picture's: one for each map, and one more.
        ratios: those of each map.
        size: (H, W) of the picture.

    Returns:
        float32 [N, 4]: left, top, right, bottom in pixels.

    Example:
        >>> default_boxes([(1, 1)], [0.5, 0.5], [[]], (8, 8)).tolist()
        [[2.0, 2.0, 6.0, 6.0], [2.0, 2.0, 6.0, 6.0]]

    References:
        Liu et al., "SSD: single shot multibox detector", 2016.
    """
    picture = np.array([size[1], size[0]])
    sides = [np.clip(_sides(one, next_one, some), 0, 1) * picture for one, next_one, some in zip(scales, scales[1:], ratios)]
    return boxes_of_cells(grids, sides, [(size[0] / height, size[1] / width) for height, width in grids])


def boxes_of_cells(
    grids: Sequence[tuple[int, int]], sides: Sequence[np.ndarray], steps: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Return boxes of given sides around the center of every cell of some maps, the cells of each map row by row.

    Args:
        grids: (h, w) of each map.
        sides: of each map, `(P, 2)`: width and height of the boxes of a cell, in pixels.
        steps: of each map, from one cell to the next one below and beside it, in pixels.

    Returns:
        float32 [N, 4]: left, top, right, bottom in pixels.

    Example:
        >>> boxes_of_cells([(1, 2)], [np.array([[2, 4]])], [(4, 4)]).tolist()
        [[1.0, 0.0, 3.0, 4.0], [5.0, 0.0, 7.0, 4.0]]
    """
    parts = []
    for (height, width), wide_high, (down, beside) in zip(grids, sides, steps):
        centers = np.stack(np.meshgrid((np.arange(width) + 0.5) * beside, (np.arange(height) + 0.5) * down), -1)
        centers, half = centers.reshape(-1, 1, 2), np.asarray(wide_high) / 2
        parts.append(np.concatenate([centers - half, centers + half], -1).reshape(-1, 4))
    return np.concatenate(parts).astype(np.float32)


def scales_between(least: float, most: float, maps: int) -> list[float]:
    """Return the scales of some maps, and one more.

    Example:
        >>> scales_between(0.2, 0.4, 2)
        [0.2, 0.4, 0.6]
    """
    step = (most - least) / max(maps - 1, 1) or least
    return [round(min(least + number * step, 1.0), 6) for number in range(maps + 1)]


def _sides(scale: float, following: float, ratios: Sequence[float]) -> np.ndarray:
    squares = [scale, math.sqrt(scale * following)]
    roots = [math.sqrt(ratio) for ratio in ratios]
    long = [pair for root in roots for pair in ((scale * root, scale / root), (scale / root, scale * root))]
    return np.array([*((side, side) for side in squares), *long])
