"""Drawn scenes: two things on a background, sentences that describe them, and their boxes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from seqnets import settings
from seqnets.data.demo.scene_drawing import draw
from seqnets.data.demo.scene_words import COLORS, RELATIONS, SHAPES, SIZES, Claim, Thing, sentences
from seqnets.errors import UserError

SIDE = 64  # pixels
_RADII = {"small": (7.5, 8.5), "large": (12.0, 13.5)}
_SPLITS = {"train": 8, "validation": 1, "test": 1}  # in tenths of all combinations


class Box(NamedTuple):
    """The position of a thing, in pixels: the columns left <= x < right and the rows top <= y < bottom."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Return whether a point is in the box, or within a margin around it.

        Example:
            >>> Box(2, 2, 6, 6).holds(7, 3), Box(2, 2, 6, 6).holds(7, 3, margin=2)
            (False, True)
        """
        return self.left - margin <= x < self.right + margin and self.top - margin <= y < self.bottom + margin


@dataclass(frozen=True)
class Scene:
    """One picture and what is true of it.

    Args:
        claim: two things and the position of the first relative to the second.
        boxes: the positions of the two things.
        noise: seeds the background and its grain.

    Example:
        >>> scene = Scenes("test", count=2, seed=0)[1]
        >>> scene.image.shape, scene.image.dtype, len(scene.captions)
        ((64, 64, 3), dtype('uint8'), 4)
    """

    claim: Claim
    boxes: tuple[Box, Box]
    noise: int

    @cached_property
    def image(self) -> np.ndarray:
        """The picture, uint8 `(64, 64, 3)`."""
        kinds = [(thing.shape, thing.color) for thing in self.claim.things]
        return draw(kinds, self.boxes, side=SIDE, noise=self.noise)

    @property
    def captions(self) -> list[str]:
        """Every sentence that states the whole claim."""
        return sentences(self.claim)


@dataclass(frozen=True)
class Scenes:
    """Scenes by number; the same numbers and seed give the same scenes.

    The two things and their relation decide the split of a scene: a combination that is tested
    never occurs in training; only its parts do.

    Args:
        split: train, validation or test.
        count: how many.
        seed: seed of all random choices.

    Raises:
        UserError: the split is unknown, or `count` is below 1.

    Example:
        >>> scenes = Scenes("train", count=100, seed=0)
        >>> scenes[3].captions == Scenes("train", count=5, seed=0)[3].captions
        True
        >>> scenes[3].claim.combination in {scene.claim.combination for scene in Scenes("test", count=100, seed=0)}
        False
    """

    split: str
    count: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split not in _SPLITS:
            raise UserError(f"scenes have the splits {', '.join(_SPLITS)}, not {self.split!r}")
        settings.POSITIVE.check("the number of scenes", self.count)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Scene:
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, list(_SPLITS).index(self.split), index])
        claim = self._combinations[rng.integers(len(self._combinations))]
        if rng.integers(2):
            claim = claim.reversed
        boxes = _place(claim, rng)
        return Scene(claim, boxes, int(rng.integers(2**31)))

    def __iter__(self) -> Iterator[Scene]:
        return (self[index] for index in range(self.count))

    @cached_property
    def _combinations(self) -> list[Claim]:
        return combinations(self.split, self.seed)

    def images(self) -> np.ndarray:
        """Draw all scenes: uint8 `(N, 64, 64, 3)`."""
        return np.stack([scene.image for scene in self])


def combinations(split: str, seed: int = 0) -> list[Claim]:
    """Return the claims of a split: pairs of things that differ in shape or color, and their relation.

    Example:
        >>> len(combinations("train")), len(combinations("test"))
        (3532, 442)
    """
    things = [Thing(size, color, shape) for size in SIZES for color in COLORS for shape in SHAPES]
    claims = [
        Claim(one, relation, other)
        for one in things
        for other in things
        for relation in RELATIONS[::2]  # the other half state the same facts from the other thing
        if (one.color, one.shape) != (other.color, other.shape)
    ]
    order = np.random.default_rng([seed, len(claims)]).permutation(len(claims))
    ends = np.cumsum([0, *_SPLITS.values()]) * len(claims) // 10
    which = list(_SPLITS).index(split)
    return [claims[place] for place in order[ends[which] : ends[which + 1]]]


def _place(claim: Claim, rng: np.random.Generator) -> tuple[Box, Box]:
    along = 0 if claim.relation in ("left of", "right of") else 1
    radii = [rng.uniform(*_RADII[thing.size]) for thing in claim.things]
    gap, span = 2.0, SIDE - 2.0 * sum(radii)
    before = rng.uniform(1, span - gap - 1)
    between = rng.uniform(gap, span - before - 1)
    order = (0, 1) if claim.relation in ("left of", "above") else (1, 0)
    centers = np.zeros((2, 2))
    centers[order[0], along] = before + radii[order[0]]
    centers[order[1], along] = before + 2 * radii[order[0]] + between + radii[order[1]]
    _place_across(centers, radii, 1 - along, rng)
    boxes = [Box(x - radius, y - radius, x + radius, y + radius) for (x, y), radius in zip(centers, radii)]
    return boxes[0], boxes[1]


def _place_across(centers: np.ndarray, radii: list[float], axis: int, rng: np.random.Generator) -> None:
    # much closer in the other direction, so that "left of" never looks like "above"
    apart = 0.5 * abs(centers[0, 1 - axis] - centers[1, 1 - axis])
    low, high = [radius + 1 for radius in radii], [SIDE - radius - 1 for radius in radii]
    centers[0, axis] = rng.uniform(low[0], high[0])
    centers[1, axis] = rng.uniform(max(low[1], centers[0, axis] - apart), min(high[1], centers[0, axis] + apart))
