"""Small gray pictures of classes, all in memory: what glancers and drawers learn from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from seqnets.data.demo.shapes import plain_shapes
from seqnets.data.images.config import GrayConfig
from seqnets.data.images.files import ImageError
from seqnets.data.images.loader import Tell, tell_unreadable
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.sets import LabeledImages, read_images
from seqnets.data.read_ahead import read_ahead
from seqnets.errors import UserError

MOST_BYTES = 4e9


class GrayPictures(NamedTuple):
    """Pictures of one split.

    Attributes:
        pixels: uint8 `(N, H, W, 1)`.
        labels: int32 `(N,)`.
    """

    pixels: np.ndarray
    labels: np.ndarray


class GraySet(NamedTuple):
    """Pictures by split, the names of their classes, and the rule that made them."""

    splits: Mapping[str, GrayPictures]
    classes: tuple[str, ...]
    rule: Preprocessing


def read_gray(sources: Sequence[str], config: GrayConfig, tell: Tell) -> GraySet:
    """Read pictures of classes as `read_images` does, in gray; without sources, draw white shapes.

    Raises:
        UserError: they cannot be read, or need too much memory.

    Example:
        >>> found = read_gray((), GrayConfig(), lambda sentence: None)
        >>> found.classes[:2], found.splits["train"].pixels.shape[1:]
        (('circle', 'cross'), (28, 28, 1))
    """
    images = read_images(*sources, drawn=plain_shapes).with_validation(config.validation_fraction)
    for remark in (str(images), *images.remarks):
        tell(remark)
    size = images.preprocessing(config.size, "gray").image_size or (0, 0)
    rule = gray_rule(size)
    if sum(map(len, images.splits.values())) * size[0] * size[1] > MOST_BYTES:
        raise UserError(f"the pictures of {size[0]} x {size[1]} need more than 4 GB of memory; lower --data.size")
    return GraySet({name: _decoded(split, rule, tell) for name, split in images.splits.items()}, images.classes, rule)


def gray_rule(size: tuple[int, int]) -> Preprocessing:
    """Return the rule for gray pictures of a size, from 0 for black to 1 for white.

    Example:
        >>> gray_rule((4, 4))(np.full((4, 4), 255, np.uint8)).max()
        np.float32(1.0)
    """
    return Preprocessing(resize=min(size), crop=size, channels="gray", mean=(0.0,), std=(1.0,))


def binarized(pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Draw black and white pictures once and for all, white with the probability gray / 255.

    Args:
        pixels: uint8, of any shape.
        seed: of the draw.

    Returns:
        uint8 of the same shape: 0 or 255.

    Example:
        >>> binarized(np.array([0, 255, 128, 128, 128, 128], np.uint8)).tolist()
        [0, 255, 0, 255, 255, 255]
    """
    draw = np.random.default_rng(seed).random(pixels.shape, np.float32)
    return np.where(draw * 255 < pixels, np.uint8(255), np.uint8(0))


def _decoded(images: LabeledImages, rule: Preprocessing, tell: Tell) -> GrayPictures:
    def pixels(image: np.ndarray) -> np.ndarray | ImageError:
        try:
            return rule.pixels(image)
        except ImageError as error:
            return error

    found = dict(enumerate(read_ahead(pixels, images.images)))
    readable = {row: image for row, image in found.items() if not isinstance(image, ImageError)}
    errors = {row: str(image) for row, image in found.items() if isinstance(image, ImageError)}
    tell_unreadable(tell, errors, len(found))
    if not readable:
        raise UserError(f"none of the {len(found):,} images can be read: {errors[0]}")
    return GrayPictures(np.stack(list(readable.values())), images.labels[list(readable)])
