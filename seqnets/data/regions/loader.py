"""Batches of pictures with regions, of fixed shapes: a pure function of the step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from seqnets.data.examples.examples import drawn_rows
from seqnets.data.images.files import ImageError, as_mode, open_image
from seqnets.data.read_ahead import read_ahead
from seqnets.data.regions.examples import IGNORED, RegionExample
from seqnets.data.regions.masks import mask_pixels
from seqnets.data.regions.moves import Move, Variation, moved
from seqnets.data.words.vocabulary import TokenVocabulary
from seqnets.errors import UserError

Batch = dict[str, np.ndarray]
Part = Literal["label_maps", "boxes", "masks", "joints", "proposals", "phrases"]


class Loaded(NamedTuple):
    """A batch, and the errors of its unreadable pictures, by index."""

    batch: Batch
    unreadable: dict[int, str]


@dataclass(frozen=True)
class RegionPictures:
    """Pictures of one split at one size, with the wanted parts of their regions; picklable.

    Args:
        examples: the pictures.
        size: (H, W) that all get.
        channels: "rgb", "bgr" or "gray".
        parts: what is wanted besides the pictures.
        most: M, things that a picture has room for; the largest stay.
        proposed: R, proposals that it has room for; the likeliest stay.
        variation: how they vary in training.
        swapped: for each joint, the one that it becomes in a mirror.
        context: a square this many times as large as the first thing's box is cut out; 0 for the whole picture.
        memory: caches decoded pictures; None caches nothing.
        vocabulary: the tokens of phrases.
        longest: T, tokens that a phrase has room for, its end included.
    """

    examples: Sequence[RegionExample]
    size: tuple[int, int]
    channels: str = "rgb"
    parts: tuple[Part, ...] = ()
    most: int = 1
    proposed: int = 0
    variation: Variation = field(default_factory=Variation)
    swapped: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    context: float = 0.0
    memory: dict[int, Batch | str] | None = None
    vocabulary: TokenVocabulary | None = None
    longest: int = 1

    def __len__(self) -> int:
        return len(self.examples)

    def record(self, index: int) -> Batch:
        """Return a picture and its regions, resized and padded to M things.

        Raises:
            ImageError: it cannot be read.
        """
        self.decode([index])
        found = self._decoded(index) if self.memory is None else self.memory[index]
        if isinstance(found, str):
            raise ImageError(found)
        return found

    def varied(self, index: int, seed: int, epoch: int) -> tuple[Batch, dict[int, str]]:
        """Return a variation of a picture, or of the next readable one, and the failures."""
        failed: dict[int, str] = {}
        for offset in range(len(self)):
            chosen = (index + offset) % len(self)
            try:
                record = self.record(chosen)
            except ImageError as error:
                failed[chosen] = str(error)
                continue
            move = self.variation(self.size, seed=seed, epoch=epoch, index=chosen)
            return moved(record, move, self.swapped), failed
        raise UserError(f"none of the {len(self):,} pictures can be read: {failed[index]}")

    def decode(self, indices: Sequence[int]) -> None:
        """Decode some pictures in advance, if decoded ones are cached."""
        if self.memory is not None:
            missing = [index for index in dict.fromkeys(indices) if index not in self.memory]
            self.memory.update(zip(missing, read_ahead(self._decoded, missing)))

    def move(self, index: int) -> Move:
        """Return the move from the pixels of an example to those of its record."""
        example = self.examples[index]
        height, width = example.size
        if not self.context or not len(example.boxes):
            return Move((0, 0, width, height), self.size)
        left, top, right, bottom = example.boxes[0].tolist()
        half = max(right - left, bottom - top, 2.0) * self.context / 2
        x, y = (left + right) / 2, (top + bottom) / 2
        return Move(
            (round(x - half), round(y - half), round(x - half) + round(2 * half), round(y - half) + round(2 * half)), self.size
        )

    def empty(self) -> Batch:
        """Return a record of zeros, in which nothing counts."""
        height, width = self.size
        joints = len(self.swapped)
        shapes: dict[str, Any] = {
            "label_maps": np.full((height, width), IGNORED, np.uint8),
            "boxes": np.zeros((self.most, 4), np.float32),
            "masks": np.zeros((self.most, height, width), bool),
            "joints": np.zeros((self.most, joints, 3), np.float32),
            "proposals": np.zeros((self.proposed, 4), np.float32),
            "phrases": np.full((self.most, self.longest), TokenVocabulary.pad, np.int32),
        }
        found = {"images": np.zeros((height, width, 1 if self.channels == "gray" else 3), np.uint8)}
        found |= {part: shapes[part] for part in self.parts}
        return found | {"labels": np.full(self.most, -1, np.int32), "weights": np.zeros((), np.float32)}

    def _decoded(self, index: int) -> Batch | str:
        try:
            return self._record(index)
        except (ImageError, UserError) as error:
            return str(error)

    def _record(self, index: int) -> Batch:
        example, move, found = self.examples[index], self.move(index), self.empty()
        pixels = pixels_of(example, self.channels)
        if pixels.shape[:2] != tuple(example.size):
            stated = f"{example.size[0]} x {example.size[1]}"
            raise ImageError(f"'{example.name}' has {pixels.shape[0]} x {pixels.shape[1]} pixels, not the {stated} stated for it")
        found["images"], found["weights"] = move.image(pixels), np.ones((), np.float32)
        rows = np.argsort(-example.areas * ~example.is_crowd, kind="stable")[: self.most]
        rows = np.sort(rows[~example.is_crowd[rows]])
        found["labels"][: len(rows)] = example.labels[rows]
        if "label_maps" in self.parts and (labels := example.pixel_labels()) is not None:
            found["label_maps"] = move.labels(labels)
        if "boxes" in self.parts:
            found["boxes"][: len(rows)] = move.boxes(example.boxes[rows])
        if "proposals" in self.parts and example.proposals is not None:
            some = move.boxes(example.proposals[: self.proposed])
            found["proposals"][: len(some)] = some
        if "phrases" in self.parts and self.vocabulary is not None:
            for place, row in enumerate(rows):
                tokens = [*self.vocabulary.encode(example.phrases[row][0])[: self.longest - 1], self.vocabulary.end]
                found["phrases"][place, : len(tokens)] = tokens
        if "masks" in self.parts and example.masks:
            for place, row in enumerate(rows):
                found["masks"][place] = move.mask(mask_pixels(example.masks[row], example.size))
        if "joints" in self.parts and example.joints is not None:
            joints = example.joints[rows]
            found["joints"][: len(rows)] = joints
            found["joints"][: len(rows), :, :2] = np.where(joints[..., 2:] > 0, move.points(joints[..., :2]), 0)
        return found


@dataclass(frozen=True)
class RegionPlan:
    """The batch of every step: each epoch takes every picture once, in its own order; picklable.

    Args:
        pictures: the pictures.
        batch_size: B.
        seed: seed of the orders and variations.
        rows: index of the rows of the batch that are made.
    """

    pictures: RegionPictures
    batch_size: int
    seed: int
    rows: slice | np.ndarray = field(default_factory=lambda: slice(None))

    def __call__(self, step: int) -> Loaded:
        """Return the batch of a step, counted from 0."""
        drawn = drawn_rows(len(self.pictures), self.seed, step, self.batch_size, self.rows)
        wanted, epochs = (array.tolist() for array in drawn)
        self.pictures.decode(wanted)
        found = [self.pictures.varied(index, self.seed, epoch) for index, epoch in zip(wanted, epochs)]
        failed = {index: said for _, failures in found for index, said in failures.items()}
        return Loaded(_stacked([record for record, _ in found]), failed)


@dataclass(frozen=True)
class RegionEvaluation:
    """All pictures once, in order; padding and unreadable pictures have weight 0; picklable."""

    pictures: RegionPictures
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.pictures) // self.batch_size)

    def __call__(self, number: int) -> Loaded:
        """Return a batch, counted from 0."""
        first = number * self.batch_size
        indices = range(first, min(first + self.batch_size, len(self.pictures)))
        self.pictures.decode(indices)
        records, unreadable = [self.pictures.empty() for _ in range(self.batch_size)], {}
        for place, index in enumerate(indices):
            try:
                records[place] = self.pictures.record(index)
            except ImageError as error:
                unreadable[index] = str(error)
        return Loaded(_stacked(records), unreadable)


def _stacked(records: Sequence[Batch]) -> Batch:
    return {name: np.stack([record[name] for record in records]) for name in records[0]}


def pixels_of(example: RegionExample, channels: str) -> np.ndarray:
    """Return the pixels of a picture, uint8 `(H, W, C)`, in "rgb", "bgr" or "gray".

    Raises:
        ImageError: it cannot be read.
    """
    mode: Literal["RGB", "L"] = "L" if channels == "gray" else "RGB"
    if isinstance(example.image, np.ndarray):
        from PIL import Image

        picture = as_mode(Image.fromarray(example.image), mode)
    else:
        picture = open_image(example.image, mode)
    array = np.asarray(picture)
    array = array if array.ndim == 3 else array[:, :, None]
    return array[:, :, ::-1] if channels == "bgr" else array
