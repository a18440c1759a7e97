"""Drawn figures with 14 joints: what a pose is learned from where no pictures are given."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

JOINTS = (
    *("right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle"),
    *("right wrist", "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist", "neck", "head top"),
)
LIMBS = ((0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (12, 13))
"""Pairs of joints: lower and upper legs, arms, and the head."""

SIDE, _FINE = 64, 4
_LINES = (*LIMBS[:-1], (2, 3), (8, 9), (2, 8), (3, 9))


class Figure(NamedTuple):
    """A picture, uint8 `(64, 64, 3)`, and x and y of its joints in pixels, `(14, 2)`."""

    image: np.ndarray
    joints: np.ndarray


def draw_figure(index: int, seed: int = 0) -> Figure:
    """Draw a person of lines, seen from the front; the same numbers give the same picture.

    Example:
        >>> image, joints = draw_figure(0)
        >>> image.shape, joints.shape, bool((joints > 0).all() and (joints < 64).all())
        ((64, 64, 3), (14, 2), True)
    """
    rng = np.random.default_rng([seed, 14, index])
    joints = _pose(rng)
    while not ((joints > 1).all() and (joints < SIDE - 1).all()):
        joints = _pose(rng)
    ground, paint = rng.integers(20, 90, 3), rng.integers(150, 256, 3)
    large = Image.new("RGB", (SIDE * _FINE, SIDE * _FINE), tuple(ground.tolist()))
    pen, points = ImageDraw.Draw(large), joints * _FINE
    for one, other in _LINES:
        pen.line([tuple(points[one]), tuple(points[other])], fill=tuple(paint.tolist()), width=2 * _FINE)
    center, radius = points[12:].mean(0), float(np.linalg.norm(points[12] - points[13])) / 2
    pen.ellipse([*(center - radius), *(center + radius)], fill=tuple(paint.tolist()))
    pixels = np.asarray(large.reduce(_FINE), np.float32) + rng.normal(0, 5, (SIDE, SIDE, 1))
    return Figure(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), joints.astype(np.float32))


def _pose(rng: np.random.Generator) -> np.ndarray:
    scale, lean = rng.uniform(0.75, 1.15), math.radians(rng.uniform(-20, 20))
    joints = np.zeros((14, 2))
    joints[12], joints[13] = (0, -16), (0, -24)
    for side, (ankle, knee, hip, wrist, elbow, shoulder) in ((-1, (0, 1, 2, 6, 7, 8)), (1, (5, 4, 3, 11, 10, 9))):
        joints[hip], joints[shoulder] = (3 * side, 0), (5 * side, -14)
        _limb(joints, (hip, knee, ankle), 10, side, rng.uniform(-5, 45), rng.uniform(-30, 15))
        _limb(joints, (shoulder, elbow, wrist), 8, side, rng.uniform(0, 150), rng.uniform(-60, 60))
    turn = np.array([[math.cos(lean), math.sin(lean)], [-math.sin(lean), math.cos(lean)]])
    return scale * joints @ turn + rng.uniform(20, 44, 2)


def _limb(joints: np.ndarray, chain: tuple[int, int, int], length: float, side: int, first: float, bend: float) -> None:
    start, middle, end = chain
    for one, other, angle in ((start, middle, first), (middle, end, first + bend)):
        radians = math.radians(angle)  # from straight down to the outside
        joints[other] = joints[one] + length * np.array([side * math.sin(radians), math.cos(radians)])
