"""The pieces of work, and the images that everybody does them with."""

from typing import NamedTuple

import numpy as np


class Work(NamedTuple):
    """A network, how many images at once, and whether it is trained on them, or asked for the saliency of their classes."""

    network: str
    batch: int
    trains: bool = False
    saliency: bool = False


WORKS = {
    "resnet50_1": Work("resnet50", 1),
    "resnet50_16": Work("resnet50", 16),
    "resnet50_256": Work("resnet50", 256),
    "resnet18_train": Work("resnet18", 16, trains=True),
    "resnet18_saliency": Work("resnet18", 1, saliency=True),
    "resnet50_saliency": Work("resnet50", 1, saliency=True),
    "resnet18_train_256": Work("resnet18", 256, trains=True),
}


def images(work: Work) -> np.ndarray:
    """Draw [B, 224, 224, 3] images, always the same ones."""
    return np.random.default_rng(0).standard_normal((work.batch, 224, 224, 3), np.float32)


def labels(work: Work) -> np.ndarray:
    """Draw [B] classes, always the same ones."""
    return np.random.default_rng(1).integers(0, 1000, work.batch)
