"""A part of a picture, resized and perhaps mirrored, and all of its regions along with it."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from seqnets.data.images.augment import random_window
from seqnets.data.images.config import AugmentName
from seqnets.data.regions.examples import IGNORED
from seqnets.errors import UserError

LEAST_VISIBLE = 0.25  # things of which less remains in the picture are left out


@dataclass(frozen=True)
class Move:
    """From the pixels of a picture to those of another one.

    Args:
        window: left, top, right, bottom of the part that is shown, in pixels; what lies outside of the picture is black.
        size: (H, W) of the result.
        mirrored: whether left and right change places.

    Example:
        >>> move = Move((0, 0, 4, 4), (8, 8), mirrored=True)
        >>> move.points(np.array([[1.0, 1.0]])).tolist(), move.boxes(np.array([[0.0, 0.0, 1.0, 4.0]])).tolist()
        ([[6.0, 2.0]], [[6.0, 0.0, 8.0, 8.0]])
    """

    window: tuple[int, int, int, int]
    size: tuple[int, int]
    mirrored: bool = False

    def image(self, pixels: np.ndarray) -> np.ndarray:
        """Return the picture `(H, W, C)` of uint8."""
        flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
        return self._shown(flat, 0, Image.Resampling.BILINEAR).reshape(*self.size, pixels.shape[2])

    def labels(self, pixels: np.ndarray) -> np.ndarray:
        """Return the label map `(H, W)` of uint8; what was outside of the picture is 255."""
        return self._shown(pixels, IGNORED, Image.Resampling.NEAREST)

    def mask(self, pixels: np.ndarray) -> np.ndarray:
        """Return the mask `(H, W)` of bool."""
        return self._shown(pixels.astype(np.uint8), 0, Image.Resampling.NEAREST) > 0

    def points(self, points: np.ndarray) -> np.ndarray:
        """Return points `(..., 2)` of x and y."""
        moved = (points - np.array(self.window[:2])) * self._scale
        return np.stack([self.size[1] - moved[..., 0], moved[..., 1]], -1) if self.mirrored else moved

    def origins(self, points: np.ndarray) -> np.ndarray:
        """Return the places in the picture of points `(..., 2)` of the result: the inverse of `points`."""
        points = np.stack([self.size[1] - points[..., 0], points[..., 1]], -1) if self.mirrored else points
        return points / self._scale + np.array(self.window[:2])

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Return boxes `(M, 4)`, not yet cut off at the border."""
        corners = np.stack([self.points(boxes[:, :2]), self.points(boxes[:, 2:])])
        return np.concatenate([corners.min(0), corners.max(0)], 1)

    @property
    def _scale(self) -> np.ndarray:
        left, top, right, bottom = self.window
        return np.array([self.size[1] / (right - left), self.size[0] / (bottom - top)])

    def _shown(self, pixels: np.ndarray, outside: int, filter: Image.Resampling) -> np.ndarray:
        left, top, right, bottom = self.window
        height, width = pixels.shape[:2]
        if (left, top, right, bottom) != (0, 0, width, height):
            part = np.full((bottom - top, right - left, *pixels.shape[2:]), outside, np.uint8)
            rows, columns = slice(max(top, 0), max(min(bottom, height), 0)), slice(max(left, 0), max(min(right, width), 0))
            inside = pixels[rows, columns]
            down, along = rows.start - top, columns.start - left
            part[down : down + inside.shape[0], along : along + inside.shape[1]] = inside
            pixels = part
        if pixels.shape[:2] != tuple(self.size):
            pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((self.size[1], self.size[0]), filter))
        return np.ascontiguousarray(pixels[:, ::-1] if self.mirrored else pixels)


@dataclass(frozen=True)
class Variation:
    """How training pictures vary: a pure function of (seed, epoch, index).

    Args:
        kind: see `RegionConfig.augment`.
        padding: the largest shift in pixels.
        least_area: the smallest share of the picture that a resized crop takes.

    Example:
        >>> Variation("pad-crop", padding=2)((8, 8), seed=0, epoch=0, index=1).window
        (-1, 1, 7, 9)
    """

    kind: AugmentName = "none"
    padding: int = 4
    least_area: float = 0.25

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise UserError(f"augment must be one of {', '.join(_KINDS)}, not {self.kind!r}")

    def __call__(self, size: tuple[int, int], *, seed: int, epoch: int, index: int) -> Move:
        """Return the move of a picture of (H, W) pixels."""
        rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, epoch, index]))
        (height, width), window = size, (0, 0, size[1], size[0])
        part, may_mirror = _KINDS[self.kind]
        if part == "shift":
            down, right = (int(shift) for shift in rng.integers(-self.padding, self.padding + 1, 2))
            window = (right, down, right + width, down + height)
        if part == "crop":
            top, left, rows, columns = random_window(size, self.least_area, rng)
            window = (left, top, left + columns, top + rows)
        return Move(window, size, bool(may_mirror and rng.random() < 0.5))


_KINDS = {
    "none": ("", False),
    "flip": ("", True),
    "pad-crop": ("shift", False),
    "pad-crop-flip": ("shift", True),
    "resized-crop-flip": ("crop", True),
}


def moved(record: dict[str, np.ndarray], move: Move, swapped: np.ndarray) -> dict[str, np.ndarray]:
    """Move a picture with its label map, boxes, masks and joints.

    A thing of which less than a quarter remains is left out (its label becomes -1), and a proposal becomes one without area; a
    joint outside becomes unknown.

    Args:
        record: `images` and any of `label_maps`, `boxes` with `labels`, `proposals`, `masks` and `joints` `(M, K, 3)`.
        move: the move.
        swapped: for each joint, the one that it becomes in a mirror.

    Example:
        >>> record = {"images": np.zeros((4, 4, 3), np.uint8), "joints": np.array([[[1.0, 1.0, 1.0], [3.0, 1.0, 1.0]]])}
        >>> moved(record, Move((0, 0, 4, 4), (4, 4), mirrored=True), np.array([1, 0]))["joints"][0, :, 0].tolist()
        [1.0, 3.0]
    """
    found = {**record, "images": move.image(record["images"])}
    if "label_maps" in record:
        found["label_maps"] = move.labels(record["label_maps"])
    if "masks" in record:
        found["masks"] = np.stack([move.mask(mask) for mask in record["masks"]]) if len(record["masks"]) else record["masks"]
    if "boxes" in record:
        found["boxes"], found["labels"] = _moved_boxes(record["boxes"], record["labels"], move)
    if "proposals" in record:
        found["proposals"], _ = _moved_boxes(record["proposals"], np.zeros(len(record["proposals"]), np.int32), move)
    if "joints" in record:
        found["joints"] = _moved_joints(record["joints"], move, swapped)
    return found


def _moved_boxes(boxes: np.ndarray, labels: np.ndarray, move: Move) -> tuple[np.ndarray, np.ndarray]:
    whole, (height, width) = move.boxes(boxes), move.size
    cut = np.clip(whole, 0, np.array([width, height, width, height]))
    areas = [np.prod(np.maximum(array[:, 2:] - array[:, :2], 0), axis=1) for array in (cut, whole)]
    visible = areas[0] > LEAST_VISIBLE * areas[1]
    return np.where(visible[:, None], cut, 0).astype(np.float32), np.where(visible, labels, -1).astype(np.int32)


def _moved_joints(joints: np.ndarray, move: Move, swapped: np.ndarray) -> np.ndarray:
    at, known = move.points(joints[..., :2]), joints[..., 2] > 0
    known &= ((at >= 0) & (at <= np.array(move.size[::-1]))).all(-1)
    found = np.where(known[..., None], np.concatenate([at, np.ones_like(at[..., :1])], -1), 0).astype(np.float32)
    return found[:, swapped] if move.mirrored else found
