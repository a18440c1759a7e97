"""Semantic segmentation as a task."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.examples import IGNORED, RegionExample, RegionSet
from seqnets.data.regions.loader import Batch, Part
from seqnets.errors import UserError
from seqnets.metrics.segmentation import class_overlaps, mean_overlap
from seqnets.tasks.region_task import RegionTask, Tell, silent
from seqnets.train.task import Metrics


class SegmenterTask(RegionTask):
    r"""A segmenter and pictures with class maps.

    $$ L = -\frac{\sum_p w_{y_p} \ln p_{p y_p}}{\sum_p w_{y_p}} $$

    over the pixels of a batch that have a label; w is 1, or larger for rare classes. The best model has the largest mean overlap
    (mean IoU), over every pixel of the validation pictures at the size of the model.

    Args:
        model: a `Segmenter`.
        regions: the pictures; the classes of their maps are the labels of the model.
        config: how they are varied and loaded.
        class_weights: "none", "median" or "logarithm".
        tell: called with a sentence when pictures cannot be read.

    Raises:
        UserError: the model has other classes.

    References:
        Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", 2015.
        Eigen and Fergus, "Predicting depth, surface normals and semantic labels", 2015 (median).
        Paszke et al., "ENet", 2016 (logarithm).
    """

    name, objective = "segmenter", "mean_iou"
    parts: ClassVar[tuple[Part, ...]] = ("label_maps",)

    def __init__(
        self,
        model: Any,
        regions: RegionSet,
        config: RegionConfig | None = None,
        *,
        class_weights: str = "none",
        tell: Tell = silent,
    ) -> None:
        if tuple(model.labels) != regions.map_classes:
            raise UserError("the model's labels are not the classes of the maps; make it with labels=regions.map_classes")
        kept = regions.mapped(lambda examples: [example for example in examples if _has_map(example)])
        super().__init__(model, kept, config, tell=tell)
        self._class_weights, self._overlaps = class_weights, np.zeros(0)
        self._weights = class_shares_to_weights(class_shares(kept), class_weights) if class_weights != "none" else None

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the loss of a batch and its share of right pixels."""
        logits = model(model.preprocessing.normalize(batch["images"]), train=True, key=key)
        truth, counts = _truth(batch)
        nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, truth)
        weights = counts if self._weights is None else counts * jnp.asarray(self._weights, jnp.float32)[truth]
        loss = jnp.sum(nats * weights) / jnp.maximum(weights.sum(), 1e-9)
        right = jnp.sum((logits.argmax(-1) == truth) * counts) / jnp.maximum(counts.sum(), 1)
        return loss, {"nats": loss, "pixel_accuracy": right}

    def measure(self, model: Any, split: str) -> tuple[dict[str, float], np.ndarray]:
        """Return mean overlap, share of right pixels and nats of a whole split, and the confusion of its pixels `(C, C)`.

        Raises:
            UserError: no pixel of the split has a label.
        """
        classes, nats = len(self.regions.map_classes), 0.0
        counts = np.zeros((classes, classes), np.int64)
        for tally, _ in self.computed(model, split, partial(_tally, classes)):
            counts += np.asarray(tally.counts, np.int64)
            nats += float(tally.nats)
        if not counts.sum():
            raise UserError(f"no pixel of the pictures for {split} has a label; check the maps, or leave the split out")
        total = counts.sum()
        figures = {"mean_iou": mean_overlap(counts), "pixel_accuracy": float(np.trace(counts) / total), "nats": nats / total}
        self._overlaps = class_overlaps(counts)
        return {name: float(value) for name, value in figures.items()}, counts

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return what identifies the pictures, their variation and the loss."""
        return {**super().fingerprint(), "class_weights": self._class_weights}

    def preview(self, model: Any, seed: int) -> str:
        """Return the overlap of each class in the last evaluation."""
        return shown_overlaps(self._overlaps, self.regions.map_classes)


def class_shares(regions: RegionSet) -> np.ndarray:
    """Return the share of each class among the labeled pixels of the training pictures, `(C,)`."""
    counts = np.zeros(256, np.int64)
    for example in regions.splits["train"]:
        labels = example.pixel_labels()
        if labels is not None:
            counts += np.bincount(labels.ravel(), minlength=256)
    counts = counts[: len(regions.map_classes)]
    return counts / max(counts.sum(), 1)


def class_shares_to_weights(shares: np.ndarray, kind: str) -> np.ndarray:
    """Return the weight of each class; 0 for one that does not occur.

    Example:
        >>> class_shares_to_weights(np.array([0.5, 0.25, 0.25]), "median").tolist()
        [0.5, 1.0, 1.0]
    """
    weights = 1 / np.log(1.02 + shares) if kind == "logarithm" else np.median(shares[shares > 0]) / np.maximum(shares, 1e-9)
    return np.where(shares > 0, weights, 0).astype(np.float32)


def split_lines(split: str, figures: Mapping[str, float], counts: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Return the figures of a split, and the overlap of each class."""
    shown = f"mean IoU {figures['mean_iou']:.4f}, pixel accuracy {figures['pixel_accuracy']:.4f}, nats {figures['nats']:.4f}"
    return [f"{split}: {shown} over {int(counts.sum()):,} pixels", shown_overlaps(class_overlaps(counts), classes)]


def shown_overlaps(overlaps: np.ndarray, classes: tuple[str, ...]) -> str:
    """Return the overlaps of the classes that occur, the worst first.

    Example:
        >>> shown_overlaps(np.array([0.9, 0.5, np.nan]), ("sky", "car", "bus"))
        'IoU of car .50, sky .90'
    """
    known = [place for place in np.argsort(overlaps, kind="stable") if np.isfinite(overlaps[place])]
    return (
        "IoU of " + ", ".join(f"{classes[place]} {overlaps[place]:.2f}".replace(" 0.", " .") for place in known) if known else ""
    )


class _Tally(NamedTuple):
    counts: Any
    nats: Any


def _has_map(example: RegionExample) -> bool:
    return example.label_map is not None or bool(example.masks) or not len(example.labels)


def _truth(batch: Any) -> tuple[jax.Array, jax.Array]:
    labels = jnp.asarray(batch["label_maps"]).astype(jnp.int32)
    counts = (labels != IGNORED) * jnp.asarray(batch["weights"])[:, None, None]
    return jnp.where(labels == IGNORED, 0, labels), counts


@partial(jax.jit, static_argnums=(0, 1))
def _tally(classes: int, graphdef: Any, state: Any, batch: Any) -> _Tally:
    model = nnx.merge(graphdef, state)
    logits = model(model.preprocessing.normalize(batch["images"]))
    truth, counted = _truth(batch)
    pairs = jnp.where(counted > 0, truth * classes + logits.argmax(-1), classes * classes)
    counts = jnp.bincount(pairs.reshape(-1), length=classes * classes + 1)[:-1]
    nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, truth)
    return _Tally(counts.reshape(classes, classes), jnp.sum(nats * counted))
