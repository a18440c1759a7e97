"""A captioner small enough to train in a test: which of four patterns of features is called what; also a program."""

import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np
from flax import nnx

from seqnets import TrainConfig
from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.models.captioner import Captioner
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.task import CaptionerTask
from seqnets.train import fit

NAMES = ("red cat sits", "red dog runs", "blue cat runs", "blue dog sits")
VOCABULARY = WordVocabulary(("a", "the", "red", "blue", "cat", "dog", "runs", "sits"))


def pictures(count: int = 8, seed: int = 0) -> CaptionedImages:
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % len(NAMES)
    features = 0.1 * rng.normal(size=(count, 4, 4)).astype(np.float32)
    features[np.arange(count), rng.integers(4, size=count), kinds] += 2
    captions = [(f"a {NAMES[kind]}", f"the {NAMES[kind]}") for kind in kinds]
    return CaptionedImages(features, captions)


def tiny_task(images: CaptionedImages | None = None, *, learning: dict | None = None, **shape) -> CaptionerTask:
    settings = {"encoder": "features", "feature_map": (2, 2, 4), "hidden_features": 12, "embedding_features": 8} | shape
    model = Captioner(VOCABULARY, **settings, rngs=nnx.Rngs(0))
    splits = {"train": images or pictures(), "validation": pictures(4, seed=1)}
    return CaptionerTask(model, splits, CaptionLearning(**{"max_words": 6, **(learning or {})}))


def main(directory: str, steps: str) -> None:
    config = TrainConfig(steps=int(steps), batch_size=4, log_every=7, save_every=10, evaluate_every=40)
    fit(tiny_task(hard=True), config, directory=directory, progress=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
