"""Measure a training step of a captioner with soft attention against the tutorials' loop in eager torch, on the same batch.

    python scripts/benchmark_caption_training.py --json row.json

Both begin with the same weights and read the same stored feature maps and captions; the loss and every gradient of the first step
are compared before anything is timed. The torch loop sorts captions by length and reads only those that go on, as the tutorials
do. Once it projects the map at every step, as they do, and once before the loop. Rounds are interleaved, and each ratio is taken
within a round; `cpu` is of the processor time of all threads.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from caption_peers.torch_captioner import TorchCaptioner
from racing.load import ForeignLoad
from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.words.vocabulary import WordVocabulary
from seqnets.models.captioner import Captioner
from seqnets.named_arrays import host_arrays
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.task import CaptionerTask

RATE = 4e-4


def captions_of(found: argparse.Namespace, vocabulary: WordVocabulary) -> list[list[str]]:
    """Draw captions of 8 to 15 words, with one of 20: what a batch of Flickr8k has."""
    rng = np.random.default_rng(0)
    lengths = [20, *rng.integers(8, 16, found.batch - 1)]
    return [[" ".join(rng.choice(vocabulary.words, length))] for length in lengths]


def make(found: argparse.Namespace) -> tuple[CaptionerTask, dict[str, Any]]:
    """Return the task, and the batch that every step reads."""
    vocabulary = WordVocabulary(tuple(f"word{i}" for i in range(found.words)))
    shape = tuple(found.feature_map)
    sizes: dict[str, Any] = {"feature_map": shape, "hidden_features": found.hidden, "embedding_features": found.hidden}
    model = Captioner(vocabulary, encoder="features", rngs=nnx.Rngs(0), **sizes)
    drawn = np.random.default_rng(1).standard_normal((found.batch, shape[0] * shape[1], shape[2]))
    features = np.maximum(drawn, 0).astype(np.float32)
    task = CaptionerTask(model, {"train": CaptionedImages(features, captions_of(found, vocabulary))}, CaptionLearning())
    return task, dict(task.splits["train"].rows(np.arange(found.batch)))


Work = tuple[Callable[[], Any], Callable[[], Any]]


def ours(task: CaptionerTask, batch: dict[str, Any]) -> Work:
    """Return functions for the first loss with its gradients, and for one training step."""
    structure, start, rest = nnx.split(task.model, nnx.Param, ...)
    optimizer, carry, key = optax.adam(RATE), task.initial_carry(len(batch["targets"])), jax.random.key(0)
    batch = {name: jnp.asarray(array) for name, array in batch.items()}

    def loss_of(parameters):
        return task.loss(nnx.merge(structure, parameters, rest), batch, carry, key)[0]

    @jax.jit
    def step(parameters, moments):
        loss, gradients = jax.value_and_grad(loss_of)(parameters)
        updates, moments = optimizer.update(gradients, moments)
        return optax.apply_updates(parameters, updates), moments, loss

    state = start, optimizer.init(start)

    def train() -> float:
        nonlocal state
        *after, loss = step(*state)
        state = (after[0], after[1])
        return float(loss)

    return lambda: jax.jit(jax.value_and_grad(loss_of))(start), train


def theirs(task: CaptionerTask, batch: dict[str, Any], *, projects_each_step: bool) -> Work:
    """Return the same of the loop in torch."""
    peer = TorchCaptioner(task.model, projects_each_step=projects_each_step)
    parameters = peer.trained()
    optimizer = torch.optim.Adam(parameters, RATE)
    order = np.argsort(-batch["targets_lengths"], kind="stable")
    features = torch.from_numpy(batch["image"][order])
    targets, lengths = (torch.from_numpy(batch[name][order]) for name in ("targets", "targets_lengths"))

    def first() -> Any:
        loss = peer.loss(features, targets, lengths, task.learning.regularizer)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        return float(loss.detach()), {name: gradient for name, gradient in zip(sorted(peer.w), gradients) if gradient is not None}

    def train() -> float:
        optimizer.zero_grad()
        loss = peer.loss(features, targets, lengths, task.learning.regularizer)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return first, train


def differences(ours: Any, theirs: Any) -> dict[str, float]:
    """Return how far the losses and the gradients are apart, relative to the largest gradient of each array."""
    (loss, gradients), (expected, arrays) = ours, theirs
    found = {name.removeprefix("decoder."): array for name, array in host_arrays(gradients).items()}
    worst = max(
        float(np.abs(found[name] - array.numpy()).max() / (np.abs(found[name]).max() + 1e-12)) for name, array in arrays.items()
    )
    return {"loss_difference": abs(float(loss) - expected), "gradient_difference": worst, "arrays": float(len(arrays))}


def measured(work: Callable[[], float]) -> tuple[float, float]:
    """Return seconds of the clock and of the processor."""
    time.sleep(0.5)  # threads of the one that ran before spin a while
    begin, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - cpu


def main() -> None:
    """Print one row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--words", type=int, default=10_000)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--feature-map", type=int, nargs=3, default=[14, 14, 512], metavar=("ROWS", "COLUMNS", "FEATURES"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument("--json", help="file for the row")
    found = parser.parse_args()
    torch.set_num_threads(found.threads)
    task, batch = make(found)
    first, step = ours(task, batch)
    peers = {name: theirs(task, batch, projects_each_step=name == "tutorial") for name in ("tutorial", "hoisted")}
    row: dict[str, float] = differences(first(), peers["hoisted"][0]()) | {"words": float(batch["targets_lengths"].sum())}
    works = {"ours": step} | {name: train for name, (_, train) in peers.items()}
    for work in works.values():
        work()
    load = ForeignLoad([])
    rounds = [{name: measured(work) for name, work in works.items()} for _ in range(found.rounds)]
    for which, unit in enumerate(("clock", "cpu")):
        row |= {f"{name}_{unit}_ms": 1e3 * statistics.median(each[name][which] for each in rounds) for name in works}
        for name in peers:
            ratios = [each[name][which] / each["ours"][which] for each in rounds]
            row |= {
                f"{name}_{unit}_ratio": statistics.median(ratios),
                f"{name}_{unit}_least": min(ratios),
                f"{name}_{unit}_most": max(ratios),
            }
    row["foreign_load"] = load.share()
    for name, value in row.items():
        print(f"{name:22} {value:.4g}")
    if found.json:
        Path(found.json).write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
