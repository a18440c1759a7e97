"""Captioning as a task."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.examples.examples import Batch, Examples
from seqnets.errors import UserError
from seqnets.metrics.cider_score import CiderReward
from seqnets.models.captioner import Captioner
from seqnets.tasks.captioner.figures import IGNORED, CaptionJudge, shifted
from seqnets.tasks.captioner.learning import CaptionLearning
from seqnets.tasks.captioner.objectives import read_with_own_words, reading_objective, self_critical_objective
from seqnets.tasks.example_task import ExampleTask
from seqnets.train.task import Carry, Metrics

PREVIEW_IMAGES = 4


class Course(NamedTuple):
    """The carry between steps; every array has the leading axis B, with equal rows.

    Attributes:
        step: good steps taken, int32.
        baseline: a moving average of the loss per caption, float32; the baseline of hard attention.
    """

    step: Array
    baseline: Array


class CaptionerTask(ExampleTask):
    """A captioner and captioned images: teacher forcing, scheduled sampling, or a reward for whole captions.

    Validation runs the model freely; the best model has the highest CIDEr (or the best `learning.objective`).

    Args:
        model: the model to train.
        images: captioned images under `train` and, if there are any, `validation` and `test`.
        learning: the objective and the validation.

    Raises:
        UserError: there is nothing to train on, or the images do not support the objective.

    Example:
        >>> import numpy as np, seqnets as sn
        >>> from flax import nnx
        >>> from seqnets.data.words.vocabulary import WordVocabulary
        >>> pictures = CaptionedImages(np.zeros((4, 16, 16, 3), np.uint8), [["a dog"], ["a dog runs"]] * 2)
        >>> words = WordVocabulary(("a", "dog", "runs"))
        >>> model = Captioner(words, hidden_features=8, image_size=16, encoder_width=2, rngs=nnx.Rngs(0))
        >>> task = CaptionerTask(model, {"train": pictures, "validation": pictures})
        >>> run = sn.fit(task, sn.TrainConfig(steps=1, batch_size=2), progress=None)
        >>> "validation_CIDEr" in run.metrics[-1]
        True
    """

    name, units = "captioner", "captions"

    def __init__(self, model: Captioner, images: Mapping[str, CaptionedImages], learning: CaptionLearning | None = None):
        self.images, self.learning = dict(images), learning or CaptionLearning()
        if "train" not in self.images:
            raise UserError(f"captioned images need a split 'train'; there is {', '.join(self.images) or 'no split'}")
        if self.learning.objective == "correct" and not all(len(split.claims) for split in self.images.values()):
            raise UserError("learning.objective 'correct' is for scenes whose facts are known; set it to 'CIDEr'")
        splits = {name: split.examples(model.vocabulary, self.learning.max_words) for name, split in self.images.items()}
        super().__init__(model, splits)
        self._reward = self._make_reward() if self.learning.self_critical_after else None
        self._judged: dict[str, float] = {}

    @property
    def objective(self) -> str:
        """The figure of free-running validation that picks the best model."""
        return self.learning.objective

    @property
    def maximize(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the highest figure is best: true for all but the loss."""
        return self.objective != "nats"

    def initial_carry(self, batch_size: int) -> Course:
        """Return the count of steps and the baseline, both zero."""
        return Course(jnp.zeros(batch_size, jnp.int32), jnp.zeros(batch_size, jnp.float32))

    def loss(self, model: Any, batch: Batch, carry: Course, key: jax.Array) -> tuple[jax.Array, tuple[Carry, Metrics]]:
        """Return the loss of a batch of captions, the next carry and its figures."""
        encode_key, read_key = jax.random.split(key)
        annotations = self._encode(model, batch, carry.step[0], encode_key)
        if self._reward is None:
            loss, baseline, figures = self._given(model, annotations, batch, carry, read_key)
        else:
            loss, baseline, figures = jax.lax.cond(
                carry.step[0] >= self.learning.self_critical_after,
                lambda seen: self._rewarded(model, seen, batch, carry, read_key),
                lambda seen: self._given_beside_reward(model, seen, batch, carry, read_key),
                annotations,
            )
        return loss, (Course(carry.step + 1, baseline), figures)

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the loss of a batch at the first step."""
        loss, (_, figures) = self.loss(model, batch, self.initial_carry(len(batch["targets"])), key)
        return loss, figures

    def evaluate(self, model: Any, split: str) -> dict[str, float]:
        """Return the figures of free-running captions; empty if there is no such split."""
        if split not in self.images:
            return {}
        self._judged = self._judge(split).figures(model)
        return self._judged

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return nothing: `evaluate` needs the images' references."""
        return {}

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return the hashes of all splits and the objective."""
        learning = {f"learning.{name}": value for name, value in vars(self.learning).items()}
        return {**super().fingerprint(), **learning}

    def preview(self, model: Any, seed: int) -> str:
        """Return captions of some images, and a warning if the model ignores the images."""
        split = "validation" if "validation" in self.images else "train"
        judge = CaptionJudge(self.images[split].first(PREVIEW_IMAGES), self.learning.max_words, self.learning.validation_beam)
        rows = zip(judge.images.names_shown, judge.images.captions, judge.captions(model), strict=True)
        lines = [f"{name}: {found.text}   (reference: {captions[0]})" for name, captions, found in rows]
        return "\n".join([*ignored_warning(self._judged), *lines])

    def _given(self, model: Any, annotations: Any, batch: Batch, carry: Course, key: jax.Array) -> Any:
        targets, lengths = batch["targets"], batch["targets_lengths"]
        tokens = shifted(targets, self.vocabulary.begin)
        if self.learning.scheduled_sampling:
            risen = jnp.minimum(carry.step[0] / self.learning.scheduled_sampling_steps, 1.0)
            reading = read_with_own_words(model, annotations, tokens, self.learning.scheduled_sampling * risen, key)
        else:
            reading = model.read(annotations, tokens, lengths=lengths, key=key)
        loss, mean, figures = reading_objective(reading, targets, lengths, carry.baseline[0], self.learning)
        decay = jnp.where(carry.step[0] == 0, 0.0, self.learning.baseline_decay)
        baseline = decay * carry.baseline + (1 - decay) * jax.lax.stop_gradient(mean)[None]
        return loss, baseline.astype(carry.baseline.dtype), figures

    def _given_beside_reward(self, model: Any, annotations: Any, batch: Batch, carry: Course, key: jax.Array) -> Any:
        loss, baseline, figures = self._given(model, annotations, batch, carry, key)
        return loss, baseline, {"nats": figures["nats"], "reward": jnp.zeros((), jnp.float32)}

    def _rewarded(self, model: Any, annotations: Any, batch: Batch, carry: Course, key: jax.Array) -> Any:
        reward, length = cast(CiderReward, self._reward), batch["targets"].shape[1]
        loss, figures = self_critical_objective(model, annotations, batch["row"], reward, self.learning, length, key)
        return loss, carry.baseline, {"nats": jnp.zeros((), jnp.float32), **figures}

    def _encode(self, model: Any, batch: Batch, step: Array, key: jax.Array) -> Any:
        if not self.learning.finetune_after or batch["image"].ndim != 4:
            return model.encode(batch["image"], train=True, key=key)
        captions, size = len(self.splits["train"]), len(batch["targets"])
        start = math.ceil(self.learning.finetune_after * captions / size)
        features = model.features(batch["image"], train=True, key=jax.random.fold_in(key, 0))
        # a condition rather than a factor: before the start, no gradient is computed through the encoder
        features = jax.lax.cond(step >= start, lambda x: x, jax.lax.stop_gradient, features)
        return model.encode(features, train=True, key=key)

    def _judge(self, split: str) -> CaptionJudge:
        images = self.images[split].first(self.learning.validation_images)
        return CaptionJudge(images, self.learning.max_words, self.learning.validation_beam)

    def _make_reward(self) -> CiderReward:
        train, end = self.images["train"], self.vocabulary.end
        references = [[[*self.vocabulary.encode(text).tolist(), end] for text in captions] for captions in train.captions]
        return CiderReward(references)


def ignored_warning(figures: Mapping[str, float]) -> list[str]:
    """Return a warning if captions are equally likely with other images.

    Example:
        >>> ignored_warning({"image_gain": 0.001})[0][:40]
        'warning: the model hardly uses the image'
        >>> ignored_warning({"image_gain": 0.5}), ignored_warning({})
        ([], [])
    """
    gain = figures.get("image_gain", math.inf)
    if gain >= IGNORED:
        return []
    return [
        f"warning: the model hardly uses the image: with another image the loss is only {gain:.3f} nats per word higher; "
        "train longer, or check the features and that captions belong to their images"
    ]
