"""The base of tasks that learn from pictures with regions, and what their recipes share."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import jax
import numpy as np
from flax import nnx

from seqnets.data.images.loader import TrainingBatches, evaluation_batches, tell_unreadable
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.published import IMAGENET_MEAN, IMAGENET_STD
from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.examples import RegionExample, RegionSet, swapped_sides
from seqnets.data.regions.loader import Batch, Part, RegionEvaluation, RegionPictures, RegionPlan
from seqnets.data.regions.moves import Variation
from seqnets.models.dense.config import DenseConfig
from seqnets.models.dense.encoder import FeatureEncoder, make_network, size_of
from seqnets.tasks.example_task import MemorylessTask
from seqnets.tasks.starting_weights import NO_WEIGHTS

EVALUATION_BATCH = 50
_DRAWN, _PHOTOGRAPH = 64, 192  # pixels of the shorter side

Tell = Callable[[str], None]


def silent(sentence: str) -> None:
    """Report nothing."""


class RegionTask(MemorylessTask):
    """A model and pictures with regions; a task adds its loss and its figures.

    Args:
        model: the model, with its `preprocessing`.
        regions: the pictures.
        config: how they are varied and loaded.
        tell: called with a sentence when pictures cannot be read.
    """

    maximize, units = True, "pictures"
    parts: ClassVar[tuple[Part, ...]] = ()
    most: ClassVar[int] = 1
    proposed: ClassVar[int] = 0
    longest: ClassVar[int] = 1

    def __init__(self, model: Any, regions: RegionSet, config: RegionConfig | None = None, *, tell: Tell = silent) -> None:
        self.model, self.regions, self.config, self._tell = model, regions, config or RegionConfig(), tell
        self._pictures, self._told = dict[tuple[str, bool], RegionPictures](), set[str]()

    @abstractmethod
    def measure(self, model: Any, split: str) -> tuple[dict[str, float], Any]:
        """Return the exact figures of a split, and what they were computed from."""

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> Any:
        """Return some rows of the shuffled and varied pictures of the training split."""
        plan: Any = RegionPlan(self.pictures("train", varied=True), batch_size, seed, rows)
        return TrainingBatches(plan, self.config.workers, self._tell)

    def evaluate(self, model: Any, split: str) -> dict[str, float]:
        """Return the exact figures of a whole split; empty if the data lack it."""
        return self.measure(model, split)[0] if split in self.regions.splits else {}

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return what identifies the pictures and their variation."""
        varied = {name: getattr(self.config, name) for name in ("augment", "padding", "least_area", "context")}
        return {**self.regions.fingerprint(), **varied}

    def artifacts(self) -> dict[str, Any]:
        """Return the model's settings, its preprocessing and the labels."""
        return {"model": self.model.describe()}

    def pictures(self, split: str, *, varied: bool = False) -> RegionPictures:
        """Return the pictures of a split at the size of the model, cached in memory after decoding if all of them fit."""
        if (split, varied) not in self._pictures:
            examples, config, rule = self.regions.splits[split], self.config, self.model.preprocessing
            size, channels = size_of(rule), rule.channel_count + 1 + self.most * ("masks" in self.parts)
            fits = len(examples) * size[0] * size[1] * channels <= config.in_memory_megabytes * 1e6
            self._pictures[split, varied] = RegionPictures(
                examples,
                size,
                rule.channels,
                self.parts,
                self.most,
                self.proposed,
                Variation(config.augment if varied else "none", config.padding, config.least_area),
                swapped_sides(self.regions.joints),
                config.context,
                {} if fits else None,
                getattr(self.model, "vocabulary", None),
                self.longest,
            )
        return self._pictures[split, varied]

    def computed(self, model: Any, split: str, compute: Callable[..., Any]) -> Iterator[tuple[Any, Batch]]:
        """Yield the result of `compute(graphdef, state, batch)` and the batch, for all pictures of a split in order."""
        graphdef, state = nnx.split(model)
        pictures, unreadable = self.pictures(split), dict[int, str]()
        plan: Any = RegionEvaluation(pictures, min(EVALUATION_BATCH, len(pictures)))
        for batch, failed in evaluation_batches(plan, self.config.workers):
            unreadable |= failed
            found: Any = batch
            yield jax.device_get(compute(graphdef, state, found)), found
        if split not in self._told:
            tell_unreadable(self._tell, unreadable, len(pictures))
        self._told.add(split)


def region_rule(config: RegionConfig, regions: RegionSet, given: Preprocessing | None = None) -> Preprocessing:
    """Return the preprocessing for pictures with regions: one size for all, whatever their proportions.

    Args:
        config: the size, where it is set.
        regions: the pictures, whose first one decides the proportions otherwise.
        given: the rule of published weights, whose channels, mean and standard deviation stay.
    """
    first = regions.splits["train"][0]
    size = config.height or config.width, config.width or config.height
    if not any(size):
        shorter = _DRAWN if isinstance(first.image, np.ndarray) else _PHOTOGRAPH
        size = _scaled(first, shorter)
    if given is not None:
        return replace(given, resize=size, crop=None)
    if config.channels == "gray":
        return Preprocessing(resize=size, crop=None, channels="gray", mean=(0.45,), std=(0.22,))
    return Preprocessing(resize=size, crop=None, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def begun_encoder(
    config: DenseConfig, data: RegionConfig, regions: RegionSet, *, rngs: nnx.Rngs, tell: Tell
) -> tuple[Preprocessing, FeatureEncoder]:
    """Return the preprocessing and the encoder of a new model: with published weights where the settings name some."""
    weights = "" if config.encoder_weights == NO_WEIGHTS else config.encoder_weights
    in_channels = 3 if weights or data.channels == "rgb" else 1
    network = make_network(config, in_channels, rngs=rngs, weights=weights)
    rule = region_rule(data, regions, network.preprocessing if weights else None)
    encoder, size = FeatureEncoder(network, size_of(rule)), size_of(rule)
    tell(f"{config.encoder} on {rule.channels} pictures of {size[0]} x {size[1]}")
    return rule, encoder


def _scaled(example: RegionExample, shorter: int) -> tuple[int, int]:
    height, width = (max(16, round(side * shorter / min(example.size) / 16) * 16) for side in example.size)
    return height, width
