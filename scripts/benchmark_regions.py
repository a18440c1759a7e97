"""Times region pooling and suppression against plain torch, and every task of regions: `python scripts/benchmark_regions.py`.

The plain versions are vectorized, as one writes them where torchvision's compiled operators are not at hand: suppression takes a
step for each kept box, RoI align is `grid_sample` with a mean over samples. Of each decoder of a segmenter, head of a localizer
and preset of a detector, it prints the pictures a second: found, from their pixels to the result (with proposals by graph
segmentation where they are given), and trained on.
`python scripts/benchmark_regions.py tasks` leaves out torch; further words are names of tasks, such as `faster-rcnn unet`.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from flax import nnx

from seqnets import settings
from seqnets.models.dense.plans import PLANS
from seqnets.models.detector.config import PRESETS, preset
from seqnets.ops.regions import region_align
from seqnets.ops.suppression import suppress
from seqnets.tasks import TASKS

BOXES, KEEP, THRESHOLD = 2000, 300, 0.7
REGIONS, SIDE, CHANNELS, BINS = 128, 38, 256, 7
PICTURES, BATCH, RUNS = 64, 16, 5


def main(words: list[str]) -> None:
    """Print the figures of all, the best of several runs."""
    if words[:1] != ["tasks"]:
        report_operators()
    for name, task, find in tasks(words[1:]):
        found, trained = find_rate(task, find), train_rate(task)
        print(f"{name}: finds in {found:,.0f} pictures a second, trains on {trained:,.0f}", flush=True)


def tasks(names: list[str]) -> Iterator[tuple[str, Any, Callable[..., Iterable[object]]]]:
    """Yield each task with its name and what applies its model."""
    from seqnets.decode.detection import detect
    from seqnets.decode.localization import locate
    from seqnets.decode.segmentation import segment

    kinds = [("segmenter", "decoder", PLANS, segment), ("localizer", "head", ("box", "joints", "heatmaps"), locate)]
    choices = [(task, name, {"model": {setting: name}}, find) for task, setting, every, find in kinds for name in every]
    choices += [("detector", name, preset(name), detect) for name in PRESETS]
    for task, name, chosen, find in choices:
        if not names or name in names:
            recipe = TASKS[task].recipe()
            config = settings.replaced(settings.replaced(recipe.default(), chosen), {"data": {"drawn": PICTURES}})
            yield f"{task} {name}", recipe.make(config, lambda sentence: None, None), find


def find_rate(task: Any, find: Callable[..., Iterable[object]]) -> float:
    """Return the pictures a second that a model is applied to."""
    images = [example.image for example in task.regions.splits["train"]]
    return PICTURES / min(_seconds(lambda: list(find(task.model, images, batch=BATCH))) for _ in range(RUNS))


def train_rate(task: Any) -> float:
    """Return the pictures a second that a model is trained on, without the loading of batches."""
    graphdef, params, rest = nnx.split(task.model, nnx.Param, ...)
    optimizer = optax.adam(1e-3)

    @jax.jit
    def step(params: Any, rest: Any, moments: Any, batch: Any) -> Any:
        def loss(params: Any) -> Any:
            model = nnx.merge(graphdef, params, jax.tree.map(lambda leaf: leaf, rest))
            return task.losses(model, batch, jax.random.key(0))[0], nnx.split(model, nnx.Param, ...)[2]

        gradient, rest = jax.grad(loss, has_aux=True)(params)
        changes, moments = optimizer.update(gradient, moments)
        return optax.apply_updates(params, changes), rest, moments

    state, batch = (params, rest, optimizer.init(params)), task.batches(BATCH, 0).batch(0)
    return BATCH / min(_seconds(lambda: jax.block_until_ready(step(*state, batch))) for _ in range(RUNS))


def report_operators() -> None:
    """Print the milliseconds of suppression and region align."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 500, (BOXES, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 150, (BOXES, 2))], 1).astype(np.float32)
    scores = rng.uniform(size=BOXES).astype(np.float32)
    ours = jax.jit(lambda b, s: suppress(b, s, threshold=THRESHOLD, keep=KEEP))
    first = np.asarray(ours(boxes, scores).indices)
    theirs = plain_suppression(torch.tensor(boxes), torch.tensor(scores)).numpy()
    np.testing.assert_array_equal(first[: len(theirs)], theirs)
    report(f"suppression of {BOXES:,} boxes, {KEEP} kept", lambda: jax.block_until_ready(ours(boxes, scores)),
           lambda: plain_suppression(torch.tensor(boxes), torch.tensor(scores)))  # fmt: skip

    x = rng.normal(size=(1, SIDE, SIDE, CHANNELS)).astype(np.float32)
    rois = boxes[:REGIONS][None] / 650 * SIDE * 16
    align = jax.jit(lambda x, b: region_align(x, b, BINS, scale=1 / 16))
    image, places = torch.tensor(x).permute(0, 3, 1, 2).contiguous(), torch.tensor(rois[0])
    np.testing.assert_allclose(align(x, rois)[0].transpose(0, 3, 1, 2), plain_align(image, places).numpy(), atol=2e-4)
    name = f"RoI align of {REGIONS} regions, {BINS} x {BINS} x {CHANNELS}"
    report(name, lambda: jax.block_until_ready(align(x, rois)), lambda: plain_align(image, places))
    gradient = jax.jit(jax.grad(lambda x, b: jnp.sum(jnp.sin(region_align(x, b, BINS, scale=1 / 16)))))
    report(f"{name}, with gradient", lambda: jax.block_until_ready(gradient(x, rois)), lambda: plain_gradient(image, places))


def plain_suppression(boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Suppress greedily, a step for each kept box."""
    order, kept = scores.argsort(descending=True), []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(order) and len(kept) < KEEP:
        best, order = order[0], order[1:]
        kept.append(best)
        low, high = torch.maximum(boxes[best, :2], boxes[order, :2]), torch.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        order = order[shared <= THRESHOLD * (areas[best] + areas[order] - shared)]
    return torch.stack(kept)


def plain_align(image: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
    """Align regions by `grid_sample`: 2 x 2 samples a bin."""
    count, (height, width) = 2 * BINS, image.shape[2:]
    steps = (torch.arange(count) + 0.5) / count
    x = rois[:, :1] / 16 + (rois[:, 2:3] - rois[:, :1]) / 16 * steps
    y = rois[:, 1:2] / 16 + (rois[:, 3:] - rois[:, 1:2]) / 16 * steps
    grid = torch.stack(
        [x[:, None, :].expand(-1, count, -1) / width * 2 - 1, y[:, :, None].expand(-1, -1, count) / height * 2 - 1], -1
    )
    grid = grid.reshape(1, -1, count, 2)
    sampled = torch.nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=False)
    pooled = torch.nn.functional.avg_pool2d(sampled, 2)
    return pooled.reshape(image.shape[1], len(rois), BINS, BINS).transpose(0, 1)


def plain_gradient(image: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a sum over `plain_align`."""
    image = image.detach().requires_grad_()
    return torch.autograd.grad(plain_align(image, rois).sin().sum(), image)[0]


def report(what: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Print the best milliseconds of both, taken in turns."""
    times = np.array([[_seconds(run) for run in (ours, theirs)] for _ in range(12)])
    best, their_best = 1000 * times.min(0)
    print(f"{what}: seqnets {best:.1f} ms, plain torch {their_best:.1f} ms")


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1:])
