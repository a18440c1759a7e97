"""Textures by formula: what a style is learned from where no painting is given."""

from collections.abc import Callable

import numpy as np

from seqnets.errors import UserError


def draw_texture(name: str, size: int = 128, seed: int = 0) -> np.ndarray:
    """Draw a texture.

    Args:
        name: waves, bricks or dots.
        size: height and width in pixels.
        seed: seed of all random choices.

    Returns:
        [size, size, 3] of uint8.

    Raises:
        UserError: there is no such texture.

    Example:
        >>> draw_texture("bricks", 32).shape
        (32, 32, 3)
    """
    if name not in TEXTURES:
        raise UserError(f"there is no texture {name!r}; there are {', '.join(TEXTURES)}")
    rows, columns = np.mgrid[:size, :size].astype(np.float64)
    drawn = TEXTURES[name](rows, columns, np.random.default_rng(seed))
    return np.clip(drawn, 0, 255).astype(np.uint8)


def _waves(rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three bands of waves in similar directions, each with colors of its own."""
    drawn = np.full((*rows.shape, 3), 128.0)
    for color in ((70, 10, -60), (-30, 40, 60), (40, -50, 20)):
        for _ in range(4):
            turn, period = rng.normal(0.6, 0.35), rng.uniform(7, 18)
            phase = 2 * np.pi * ((np.cos(turn) * columns + np.sin(turn) * rows) / period + rng.random())
            drawn += 0.5 * np.sin(phase)[..., None] * np.array(color)
    return drawn


def _bricks(rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width, gap = 8, 18, 1.5
    row = (rows // height).astype(int)
    along = columns + (row % 2) * width / 2
    shade = rng.normal(0, 22, (row.max() + 1, int(along.max() // width) + 1))[row, (along // width).astype(int)]
    mortar = (rows % height < gap) | (along % width < gap)
    brick = np.array([165, 75, 55]) + shade[..., None] * np.array([1, 0.7, 0.6])
    return np.where(mortar[..., None], 205.0, brick) + rng.normal(0, 6, (*rows.shape, 1))


def _dots(rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    colors = np.array([[225, 60, 50], [245, 190, 50], [40, 90, 160], [250, 240, 225]], np.float64)
    drawn = np.full((*rows.shape, 3), (235.0, 225.0, 200.0))
    for _ in range(rows.size // 40):
        y, x, radius = rng.uniform(0, len(rows), 2).tolist() + [rng.uniform(2, 5)]
        drawn[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = colors[rng.integers(len(colors))] + rng.normal(0, 12, 3)
    return drawn


TEXTURES: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]] = {
    "waves": _waves,
    "bricks": _bricks,
    "dots": _dots,
}
"""The textures, by name."""
