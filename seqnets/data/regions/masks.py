"""Masks of things: polygons and run lengths, as COCO stores them, and their pixels."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqnets.errors import UserError

_FINE = 5  # COCO rounds corners to fifths of a pixel


class Polygons(NamedTuple):
    """The outline of a thing: x and y of the corners of each of its parts, in pixels, `(corners, 2)`."""

    parts: tuple[np.ndarray, ...]


class RunLengths(NamedTuple):
    """Lengths of runs of 0 and 1, column after column; the first is of 0.

    Attributes:
        lengths: int64, whose sum is H W.
        size: (H, W).
    """

    lengths: np.ndarray
    size: tuple[int, int]


Mask = np.ndarray | Polygons | RunLengths


def mask_from_json(value: Any) -> Polygons | RunLengths:
    """Return the mask in COCO's `segmentation`: a list of polygons, or run lengths, plain or as a text.

    Raises:
        UserError: it is neither.

    Example:
        >>> mask_from_json({"counts": "021", "size": [1, 3]}).lengths.tolist()
        [0, 2, 1]
        >>> len(mask_from_json([[0, 0, 4, 0, 4, 3]]).parts)
        1
    """
    if isinstance(value, list) and value and all(isinstance(part, list) and len(part) % 2 == 0 for part in value):
        return Polygons(tuple(np.asarray(part, np.float64).reshape(-1, 2) for part in value))
    if isinstance(value, dict) and {"counts", "size"} <= value.keys():
        counts, size = value["counts"], tuple(map(int, value["size"]))
        lengths = np.asarray(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)
        if len(size) == 2 and (lengths >= 0).all() and lengths.sum() == size[0] * size[1]:
            return RunLengths(lengths, size)
    raise UserError(f"a mask must be a list of polygons, or run lengths that fill its size, not {str(value)[:60]}")


def mask_pixels(mask: Mask, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels of a mask, as pycocotools rounds them.

    Args:
        mask: the mask.
        size: (H, W) of the picture.

    Returns:
        bool `(H, W)`.

    Raises:
        UserError: the mask has another size.

    Example:
        >>> mask_pixels(Polygons((np.array([[1.0, 0], [3, 0], [3, 2], [1, 2]]),)), (3, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    if isinstance(mask, Polygons):
        return np.any([_inside(part, size) for part in mask.parts], axis=0)
    own = mask.size if isinstance(mask, RunLengths) else mask.shape
    if tuple(own) != tuple(size):
        raise UserError(f"a mask has {' x '.join(map(str, own))} pixels, but its picture {size[0]} x {size[1]}; leave it out")
    if isinstance(mask, np.ndarray):
        return mask.astype(bool)
    values = np.arange(len(mask.lengths)) % 2 == 1
    return np.repeat(values, mask.lengths).reshape(size[::-1]).T


def mask_to_json(pixels: np.ndarray) -> dict[str, Any]:
    """Return a mask in COCO's form of run lengths, as a text.

    Example:
        >>> mask_to_json(np.array([[False, True], [False, True]]))
        {'size': [2, 2], 'counts': '22'}
    """
    flat = np.concatenate([[False], pixels.T.ravel(), [False]]).astype(np.int8)
    turns = np.flatnonzero(np.diff(flat))
    ends = [*turns.tolist(), *([pixels.size] if pixels.size not in turns else [])]
    return {"size": list(pixels.shape), "counts": _packed(np.diff([0, *ends]).tolist())}


def _packed(numbers: Sequence[int]) -> str:
    """Do the inverse of `_unpacked`."""
    text = []
    for place, number in enumerate(numbers):
        value = number - (numbers[place - 2] if place > 2 else 0)
        more = True
        while more:
            code, value = value & 31, value >> 5
            more = value != (-1 if code & 16 else 0)
            text.append(chr(48 + (code | 32 * more)))
    return "".join(text)


def _unpacked(text: str) -> list[int]:
    """Numbers of 5 bits a character, the lowest first; from the fourth on, differences from the second before."""
    numbers: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        value -= (1 << shift) if code & 16 else 0
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
        value = shift = 0
    return numbers


def _inside(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    fine = np.floor(corners * _FINE + 0.5).astype(np.int64)
    x, y = _outline(fine)
    # where the outline enters another column of pixels, the columns below change sides
    turns = np.flatnonzero(np.diff(x))
    column = np.where(x[turns + 1] < x[turns], (x[turns + 1] + 0.5) / _FINE - 0.5, (x[turns + 1] - 0.5) / _FINE - 0.5)
    row = np.ceil(np.clip((np.minimum(y[turns], y[turns + 1]) + 0.5) / _FINE - 0.5, 0, height)).astype(np.int64)
    used = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    changes = np.bincount(column[used].astype(np.int64) * height + row[used], minlength=height * width + 1)
    return (np.cumsum(changes)[: height * width] % 2 == 1).reshape(width, height).T


def _outline(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parts = [_line(one, other) for one, other in zip(corners, np.roll(corners, -1, 0))]
    x, y = (np.concatenate([part[axis] for part in parts]) for axis in (0, 1))
    return x, y


def _line(start: Sequence[int], end: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    (xs, ys), (xe, ye) = start, end
    wide, tall = abs(xe - xs), abs(ye - ys)
    flipped = xs > xe if wide >= tall else ys > ye
    if flipped:
        xs, ys, xe, ye = xe, ye, xs, ys
    steps = np.arange(max(wide, tall) + 1)
    steps = steps[::-1] if flipped else steps
    if wide >= tall:
        slope = (ye - ys) / wide if wide else 0.0
        return steps + xs, np.trunc(ys + slope * steps + 0.5).astype(np.int64)
    slope = (xe - xs) / tall
    return np.trunc(xs + slope * steps + 0.5).astype(np.int64), steps + ys
