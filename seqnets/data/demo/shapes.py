"""Small drawn shapes: what a classifier learns from where no images are given."""

import math

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("circle", "cross", "ring", "square", "star", "triangle")
_SIZE, _PLAIN, _FINE = 32, 28, 4  # drawn large and shrunk, so that edges are smooth


def draw_shapes(count: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw bright shapes of any color, size, rotation and place on a dark, noisy background.

    Args:
        count: how many images, N.
        seed: seed of all random choices.

    Returns:
        Images [N, 32, 32, 3] of uint8, and labels [N]: indices into `SHAPES`.

    Example:
        >>> images, labels = draw_shapes(7)
        >>> images.shape, labels.tolist()
        ((7, 32, 32, 3), [0, 1, 2, 3, 4, 5, 0])
    """
    images, labels, _ = boxed_shapes(count, seed)
    return images, labels


def boxed_shapes(count: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the same shapes and also return where each is.

    Args:
        count: how many images, N.
        seed: seed of all random choices.

    Returns:
        Images, labels, and boxes [N, 4]: the first row and column of the shape, and those after its last.

    Example:
        >>> images, _, boxes = boxed_shapes(1)
        >>> top, left, bottom, right = boxes[0]
        >>> np.round(images[0].mean()), np.round(images[0, top:bottom, left:right].mean())
        (np.float64(81.0), np.float64(136.0))
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(SHAPES)
    images, boxes = zip(*[_draw(SHAPES[label], rng) for label in labels])
    return np.stack(images), labels, np.stack(boxes)


def plain_shapes(count: int = 6000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw white shapes of any size, rotation and place on black.

    Args:
        count: how many images, N.
        seed: seed of all random choices.

    Returns:
        Images [N, 28, 28, 1] of uint8, and labels [N]: indices into `SHAPES`.

    Example:
        >>> images, labels = plain_shapes(7)
        >>> images.shape, labels.tolist(), images[0].max()
        ((7, 28, 28, 1), [0, 1, 2, 3, 4, 5, 0], np.uint8(255))
    """
    rng, side = np.random.default_rng([seed, 28]), _PLAIN * _FINE
    labels = np.arange(count) % len(SHAPES)
    images = np.zeros((count, _PLAIN, _PLAIN, 1), np.uint8)
    for image, label in zip(images, labels):
        large, radius = Image.new("L", (side, side), 0), rng.uniform(0.3, 0.48) * side
        center = rng.uniform(radius, side - radius, 2)
        _paint(ImageDraw.Draw(large), SHAPES[label], center, radius, rng.uniform(0, 2 * math.pi), 255, 0)
        image[..., 0] = np.asarray(large.reduce(_FINE))
    return images, labels


def _draw(shape: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    ground, color = rng.integers(0, 100, 3), rng.integers(140, 256, 3)
    side = _SIZE * _FINE
    colors = tuple(color.tolist()), tuple(ground.tolist())
    image = Image.new("RGB", (side, side), colors[1])
    radius = rng.uniform(0.22, 0.42) * side
    center = rng.uniform(radius, side - radius, 2)
    _paint(ImageDraw.Draw(image), shape, center, radius, rng.uniform(0, 2 * math.pi), *colors)
    small = np.asarray(image.resize((_SIZE, _SIZE), Image.Resampling.BOX), np.float64)
    return np.clip(small + rng.normal(0, 12, small.shape), 0, 255).astype(np.uint8), _box(small != ground)


def _box(drawn: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(drawn.any((1, 2))), np.flatnonzero(drawn.any((0, 2)))
    return np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])


def _paint(draw: ImageDraw.ImageDraw, shape: str, center: np.ndarray, radius: float, turn: float, color, ground) -> None:
    if shape in ("circle", "ring"):
        draw.circle(center.tolist(), radius, fill=color)
        if shape == "ring":
            draw.circle(center.tolist(), 0.6 * radius, fill=ground)
        return
    for corners in _OUTLINES[shape]:
        angles, reach = np.array(corners).T
        points = center + radius * reach[:, None] * np.stack([np.cos(angles + turn), np.sin(angles + turn)], axis=1)
        draw.polygon([tuple(point) for point in points.tolist()], fill=color)


def _regular(corners: int, inner: float = 1.0) -> list[tuple[float, float]]:
    return [(2 * math.pi * i / corners, 1.0 if i % 2 == 0 else inner) for i in range(corners)]


def _bar(turn: float) -> list[tuple[float, float]]:
    return [(turn + end + side, 1.0) for end in (0, math.pi) for side in (-0.3, 0.3)]


# each corner as angle and distance from the center
_OUTLINES = {
    "cross": [_bar(0), _bar(math.pi / 2)],
    "square": [_regular(4)],
    "star": [_regular(10, inner=0.4)],
    "triangle": [_regular(3)],
}
