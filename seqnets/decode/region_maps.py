"""From maps within a box to pixels of the picture: masks pasted in, joints found."""

import numpy as np


def pasted(maps: np.ndarray, boxes: np.ndarray, size: tuple[int, int], *, rounded: bool = False) -> np.ndarray:
    """Return the probabilities of every pixel of a picture from those of the cells of boxes; 0 outside.

    A ring of zeros is put around each map, and pixels between the centers of cells are interpolated.

    Args:
        maps: `(D, m, m)`.
        boxes: `(D, 4)` left, top, right, bottom in pixels.
        size: (H, W) of the picture.
        rounded: rounds the boxes to whole pixels first, as torchvision does.

    Returns:
        float32 `(D, H, W)`.

    Example:
        >>> pasted(np.ones((1, 2, 2)), np.array([[1, 0, 3, 2]]), (2, 4))[0].tolist()
        [[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]]

    References:
        He et al., "Mask R-CNN", 2017.
    """
    maps, boxes = np.asarray(maps, np.float32), np.asarray(boxes, np.float64).reshape(-1, 4)
    cells = maps.shape[-1] + 2
    center, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * cells / (cells - 2)
    low, high = center - half, center + half
    if rounded:
        low, high = np.trunc(low), np.trunc(high) + 1
    sides = np.maximum(high - low, 1e-6)
    columns, rows = (
        _linear((np.arange(count) + 0.5 - low[:, axis, None]) / sides[:, axis, None] * cells - 0.5, cells)
        for axis, count in ((0, size[1]), (1, size[0]))
    )
    padded = np.pad(maps, [(0, 0), (1, 1), (1, 1)])
    return rows @ padded @ columns.swapaxes(1, 2)


def strongest_places(maps: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return where each joint is strongest, after each map is enlarged to the whole pixels of its box by cubic interpolation.

    Args:
        maps: `(D, m, m, J)`.
        boxes: `(D, 4)` left, top, right, bottom in pixels.

    Returns:
        float32 `(D, J, 3)`: x and y in pixels, and the strength there.

    Example:
        >>> maps = np.zeros((1, 4, 4, 1)); maps[0, 1, 2] = 1
        >>> strongest_places(maps, np.array([[10, 0, 18, 8]]))[0, 0, :2].tolist()
        [14.5, 2.5]

    References:
        He et al., "Mask R-CNN", 2017.
    """
    found = np.zeros((len(maps), maps.shape[-1], 3), np.float32)
    for place, (heat, box) in enumerate(zip(maps, np.asarray(boxes, np.float64))):
        sides = np.maximum(box[2:] - box[:2], 1)
        width, height = np.ceil(sides).astype(int)
        rows, columns = _cubic(height, heat.shape[0]), _cubic(width, heat.shape[1])
        large = np.einsum("yr,rcj,xc->jyx", rows, heat, columns, optimize=True).reshape(heat.shape[-1], -1)
        best = large.argmax(1)
        at = np.stack([best % width, best // width], 1) + 0.5
        found[place] = np.concatenate([at * sides / (width, height) + box[:2], large.max(1)[:, None]], 1)
    return found


def _linear(at: np.ndarray, cells: int) -> np.ndarray:
    """Weights `(D, pixels, cells)` of the cells on both sides of the places `(D, pixels)`."""
    at = np.clip(at, 0, cells - 1)
    return np.maximum(1 - np.abs(at[..., None] - np.arange(cells)), 0).astype(np.float32)


def _cubic(pixels: int, cells: int, a: float = -0.75) -> np.ndarray:
    """Weights `(pixels, cells)` of Keys' cubic interpolation with torch's a, in which the last cells repeat at the border."""
    at = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    taps = np.floor(at).astype(int)[:, None] + np.arange(-1, 3)
    far = np.abs(at[:, None] - taps)
    near = (a + 2) * far**3 - (a + 3) * far**2 + 1
    values = np.where(far <= 1, near, a * (far**3 - 5 * far**2 + 8 * far - 4))
    weights = np.zeros((pixels, cells))
    np.add.at(weights, (np.arange(pixels)[:, None], np.clip(taps, 0, cells - 1)), values)
    return weights
