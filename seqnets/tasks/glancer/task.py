"""Naming what glimpses show as a task."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from seqnets.data.examples.examples import Batch, Examples, in_order
from seqnets.data.fingerprint import digest_of
from seqnets.data.images.config import ScatterConfig
from seqnets.data.images.gray import MOST_BYTES, GraySet
from seqnets.data.images.scattered import Scattered, ScatteredBatches
from seqnets.errors import UserError
from seqnets.models.glimpse.glancer import Glancer, Glances
from seqnets.tasks.example_task import ExampleTask
from seqnets.tasks.glancer import GlanceLossConfig
from seqnets.tasks.reinforce import score_term
from seqnets.train.task import Metrics

_BATCH, _LEARNED = 100, 0  # pictures at a time in evaluation; the seed of their places


class GlancerTask(ExampleTask):
    r"""A glancer and pictures; the loss is -ln p of every thing, and what teaches places and baseline.

    $$ L = \sum_t w_t \ell_t + \lambda \sum_t [c_t - b_t] \ln \pi(l_t) + \beta \frac1T \sum_t (c_t - b_t)^2
       - \eta \sum_t H(\pi_t) $$

    where the weights w of the N glimpses at a thing are 1/N, or 0 and 1 for the last, and c, the cost of what is said from a
    glimpse on, is a constant under differentiation, as b is in the bracket. The baseline b is learned by least squares from what
    the network knew before the glimpse. Held-out pictures are put on their
    canvases once and for all. A picture counts as right if everything on it is named in order, and then the end.

    Args:
        model: a `Glancer` whose labels are the classes, and the end for several things.
        pictures: the pictures by split.
        config: the canvas.
        loss: the weights.

    Raises:
        UserError: the labels are others, or the pictures do not fit on the canvas.

    References:
        Mnih et al., "Recurrent models of visual attention", 2014.
    """

    name, objective, units = "glancer", "accuracy", "pictures"

    def __init__(
        self,
        model: Glancer,
        pictures: GraySet,
        config: ScatterConfig | None = None,
        loss: GlanceLossConfig | None = None,
    ) -> None:
        if model.labels[: len(pictures.classes)] != pictures.classes:
            raise UserError("the model's labels are not the classes of the pictures; make it with labels=pictures.classes")
        self.config, self.loss_config, end = config or ScatterConfig(), loss or GlanceLossConfig(), len(pictures.classes)
        self._digest = digest_of({f"{name} {part}": array for name, split in pictures.splits.items()
                                  for part, array in split._asdict().items()})  # fmt: skip
        self.scattered = {
            name: Scattered(split, self.config, model.config.objects, end) for name, split in pictures.splits.items()
        }
        super().__init__(model, {name: held_out(split) for name, split in self.scattered.items() if name != "train"})

    def batches(self, batch_size: int, seed: int, rows: slice | np.ndarray = slice(None)) -> Any:
        """Return some rows of the batches of the training split, put on canvases again in each epoch."""
        return ScatteredBatches(self.scattered["train"], batch_size, seed, rows)

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the mean loss of a batch and its figures."""
        glances = model.look(model.preprocessing.normalize(batch["image"]), key, train=True)
        losses, figures = glance_objective(glances, batch["labels"], len(model.labels), self.loss_config)
        return jnp.mean(losses), figures

    def figures(self, model: Any, examples: Examples) -> dict[str, float]:
        """Return the exact figures of a split, with the probabilities averaged over several series of places."""
        found, truth = named(model, examples), np.asarray(examples.columns["labels"])
        counted = counts(truth, len(model.labels))
        right = (found.argmax(-1) == truth) | ~counted
        nats = -np.take_along_axis(found, truth[..., None], -1)[..., 0]
        return {"accuracy": float(right.all(-1).mean()), "nats": float((nats * counted).sum(-1).mean(dtype=np.float64))}

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return the hash of the pictures, the canvas and the loss."""
        canvas = {f"data.{name}": getattr(self.config, name) for name in ("canvas", "clutter", "piece")}
        return {"pictures": self._digest, **canvas, **{f"loss.{name}": value for name, value in vars(self.loss_config).items()}}


def held_out(scattered: Scattered) -> Examples:
    """Return every picture on a canvas that stays the same.

    Raises:
        UserError: they need too much memory.
    """
    if scattered.config.scatters and len(scattered) * scattered.config.canvas**2 > MOST_BYTES:
        raise UserError(f"{len(scattered):,} held-out canvases need more than 4 GB of memory; lower --data.canvas")
    rows = np.arange(len(scattered))
    return Examples(scattered.rows(rows, seed=_LEARNED, epoch=0))


def counts(labels: Any, classes: int) -> Any:
    """Return which of the labels `(B, K)` count: those up to the first end, which is the last class of several things.

    Example:
        >>> counts(np.array([[1, 2, 2], [2, 2, 2]]), 3).tolist()
        [[True, True, False], [True, False, False]]
    """
    ended = (labels[:, :-1] == classes - 1) if labels.shape[1] > 1 else labels[:, :0] > 0
    before = ended.cumsum(1) > 0
    return ~np.pad(before, ((0, 0), (1, 0))) if isinstance(labels, np.ndarray) else ~jnp.pad(before, ((0, 0), (1, 0)))


def glance_objective(glances: Glances, labels: jax.Array, classes: int, config: GlanceLossConfig) -> tuple[jax.Array, Metrics]:
    """Return the loss of every picture, `(B,)`, as `GlancerTask` states it, and the figures of the batch.

    Args:
        glances: of B pictures with K things and T glimpses.
        labels: `(B, K)` int32.
        classes: C, with the end.
        config: the weights.
    """
    glimpses = glances.expected.shape[1] // labels.shape[1]
    wanted, counted = (jnp.repeat(array, glimpses, axis=1) for array in (labels, counts(labels, classes)))
    last = jnp.arange(wanted.shape[1]) % glimpses == glimpses - 1
    weights = counted * (1 / glimpses if config.answers == "every" else last[None])
    nats = optax.losses.softmax_cross_entropy_with_integer_labels(glances.logits, wanted)
    wrong = glances.logits.argmax(-1) != wanted
    cost = jax.lax.stop_gradient(weights * (nats if config.cost == "nats" else wrong))
    later = jnp.cumsum(cost[:, ::-1], 1)[:, ::-1]
    score = jnp.sum(score_term(later, glances.expected, glances.choices.log_prob), -1)
    entropy = jnp.sum(glances.choices.entropy, -1)
    error = jnp.mean(jnp.square(later - glances.expected), -1)
    loss = jnp.sum(weights * nats, -1) + config.score_rate * score + config.baseline * error - config.entropy * entropy
    named = (counted & last[None]).astype(nats.dtype)
    figures = {"nats": jnp.mean(jnp.sum(named * nats, -1)), "accuracy": jnp.mean(~jnp.any(wrong * named > 0, -1))}
    return loss, {**figures, "baseline_error": error.mean(), "entropy": entropy.mean()}


def named(model: Any, examples: Examples) -> np.ndarray:
    """Return ln p of every thing of every picture, `(N, K, C)`."""
    graphdef, state = nnx.split(model)
    batches = in_order(examples, min(_BATCH, len(examples)))
    return np.concatenate([np.asarray(_named(graphdef, state, batch["image"]))[:count] for batch, count in batches])


@partial(jax.jit, static_argnums=0)
def _named(graphdef: Any, state: Any, pixels: jax.Array) -> jax.Array:
    model = nnx.merge(graphdef, state)
    return model.answers(model.preprocessing.normalize(jnp.asarray(pixels)))[0]
