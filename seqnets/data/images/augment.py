"""Augmentation of training images: a pure function of (seed, epoch, index), on uint8.

References:
    He et al., "Deep residual learning for image recognition", 2016 (pad, crop, flip).
    Szegedy et al., "Going deeper with convolutions", 2015 (resized crops).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seqnets.data.images.config import AugmentName
from seqnets.errors import UserError

_TRIES = 10
_ASPECTS = (math.log(3 / 4), math.log(4 / 3))


@dataclass(frozen=True)
class Augmentation:
    """How training images vary.

    Args:
        kind: see `ImageConfig.augment`.
        size: (height, width) of the result; resized crops get this size, the other images have it already.
        padding: the largest shift in pixels; black fills the gap.
        least_area: the smallest share of the image that a resized crop takes.

    Example:
        >>> image = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
        >>> Augmentation("pad-crop", (4, 4), padding=1)(image, seed=0, epoch=0, index=3)[..., 0]
        array([[ 0,  4,  5,  6],
               [ 0,  8,  9, 10],
               [ 0, 12, 13, 14],
               [ 0,  0,  0,  0]], dtype=uint8)
    """

    kind: AugmentName = "none"
    size: tuple[int, int] = (32, 32)
    padding: int = 4
    least_area: float = 0.25

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise UserError(f"augment must be one of {', '.join(_KINDS)}, not {self.kind!r}")

    @property
    def crops(self) -> bool:
        """Whether it crops images of any size."""
        return self.kind == "resized-crop-flip"

    def __call__(self, image: np.ndarray, *, seed: int, epoch: int, index: int) -> np.ndarray:
        """Return a variation of an image.

        Args:
            image: [H, W, C] of uint8.
            seed: seed of the run.
            epoch: number of the pass over the images.
            index: index of the image.

        Returns:
            [H, W, C] of `size`, uint8.
        """
        # counter-based: a separate stream for every image and epoch, without any state
        rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, epoch, index]))
        for part in _KINDS[self.kind]:
            image = part(self, image, rng)
        return np.ascontiguousarray(image)


def _flipped(rule: Augmentation, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image[:, ::-1] if rng.random() < 0.5 else image


def _shifted(rule: Augmentation, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width, _ = image.shape
    pad = rule.padding
    down, right = rng.integers(0, 2 * pad + 1, 2) - pad
    shifted = np.zeros_like(image)
    rows, columns = slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right))
    shifted[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)] = image[rows, columns]
    return shifted


def _cut_out(rule: Augmentation, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    top, left, height, width = random_window((image.shape[0], image.shape[1]), rule.least_area, rng)
    part = image[top : top + height, left : left + width]
    flat = Image.fromarray(np.ascontiguousarray(part[:, :, 0] if part.shape[2] == 1 else part))
    return np.asarray(flat.resize((rule.size[1], rule.size[0]), Image.Resampling.BILINEAR)).reshape(*rule.size, image.shape[2])


def random_window(size: tuple[int, int], least_area: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw a part of a picture of (H, W) pixels, of at least a share of its area: its top, left, height and width."""
    for _ in range(_TRIES):
        area, aspect = rng.uniform(least_area, 1) * size[0] * size[1], math.exp(rng.uniform(*_ASPECTS))
        height, width = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < height <= size[0] and 0 < width <= size[1]:
            top, left = rng.integers(0, [size[0] - height + 1, size[1] - width + 1])
            return int(top), int(left), height, width
    return 0, 0, *size  # a very flat image is taken whole


_Part = Callable[[Augmentation, np.ndarray, np.random.Generator], np.ndarray]
_KINDS: dict[str, tuple[_Part, ...]] = {
    "none": (),
    "flip": (_flipped,),
    "pad-crop": (_shifted,),
    "pad-crop-flip": (_shifted, _flipped),
    "resized-crop-flip": (_cut_out, _flipped),
}
