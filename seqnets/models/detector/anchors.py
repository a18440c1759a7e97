"""Anchors: boxes of some sides and proportions around every cell of every map, from which proposals begin."""

from collections.abc import Sequence

import numpy as np


def anchor_boxes(
    grids: Sequence[tuple[int, int]], sides: Sequence[Sequence[float]], ratios: Sequence[float], size: tuple[int, int]
) -> np.ndarray:
    """Return the anchors of some maps, the cells of each row by row.

    Around the upper left corner of a cell there is a box of side / sqrt(r) by side sqrt(r) for each proportion r (height by
    width) and each side, its corners rounded to whole pixels.

    Args:
        grids: (h, w) of each map.
        sides: pixels, of each map.
        ratios: proportions.
        size: (H, W) of the picture.

    Returns:
        float32 [N, 4]: left, top, right, bottom in pixels.

    Example:
        >>> anchor_boxes([(1, 2)], [[8]], [1.0], (16, 32)).tolist()
        [[-4.0, -4.0, 4.0, 4.0], [12.0, -4.0, 20.0, 4.0]]

    References:
        Ren et al., "Faster R-CNN: towards real-time object detection with region proposal networks", 2015.
    """
    parts, roots = [], np.sqrt(np.asarray(ratios, np.float64))
    for (rows, columns), own in zip(grids, sides, strict=True):
        half = np.stack([np.outer(1 / roots, own), np.outer(roots, own)], -1).reshape(1, -1, 2) / 2
        steps = size[1] // columns, size[0] // rows
        places = np.stack(np.meshgrid(np.arange(columns) * steps[0], np.arange(rows) * steps[1]), -1).reshape(-1, 1, 2)
        parts.append(np.concatenate([places + np.round(-half), places + np.round(half)], -1).reshape(-1, 4))
    return np.concatenate(parts).astype(np.float32)


def proportions(ratios: Sequence[float]) -> list[float]:
    """Return the given proportions with their inverses and squares, in order.

    Example:
        >>> proportions([2.0])
        [0.5, 1.0, 2.0]
    """
    return sorted({1.0, *ratios, *(1 / ratio for ratio in ratios)})
