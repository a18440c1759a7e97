"""Is there a dog? SqueezeNet's features with a new head against networks trained from nothing, at equal seconds.

    python scripts/compare_transfer.py FLICKR8K SQUEEZENET_WEIGHTS [--seconds 60]

FLICKR8K is a folder with dataset.json (file, split, captions) and images/. A photograph counts as one of a dog where at
least two of its captions say so. Steps are as many as fit into the seconds, measured beforehand; compiling and decoding
are left out for all alike.
"""

import argparse
import json
import time
from pathlib import Path

import jax
import numpy as np
from flax import nnx

from seqnets import TrainConfig
from seqnets.data.images.config import ImageConfig
from seqnets.data.images.sets import ImageSet, LabeledImages
from seqnets.models.classifier import ClassifierConfig, make_classifier
from seqnets.tasks.classifier.task import ClassifierTask
from seqnets.train import fit
from seqnets.train.feed import Dispatch, stacked_batches
from seqnets.train.state import initial_state
from seqnets.train.step import compile_steps

CLASSES = ("a dog", "no dog")
WORDS = {"dog", "dogs", "puppy", "puppies"}
SPLITS = {"train": "train", "dev": "validation", "test": "test"}
BATCH = 16
SGD = {"optimizer": "sgd", "learning_rate": 0.02, "weight_decay": 1e-4}
ADAM = {"optimizer": "adam", "learning_rate": 3e-4}


def read(folder: Path) -> ImageSet:
    entries = json.loads((folder / "dataset.json").read_text())
    entries = entries["images"] if isinstance(entries, dict) else entries
    splits = {}
    for theirs, ours in SPLITS.items():
        chosen = [entry for entry in entries if entry["split"] == theirs]
        labels = np.array([0 if says_dog(entry["captions"]) else 1 for entry in chosen], np.int32)
        paths = tuple(folder / "images" / entry["file"] for entry in chosen)
        splits[ours] = LabeledImages(paths, labels, tuple(path.name for path in paths))
    return ImageSet("photographs", splits, CLASSES)


def says_dog(captions: list[str]) -> bool:
    return sum(bool(WORDS & set(caption.lower().split())) for caption in captions) >= 2


def contestant(images: ImageSet, config: ClassifierConfig, size: int, augment: str) -> ClassifierTask:
    rule = None if config.weights else images.preprocessing(size)
    model = make_classifier(config, CLASSES, rule, in_channels=3, rngs=nnx.Rngs(0))
    return ClassifierTask(model, images, ImageConfig(augment=augment, padding=max(1, size // 8)), describes=config)  # pyright: ignore[reportArgumentType]


def seconds_per_step(task: ClassifierTask, config: TrainConfig) -> float:
    graphdef, state = initial_state(task, config)
    batches = jax.device_put(stacked_batches(task.batches(BATCH, 0), Dispatch(0, 1), 1))
    steps = compile_steps(task, graphdef, config, state, batches)
    times = []
    for _ in range(4):
        began = time.perf_counter()
        state, _ = jax.block_until_ready(steps(state, batches, np.int32(1)))
        times.append(time.perf_counter() - began)
    return float(np.median(times[1:]))


def compare(name: str, task: ClassifierTask, seconds: float, **settings) -> None:
    config = {"batch_size": BATCH, "evaluate_every": 0, "clip_norm": 1.0, **settings}
    steps = max(4, round(seconds / seconds_per_step(task, TrainConfig(**config))))
    began = time.perf_counter()
    run = fit(task, TrainConfig(**config, steps=steps, warmup_steps=steps // 10), progress=None)
    took = time.perf_counter() - began
    figures = {split: task.evaluate(run.model, split)["top1"] for split in ("validation", "test")}
    count = sum(len(task.images.splits[split]) for split in figures)
    both = sum(figures[split] * len(task.images.splits[split]) for split in figures) / count
    print(
        f"{name:42} {steps:5} steps of {BATCH} in {took:5.0f} s: "
        f"validation {figures['validation']:.3f}, test {figures['test']:.3f}, both {both:.3f} of {count}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("weights")
    parser.add_argument("--seconds", type=float, default=60.0)
    found = parser.parse_args()
    images = read(found.photographs)
    held_out = np.concatenate([images.splits["validation"].labels, images.splits["test"].labels])
    print(f"{images}\nthe more frequent class: {np.bincount(held_out).max() / len(held_out):.3f} of {len(held_out)}", flush=True)
    body = ("stem", "stage*")
    squeezenet = ClassifierConfig("squeezenet1_1", weights=found.weights)
    frozen = {"freeze": body, **ADAM}
    compare("SqueezeNet 1.1 frozen, new head", contestant(images, squeezenet, 227, "flip"), found.seconds, **frozen)
    small = ClassifierConfig("resnet20")
    compare("ResNet-20 from nothing, 64 x 64", contestant(images, small, 64, "pad-crop-flip"), found.seconds, **SGD)
    scratch = ClassifierConfig("squeezenet1_1")
    compare("SqueezeNet 1.1 from nothing", contestant(images, scratch, 227, "flip"), found.seconds, **ADAM)


if __name__ == "__main__":
    main()
