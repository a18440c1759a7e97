"""Pictures scattered over a larger one, among pieces of others: a pure function of (seed, epoch, index), on uint8."""

from dataclasses import dataclass

import numpy as np

from seqnets.data.examples.examples import Batch, drawn_rows
from seqnets.data.images.config import ScatterConfig
from seqnets.data.images.gray import GrayPictures
from seqnets.errors import UserError


@dataclass(frozen=True)
class Scattered:
    """Batches of pictures on a canvas; each epoch puts them elsewhere.

    Args:
        pictures: what is put there.
        config: the canvas and the clutter.
        objects: K, the most pictures on one canvas, side by side; of more than one, their number is drawn.
        end: the label after the last one.

    Raises:
        UserError: K pictures, or a piece, are larger than the canvas.

    Example:
        >>> ones = GrayPictures(np.full((3, 2, 2, 1), 255, np.uint8), np.array([0, 1, 0], np.int32))
        >>> batch = Scattered(ones, ScatterConfig(canvas=6, clutter=0), objects=2, end=9).rows(np.array([1]), seed=0, epoch=0)
        >>> batch["image"].shape, int((batch["image"] > 0).sum()), batch["labels"].tolist()
        ((1, 6, 6, 1), 8, [[1, 1]])
    """

    pictures: GrayPictures
    config: ScatterConfig
    objects: int = 1
    end: int = -1

    def __post_init__(self) -> None:
        height, width = self.pictures.pixels.shape[1:3]
        canvas, piece = self.config.canvas, self.config.piece
        if self.config.scatters and (max(height, width * self.objects) > canvas):
            raise UserError(
                f"{self.objects} picture{'s' * (self.objects > 1)} of {height} x {width} do not fit side by side on data.canvas "
                f"{canvas}; raise it, or lower --data.size"
            )
        if self.config.scatters and self.config.clutter and piece > min(height, width):
            raise UserError(f"data.piece {piece} is larger than the pictures of {height} x {width}; lower it")
        if not self.config.scatters and self.objects > 1:
            raise UserError(f"data.canvas 0 has room for one picture, and model.objects is {self.objects}; give a canvas")

    def __len__(self) -> int:
        return len(self.pictures.labels)

    def rows(self, rows: np.ndarray, *, seed: int, epoch: int | np.ndarray) -> Batch:
        """Return some pictures on their canvases: `image` uint8 `(B, S, S, 1)` and `labels` int32 `(B, K)`."""
        if not self.config.scatters:
            return {"image": self.pictures.pixels[rows], "labels": self.pictures.labels[rows, None]}
        made = [self._made(int(row), seed, int(of)) for row, of in zip(rows, np.broadcast_to(epoch, rows.shape))]
        images, labels = zip(*made)
        return {"image": np.stack(images), "labels": np.stack(labels)}

    def _made(self, row: int, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        # counter-based: a separate stream for every picture and epoch, without any state
        rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 1, epoch, row]))
        canvas, (height, width) = np.zeros((self.config.canvas,) * 2 + (1,), np.uint8), self.pictures.pixels.shape[1:3]
        for _ in range(self.config.clutter):
            self._put(canvas, self._piece(rng), *rng.integers(0, self.config.canvas - self.config.piece + 1, 2))
        count = int(rng.integers(1, self.objects + 1))
        chosen = [row, *rng.integers(0, len(self), count - 1)]
        slot = self.config.canvas // count
        for place, number in enumerate(chosen):
            top, left = rng.integers(0, [self.config.canvas - height + 1, slot - width + 1])
            self._put(canvas, self.pictures.pixels[number], top, place * slot + left)
        labels = np.full(self.objects, self.end, np.int32)
        labels[:count] = self.pictures.labels[chosen]
        return canvas, labels

    def _piece(self, rng: np.random.Generator) -> np.ndarray:
        side, (count, height, width, _) = self.config.piece, self.pictures.pixels.shape
        number, top, left = rng.integers(0, [count, height - side + 1, width - side + 1])
        return self.pictures.pixels[number, top : top + side, left : left + side]

    @staticmethod
    def _put(canvas: np.ndarray, picture: np.ndarray, top: int, left: int) -> None:
        part = canvas[top : top + picture.shape[0], left : left + picture.shape[1]]
        np.maximum(part, picture, out=part)


@dataclass(frozen=True)
class ScatteredBatches:
    """Batches by number: each epoch takes every picture once, in its own order and at its own place.

    Args:
        scattered: the pictures.
        batch_size: B.
        seed: seed of the orders and places.
        rows: index of the rows of the batch that are made.
    """

    scattered: Scattered
    batch_size: int
    seed: int
    rows: slice | np.ndarray

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0."""
        chosen, epochs = drawn_rows(len(self.scattered), self.seed, step, self.batch_size, self.rows)
        return self.scattered.rows(chosen, seed=self.seed, epoch=epochs)
