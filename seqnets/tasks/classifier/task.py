"""Image classification as a task."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from seqnets import settings
from seqnets.data.images.augment import Augmentation
from seqnets.data.images.config import ImageConfig
from seqnets.data.images.loader import (
    EvaluationPlan,
    ImageBatch,
    Pictures,
    TrainingBatches,
    TrainingPlan,
    evaluation_batches,
    pictures_of,
    tell_unreadable,
)
from seqnets.data.images.sets import ImageSet
from seqnets.errors import UserError
from seqnets.metrics.classification import confusion
from seqnets.models.classifier import ClassifierConfig, describe
from seqnets.models.cnn.network import ConvNet
from seqnets.tasks.example_task import MemorylessTask
from seqnets.train.task import Metrics

SIDE_WEIGHT = 0.3
EVALUATION_BATCH = 100
_TOP = 5


class ClassifierTask(MemorylessTask):
    r"""A network and labeled images.

    $$ L = -\frac{1}{B} \sum_n \sum_c q_{nc} \ln p_{nc}, \qquad q_{nc} = (1 - s) [c = y_n] + s / C $$

    where s is the label smoothing; auxiliary classifiers add 0.3 of their own loss. Training also updates batch statistics.
    Evaluation is exact: every image of the split once, with the running statistics.

    Args:
        model: the network, with its `preprocessing`, as `seqnets.models.classifier.make_classifier` makes it.
        images: the images; their labels are those of the model.
        config: how they are augmented and loaded.
        describes: the settings of the model, for the run folder.
        label_smoothing: s in [0, 1).
        tell: called with a sentence when images cannot be read.

    Raises:
        UserError: the model has no preprocessing, or other classes than the images.

    Example:
        >>> import seqnets as sn
        >>> from flax import nnx
        >>> from seqnets.data.images.sets import read_images
        >>> from seqnets.models.classifier import make_classifier
        >>> images, lenet = read_images(), ClassifierConfig("lenet5")
        >>> rule = images.preprocessing(size=28)
        >>> model = make_classifier(lenet, images.classes, rule, in_channels=3, rngs=nnx.Rngs(0))
        >>> task = ClassifierTask(model, images.with_validation(0.1), describes=lenet)
        >>> run = sn.fit(task, sn.TrainConfig(steps=2, batch_size=4), progress=None)
        >>> sorted(run.metrics[-1])
        ['step', 'validation_error', 'validation_nats', 'validation_top1', 'validation_top5']

    References:
        Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016 (label smoothing).
    """

    name, objective, maximize, units, vocabulary = "classifier", "error", False, "images", None

    def __init__(
        self,
        model: ConvNet,
        images: ImageSet,
        config: ImageConfig | None = None,
        *,
        describes: ClassifierConfig | None = None,
        label_smoothing: float = 0.0,
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        if model.preprocessing is None:
            raise UserError("the model has no preprocessing; set model.preprocessing, such as images.preprocessing()")
        if tuple(model.labels or ()) != images.classes:
            raise UserError("the model's labels are not the classes of the images; set model.labels = images.classes")
        settings.RATE.check("label_smoothing", label_smoothing)
        self.model, self.images, self.config = model, images, config or ImageConfig()
        self.label_smoothing, self._describes, self._tell = label_smoothing, describes or ClassifierConfig(), tell
        self._rule, self._pictures, self._told = model.preprocessing, dict[tuple[str, bool], Pictures](), set[str]()

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> TrainingBatches:
        """Return some rows of the shuffled and augmented images of the training split."""
        plan = TrainingPlan(self._of("train", varied=True), batch_size, seed, rows)
        return TrainingBatches(plan, self.config.workers, self._tell)

    def losses(self, model: Any, batch: ImageBatch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss of a batch and its figures."""
        features = model(model.preprocessing.normalize(batch.images), train=True, key=key)
        nats = self._nats(features["logits"], batch.labels)
        side = sum((self._nats(features[name], batch.labels) for name, _ in model.auxiliary_taps), jnp.float32(0))
        right = jnp.mean((features["logits"].argmax(-1) == batch.labels).astype(jnp.float32))
        return nats + SIDE_WEIGHT * side, {"nats": nats, "top1": right}

    def evaluate(self, model: Any, split: str) -> dict[str, float]:
        """Return nats, error, and top-1 and top-5 accuracy of a whole split; empty if there is none."""
        return self.measure(model, split)[0] if split in self.images.splits else {}

    def measure(self, model: Any, split: str) -> tuple[dict[str, float], np.ndarray]:
        """Return the figures of a whole split, and the confusion counts.

        Returns:
            The figures by name, and counts [C, C]: row the true class, column the guess.

        Raises:
            UserError: none of its images can be read.
        """
        sums, counts = np.zeros(3), np.zeros((len(self.images.classes),) * 2, np.int64)
        for tally, batch in self._tallies(model, split):
            counted = batch.weights > 0
            sums += np.stack([tally.nats, tally.top1, tally.top5]).astype(np.float64)[:, counted].sum(1)
            counts += confusion(batch.labels[counted], tally.guess[counted], len(counts))
        if not counts.sum():
            raise UserError(f"none of the images for {split} can be read; replace them, or leave the split out")
        nats, top1, top5 = (float(value) for value in sums / counts.sum())
        return {"nats": nats, "error": 1 - top1, "top1": top1, "top5": top5}, counts

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return what identifies the images, their augmentation and the loss."""
        augment = {name: getattr(self.config, name) for name in ("augment", "padding", "least_area")}
        return {**self.images.fingerprint(), **augment, "label_smoothing": self.label_smoothing}

    def artifacts(self) -> dict[str, Any]:
        """Return the network's settings, its preprocessing and the labels."""
        return {"model": describe(self.model, self._describes)}

    def _nats(self, logits: jax.Array, labels: Any) -> jax.Array:
        wanted = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype), self.label_smoothing)
        return jnp.mean(optax.losses.softmax_cross_entropy(logits, wanted))

    def _tallies(self, model: Any, split: str) -> Iterator[tuple["_Tally", ImageBatch]]:
        graphdef, state = nnx.split(model)
        pictures, unreadable = self._of(split), dict[int, str]()
        plan = EvaluationPlan(pictures, min(EVALUATION_BATCH, len(pictures)))
        for batch, failed in evaluation_batches(plan, self.config.workers):
            unreadable |= failed
            yield jax.device_get(_tally(graphdef, state, batch.images, batch.labels)), batch
        if split not in self._told:
            tell_unreadable(self._tell, unreadable, len(pictures))
        self._told.add(split)

    def _of(self, split: str, *, varied: bool = False) -> Pictures:
        if (split, varied) not in self._pictures:
            config = self.config
            size = self._rule.image_size or (0, 0)
            kind = Augmentation(config.augment if varied else "none", size, config.padding, config.least_area)
            found = pictures_of(self.images.splits[split], self._rule, kind, config.in_memory_megabytes)
            self._pictures[split, varied] = found
        return self._pictures[split, varied]


class _Tally(NamedTuple):
    nats: Any
    top1: Any
    top5: Any
    guess: Any


@partial(jax.jit, static_argnums=0)
def _tally(graphdef: Any, state: Any, images: jax.Array, labels: jax.Array) -> _Tally:
    model = nnx.merge(graphdef, state)
    logits = model(model.preprocessing.normalize(images))["logits"]
    nats = optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)
    best = jax.lax.top_k(logits, min(_TOP, logits.shape[-1]))[1]
    hits = (best == labels[:, None]) & jnp.isfinite(nats)[:, None]
    return _Tally(nats, hits[:, 0], hits.any(1), best[:, 0])
