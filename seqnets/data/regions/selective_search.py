"""Boxes that may hold a thing: segments of a picture, merged step by step with the neighbor that they resemble most."""

import heapq
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from seqnets.errors import UserError

COLOR_SPACES: tuple[Literal["YCbCr", "HSV"], ...] = ("YCbCr", "HSV")
SCALES = (50, 150)
"""Every pair of them gives a segmentation, and the boxes of all of its merges."""

_SMOOTHING, _LEAST_PIXELS, _MOST_PIXELS = 0.8, 20, 320  # _MOST_PIXELS: of the longer side
_LEAST_SHARE = 0.04  # of the longer side: smaller boxes are noise
_COLORS, _SLOPES, _DIRECTIONS = 25, 10, 8  # bins of the histograms


class _Regions(NamedTuple):
    """Room for n segments and their n - 1 merges: their color and texture, pixels and boxes."""

    looks: np.ndarray
    pixels: np.ndarray
    boxes: np.ndarray


def propose(image: np.ndarray, count: int = 200) -> np.ndarray:
    """Return boxes that may hold a thing, the likeliest first: selective search.

    Args:
        image: uint8 `(H, W, 3)`.
        count: the largest number of boxes.

    Returns:
        float32 `(P, 4)`: left, top, right, bottom in pixels; the same for the same picture.

    Raises:
        UserError: scikit-image is not installed.

    References:
        Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", 2004.
        Uijlings et al., "Selective search for object recognition", 2013.
    """
    height, width = image.shape[:2]
    shrink = max(1.0, max(height, width) / _MOST_PIXELS)
    small = Image.fromarray(image).resize((max(1, round(width / shrink)), max(1, round(height / shrink))))
    rng, found = np.random.default_rng(0), dict[tuple[int, ...], float]()
    for space in COLOR_SPACES:
        pixels = np.asarray(small.convert(space))
        shades, slopes = pixels.astype(np.int64) * _COLORS // 256, _slopes(pixels)
        for scale in SCALES:
            segments = _segments(pixels, scale)
            boxes = np.array(list(_grouped(_measured(segments, shades, slopes), segments)))
            # a large region is likelier than its parts; by chance, so that no segmentation comes first
            ranks = rng.random(len(boxes)) * np.arange(len(boxes), 0, -1)
            for box, rank in zip(map(tuple, boxes.tolist()), ranks):
                found[box] = min(rank, found.get(box, np.inf))
    order = sorted(found, key=lambda box: found[box])
    boxes = np.array(order, np.float32).reshape(-1, 4) * np.array([width / small.width, height / small.height] * 2, np.float32)
    sides = np.min(boxes[:, 2:] - boxes[:, :2], axis=1)
    return boxes[sides >= _LEAST_SHARE * max(height, width)][:count]


def _segments(pixels: np.ndarray, scale: float) -> np.ndarray:
    """Return a number for each pixel."""
    try:
        from skimage.segmentation import felzenszwalb
    except ImportError:
        raise UserError(
            "proposals by graph segmentation need scikit-image; install it with `pip install 'seqnets[proposals]'`, or name a "
            "file of boxes with --data.proposals FILE"
        ) from None
    return np.asarray(felzenszwalb(pixels, scale=scale, sigma=_SMOOTHING, min_size=_LEAST_PIXELS))


def _grouped(regions: _Regions, segments: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the boxes of the segments and of all of their merges, the whole picture last."""
    count, area = int(segments.max()) + 1, segments.size
    neighbors = _neighbors(segments, count)
    yield from regions.boxes[:count]
    queue = [(-similarity(regions, np.array([one]), other, area)[0], one, other) for other in range(count)
             for one in neighbors[other] if one < other]  # fmt: skip
    heapq.heapify(queue)
    while queue:
        _, one, other = heapq.heappop(queue)
        if not (neighbors[one] and neighbors[other]):  # merged with another one
            continue
        new = len(neighbors)
        around = (neighbors[one] | neighbors[other]) - {one, other}
        for region in around:
            neighbors[region] -= {one, other}
            neighbors[region].add(new)
        neighbors[one], neighbors[other] = set(), set()
        neighbors.append(around)
        _merge(regions, one, other, new)
        yield regions.boxes[new]
        if around:
            near = np.array(sorted(around))
            for region, likeness in zip(near.tolist(), similarity(regions, near, new, area)):
                heapq.heappush(queue, (-likeness, region, new))


def similarity(regions: Any, some: np.ndarray, other: int, area: int) -> np.ndarray:
    r"""Return how much some regions resemble another one: color and texture, both small, and no gap between them.

    $$ s = \sum_k \min(c_k, c'_k) + \sum_k \min(t_k, t'_k) + 1 - \frac{|r| + |r'|}{A} + 1 - \frac{|b| - |r| - |r'|}{A} $$

    Args:
        regions: their `looks` (the histograms c and t side by side), `pixels` and `boxes`; b is the box around both.
        some: indices `(N,)`.
        other: an index.
        area: A, pixels of the picture.

    Returns:
        `(N,)`.
    """
    shared = np.minimum(regions.looks[some], regions.looks[other]).sum(1)
    both = regions.pixels[some] + regions.pixels[other]
    low = np.minimum(regions.boxes[some, :2], regions.boxes[other, :2])
    high = np.maximum(regions.boxes[some, 2:], regions.boxes[other, 2:])
    return shared + 2 - both / area - (np.prod(high - low, axis=1) - both) / area


def _merge(regions: _Regions, one: int, other: int, new: int) -> None:
    pair = [one, other]
    sizes = regions.pixels[pair]
    regions.pixels[new] = sizes.sum()
    regions.looks[new] = sizes @ regions.looks[pair] / sizes.sum()
    regions.boxes[new, :2] = regions.boxes[pair, :2].min(0)
    regions.boxes[new, 2:] = regions.boxes[pair, 2:].max(0)


def _measured(segments: np.ndarray, shades: np.ndarray, slopes: np.ndarray) -> _Regions:
    count = int(segments.max()) + 1
    sizes = np.bincount(segments.ravel(), minlength=count)
    parts = (_histograms(segments, count, values, bins) for values, bins in ((shades, _COLORS), (slopes, _SLOPES)))
    looks = np.concatenate([part / part.sum(1, keepdims=True) for part in parts], 1)
    rows, columns = np.indices(segments.shape)
    boxes = np.zeros((2 * count, 4), np.int64)
    boxes[:count, :2] = max(segments.shape)
    for axis, places in enumerate((columns, rows)):
        np.minimum.at(boxes[:, axis], segments.ravel(), places.ravel())
        np.maximum.at(boxes[:, axis + 2], segments.ravel(), places.ravel() + 1)
    room = np.zeros((2 * count, looks.shape[1]))
    room[:count] = looks
    return _Regions(room, np.concatenate([sizes, np.zeros(count)]), boxes)


def _histograms(segments: np.ndarray, count: int, values: np.ndarray, bins: int) -> np.ndarray:
    channels = values.shape[-1]
    flat = (segments.astype(np.int64)[..., None] * channels + np.arange(channels)) * bins + values
    return np.bincount(flat.ravel(), minlength=count * channels * bins).reshape(count, channels * bins).astype(float)


def _slopes(pixels: np.ndarray) -> np.ndarray:
    """Return how steep each channel is in each direction, in bins: `(H, W, 3 * directions)`."""
    from scipy.ndimage import gaussian_filter1d

    smooth = pixels.astype(np.float32)
    down, right = (gaussian_filter1d(gaussian_filter1d(smooth, 1.0, axis=axis, order=1), 1.0, axis=1 - axis) for axis in (0, 1))
    angles = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    steep = np.maximum(right[..., None] * np.cos(angles) + down[..., None] * np.sin(angles), 0).reshape(*pixels.shape[:2], -1)
    most = np.maximum(steep.max((0, 1)), 1e-6)
    return np.minimum(steep * (_SLOPES / most), _SLOPES - 1).astype(np.int64)


def _neighbors(segments: np.ndarray, count: int) -> list[set[int]]:
    pairs = [
        np.stack([one.ravel(), other.ravel()], 1)
        for one, other in ((segments[1:], segments[:-1]), (segments[:, 1:], segments[:, :-1]))
    ]
    both = np.concatenate(pairs)
    found: list[set[int]] = [set() for _ in range(count)]
    for one, other in np.unique(both[both[:, 0] != both[:, 1]], axis=0).tolist():
        found[one].add(other)
        found[other].add(one)
    return found
