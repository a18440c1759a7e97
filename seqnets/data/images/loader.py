"""Batches of labeled images by number: a pure function of the step, independent of where and how images are decoded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.examples.examples import drawn_rows
from seqnets.data.images.augment import Augmentation
from seqnets.data.images.files import ImageError
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.sets import LabeledImages
from seqnets.data.images.workers import Ahead
from seqnets.data.read_ahead import read_ahead
from seqnets.errors import UserError

Tell = Callable[[str], None]


class ImageBatch(NamedTuple):
    """Images [B, H, W, C] of uint8, their labels [B] of int32, and their weights [B] of float32 (0 for padding)."""

    images: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


class Loaded(NamedTuple):
    """A batch, and the errors of its unreadable images, by index."""

    batch: ImageBatch
    unreadable: dict[int, str]


@dataclass(frozen=True)
class Pictures:
    """Labeled images before augmentation; picklable.

    Args:
        images: the images of the split: an array, or paths.
        labels: [N] of int32.
        preprocessing: the rule for the images; the network applies its mean and standard deviation.
        augmentation: how they vary in training.
        memory: caches decoded images, or the reason they cannot be read, by index; None caches nothing.
    """

    images: np.ndarray | Sequence[Any]
    labels: np.ndarray
    preprocessing: Preprocessing
    augmentation: Augmentation = field(default_factory=Augmentation)
    memory: dict[int, np.ndarray | str] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, index: int) -> np.ndarray:
        """Return an image before augmentation.

        Raises:
            ImageError: it cannot be read.
        """
        self.decode([index])
        image = self._decoded(index) if self.memory is None else self.memory[index]
        if isinstance(image, str):
            raise ImageError(image)
        return image

    def varied(self, index: int, seed: int, epoch: int) -> tuple[int, np.ndarray, dict[int, str]]:
        """Return a variation of an image, or of the next readable one: its index, the image, and the failures."""
        failed: dict[int, str] = {}
        for offset in range(len(self)):
            chosen = (index + offset) % len(self)
            try:
                return chosen, self.augmentation(self.pixels(chosen), seed=seed, epoch=epoch, index=chosen), failed
            except ImageError as error:
                failed[chosen] = str(error)
        raise UserError(f"none of the {len(self):,} images can be read: {failed[index]}")

    @property
    def _rule(self) -> Preprocessing:
        return replace(self.preprocessing, crop=None) if self.augmentation.crops else self.preprocessing

    def decode(self, indices: Sequence[int]) -> None:
        """Decode some images in advance, if decoded images are cached."""
        if self.memory is not None:
            missing = [index for index in dict.fromkeys(indices) if index not in self.memory]
            self.memory.update(zip(missing, read_ahead(self._decoded, missing)))

    def _decoded(self, index: int) -> np.ndarray | str:
        try:
            return self._rule.pixels(self.images[index])
        except ImageError as error:
            return str(error)


@dataclass(frozen=True)
class TrainingPlan:
    """The batch of every step: each epoch takes every image once, in its own order; picklable.

    Args:
        pictures: the images.
        batch_size: B.
        seed: seed of the orders and variations.
        rows: index of the rows of the batch that are made.
    """

    pictures: Pictures
    batch_size: int
    seed: int
    rows: slice | np.ndarray = field(default_factory=lambda: slice(None))

    def __call__(self, step: int) -> Loaded:
        """Return the batch of a step, counted from 0."""
        chosen, images, labels, unreadable = self._chosen(step), [], [], {}
        self.pictures.decode([index for index, _ in chosen])
        for wanted, epoch in chosen:
            index, image, failed = self.pictures.varied(wanted, self.seed, epoch)
            images.append(image)
            labels.append(self.pictures.labels[index])
            unreadable |= failed
        weights = np.ones(len(chosen), np.float32)
        return Loaded(ImageBatch(np.stack(images), np.array(labels, np.int32), weights), unreadable)

    def _chosen(self, step: int) -> list[tuple[int, int]]:
        chosen, epochs = drawn_rows(len(self.pictures), self.seed, step, self.batch_size, self.rows)
        return list(zip(chosen.tolist(), epochs.tolist()))


@dataclass(frozen=True)
class EvaluationPlan:
    """All images once, in order; padding and unreadable images have weight 0; picklable."""

    pictures: Pictures
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.pictures) // self.batch_size)

    def __call__(self, number: int) -> Loaded:
        """Return a batch, counted from 0."""
        height, width = self.pictures.preprocessing.image_size or (0, 0)
        shape = (self.batch_size, height, width, self.pictures.preprocessing.channel_count)
        batch = ImageBatch(np.zeros(shape, np.uint8), np.zeros(shape[0], np.int32), np.zeros(shape[0], np.float32))
        unreadable = {}
        first = number * self.batch_size
        indices = range(first, min(first + self.batch_size, len(self.pictures)))
        self.pictures.decode(indices)
        for place, index in enumerate(indices):
            batch.labels[place] = self.pictures.labels[index]
            try:
                batch.images[place], batch.weights[place] = self.pictures.pixels(index), 1
            except ImageError as error:
                unreadable[index] = str(error)
        return Loaded(batch, unreadable)


class TrainingBatches:
    """The training batches, decoded ahead by worker processes where the images are not kept in memory.

    Args:
        plan: gives the images of each batch.
        workers: how many processes; 0 for none. The batches do not depend on it.
        tell: called with a sentence when images cannot be read; the next readable ones replace them.

    Example:
        >>> from seqnets.data.images.sets import read_images
        >>> images = read_images()
        >>> pictures = Pictures(images.splits["train"].images, images.splits["train"].labels, images.preprocessing())
        >>> TrainingBatches(TrainingPlan(pictures, batch_size=4, seed=0)).batch(0).images.shape
        (4, 32, 32, 3)
    """

    def __init__(self, plan: TrainingPlan, workers: int = 0, tell: Tell = lambda sentence: None) -> None:
        self._plan, self._tell = plan, tell
        self._ahead = Ahead(plan, workers if plan.pictures.memory is None else 0)
        self._told: set[int] = set()

    def batch(self, step: int) -> ImageBatch:
        """Return the batch of a step, counted from 0."""
        batch, unreadable = self._ahead(step)
        news = {index: said for index, said in unreadable.items() if index not in self._told}
        tell_unreadable(self._tell, news, len(self._plan.pictures))
        self._told |= news.keys()
        return batch


def evaluation_batches(plan: EvaluationPlan, workers: int = 0) -> Iterator[Loaded]:
    """Yield the batches of a whole split, decoded ahead by worker processes where the images are not kept in memory."""
    ahead = Ahead(plan, workers if plan.pictures.memory is None else 0, stop=len(plan))
    for number in range(len(plan)):
        yield ahead(number)


def pictures_of(images: LabeledImages, preprocessing: Preprocessing, augmentation: Augmentation, megabytes: int) -> Pictures:
    """Return the pictures of a split, cached in memory after decoding if all of them fit.

    Args:
        images: the split.
        preprocessing: the rule for the images.
        augmentation: how they vary; kind "none" for evaluation.
        megabytes: decoded sets up to this size are cached.
    """
    if preprocessing.image_size is None:
        raise UserError("the preprocessing gives images of any size; set --data.size")
    height, width = preprocessing.image_size
    margin = 2 if augmentation.crops else 1  # the images that resized crops are cut from are larger than the crop
    size = len(images) * height * width * preprocessing.channel_count * margin
    return Pictures(images.images, images.labels, preprocessing, augmentation, {} if size <= megabytes * 1e6 else None)


def tell_unreadable(tell: Tell, unreadable: dict[int, str], size: int) -> None:
    """Report how many images cannot be read, with the first few of them; silent if all can be read."""
    if unreadable:
        first = "; ".join(list(unreadable.values())[:3])
        count = f"{len(unreadable):,} of {size:,} images cannot be read and {'is' if len(unreadable) == 1 else 'are'} left out"
        tell(f"{count}: {first}{'; ...' if len(unreadable) > 3 else ''}")
