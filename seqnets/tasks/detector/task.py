"""Detection as a task."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.examples import RegionSet
from seqnets.data.regions.loader import Batch, Part
from seqnets.errors import UserError
from seqnets.metrics.detections import Detections
from seqnets.models.detector.detections import Detected
from seqnets.models.detector.detector import Detector
from seqnets.models.detector.region_detector import RegionDetector, given
from seqnets.tasks.detector import DetectionLossConfig
from seqnets.tasks.detector.figures import Seen, box_figures, in_original, joint_figures, mask_figures
from seqnets.tasks.detector.losses import LOSSES
from seqnets.tasks.detector.machines import check_machines
from seqnets.tasks.region_task import RegionTask, Tell, silent
from seqnets.train.task import Metrics

_MOST = 100  # things of a picture that are learned


class DetectorTask(RegionTask):
    """A detector and pictures with boxes.

    The loss is the weighted sum of the method's own losses (`seqnets.tasks.detector.losses`), which are logged apart. The best
    model has the highest AP, as COCO computes it, over all validation pictures.

    Args:
        model: a `Detector` or a `RegionDetector`.
        regions: the pictures; their classes are the labels of the model.
        config: how they are varied and loaded.
        loss: the weights of the losses.
        tell: called with a sentence when pictures cannot be read.

    Raises:
        UserError: the model has other classes.
    """

    name, objective = "detector", "AP"
    parts: ClassVar[tuple[Part, ...]] = ("boxes",)

    def __init__(
        self,
        model: Detector | RegionDetector,
        regions: RegionSet,
        config: RegionConfig | None = None,
        *,
        loss: DetectionLossConfig | None = None,
        tell: Tell = silent,
    ) -> None:
        if tuple(model.labels) != regions.classes:
            raise UserError("the model's labels are not the classes of the pictures; make it with labels=regions.classes")
        wanted = {"masks": bool(regions.map_classes), "joints": bool(regions.joints)}
        own = [part for part in wanted if getattr(model.config, part)]
        for part in own:
            if not wanted[part]:
                raise UserError(
                    f"model.{part} is set, but the pictures have no {part}; give COCO's files with them, or leave it out"
                )
        super().__init__(model, regions, config, tell=tell)
        own += ["proposals"] if model.config.takes_proposals else []
        self.parts, self.proposed = (*self.parts, *own), model.config.proposed  # pyright: ignore[reportAttributeAccessIssue]
        self.loss_config = loss or DetectionLossConfig()
        things = [int((~example.is_crowd).sum()) for example in regions.splits["train"]]
        self.most = min(max([1, *things]), _MOST)  # pyright: ignore[reportAttributeAccessIssue]
        if self.loss_config.svm:
            check_machines(model.config)

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the loss of a batch and its parts."""
        output = model(model.preprocessing.normalize(batch["images"]), train=True, key=key)
        parts = LOSSES[model.config.method](model, output, batch, self.loss_config, jax.random.fold_in(key, 1))
        weighted = [getattr(self.loss_config, name) * part for name, part in parts.items()]
        return jnp.sum(jnp.stack(weighted)), parts

    def measure(self, model: Any, split: str) -> tuple[dict[str, float], list[Detections]]:
        """Return COCO's figures of a whole split, and the detections in original pixels.

        Raises:
            UserError: none of its pictures can be read.
        """
        seen = list(self.seen(model, split))
        if not seen:
            raise UserError(f"none of the pictures for {split} can be read; replace them, or leave the split out")
        return self.figures(model, seen), [in_original(one) for one in seen]

    def seen(self, model: Any, split: str) -> Iterator[Seen]:
        """Yield what is detected in the pictures of a split that can be read."""
        pictures, examples, count = self.pictures(split), self.regions.splits[split], 0
        for found, batch in self.computed(model, split, _detected):
            for row in np.flatnonzero(batch["weights"] > 0):
                number = count + int(row)
                yield Seen(found.of_picture(int(row)), examples[number], pictures.move(number))
            count += len(batch["weights"])

    def figures(self, model: Any, seen: Sequence[Seen]) -> dict[str, float]:
        """Return the figures of the detections in some pictures."""
        figures = box_figures(seen)
        if model.config.masks:
            figures |= mask_figures(seen, rounded=not model.config.aligned)
        if model.config.joints:
            figures |= joint_figures(seen)
        return figures

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return what identifies the pictures, their variation and the losses."""
        return {**super().fingerprint(), **{f"loss.{name}": value for name, value in asdict(self.loss_config).items()}}


def split_line(split: str, figures: Mapping[str, float], count: int) -> str:
    """Return the figures of a split in a sentence.

    Example:
        >>> split_line("test", {"AP": 0.5, "AP50": 0.75}, 10)
        'test: AP 0.5000, AP50 0.7500 over 10 pictures'
    """
    return f"{split}: {', '.join(f'{name} {value:.4f}' for name, value in figures.items())} over {count:,} pictures"


@partial(jax.jit, static_argnums=0)
def _detected(graphdef: Any, state: Any, batch: Any) -> Detected:
    model = nnx.merge(graphdef, state)
    output = model(model.preprocessing.normalize(batch["images"]))
    return model.detect(output, given(batch["proposals"])) if "proposals" in batch else model.detect(output)
