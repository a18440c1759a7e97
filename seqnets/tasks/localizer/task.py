"""Localization as a task: class and box, or joints."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.examples import RegionSet
from seqnets.data.regions.loader import Batch, Part
from seqnets.errors import UserError
from seqnets.metrics.pose import right_joints, right_limbs
from seqnets.models.dense.encoder import size_of
from seqnets.models.dense.localizer import Found, Localizer, corners, shares
from seqnets.ops.boxes import intersection_over_union
from seqnets.tasks.localizer import PlaceLossConfig
from seqnets.tasks.region_task import RegionTask, Tell, silent
from seqnets.train.task import Metrics

_NEAR, _OVERLAP = 0.2, 0.5  # of the torso; of the box
_CHAINS = (("ankle", "knee", "hip"), ("wrist", "elbow", "shoulder"))


class LocalizerTask(RegionTask):
    r"""A localizer and pictures with one thing each.

    With a box, two losses: $L = -\ln p_y + \lambda\, d(b, b^*)$, where b are the center and the sides as shares of the picture's,
    and d the squared distance or smooth L1, summed. With joints, the mean of d over the known ones; with heatmaps,
    $\sum_c t_c \ln (t_c / p_c)$ over all cells, where t is a bump around the joint and p the softmax of its map, or the squared
    differences.

    The best model finds the most: for boxes, the share of things whose class is right and whose overlap is above .5; for joints,
    the mean share that lies within a fifth of the torso of the truth (PCK), in pixels of the original pictures.

    Args:
        model: a `Localizer`.
        regions: pictures with one thing each, see `seqnets.tasks.localizer.examples`.
        config: how they are varied and loaded.
        loss: the losses.
        tell: called with a sentence when pictures cannot be read.

    Raises:
        UserError: the model has other classes or joints.

    References:
        Sermanet et al., "OverFeat", 2014. Toshev and Szegedy, "DeepPose", 2014. Newell, Yang and Deng, "Stacked hourglass
        networks for human pose estimation", 2016.
    """

    name = "localizer"
    parts: ClassVar[tuple[Part, ...]] = ("boxes", "joints")

    def __init__(
        self,
        model: Localizer,
        regions: RegionSet,
        config: RegionConfig | None = None,
        *,
        loss: PlaceLossConfig | None = None,
        tell: Tell = silent,
    ) -> None:
        super().__init__(model, regions, config, tell=tell)
        self.loss_config, self.finds_boxes = loss or PlaceLossConfig(), model.config.head == "box"
        if tuple(model.labels) != (regions.classes if self.finds_boxes else regions.joints):
            raise UserError("the model's labels are not the classes (or the joints) of the pictures; make it with those")
        self._size = size_of(model.preprocessing)

    @property
    def objective(self) -> str:
        """The figure that picks the best model: localized, or pck."""
        return "localized" if self.finds_boxes else "pck"

    def losses(self, model: Any, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
        """Return the loss of a batch and its parts."""
        found = model(model.preprocessing.normalize(batch["images"]), train=True, key=key)
        if self.finds_boxes:
            return self._box_losses(found, batch)
        truth = jnp.asarray(batch["joints"])[:, 0]
        loss = self._heat_loss(found["heatmaps"], truth) if "heatmaps" in found else self._joint_loss(found["joints"], truth)
        return loss, {"joints": loss}

    def measure(self, model: Any, split: str) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Return the figures of a whole split, and what was found: `boxes` and `labels`, or `joints`, in original pixels."""
        parts = [tally | self._truth(batch) for tally, batch in self.computed(model, split, _answers)]
        every = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        rows = np.flatnonzero(every["weights"] > 0)
        every = {name: array[rows] for name, array in every.items()} | {"rows": rows}
        if not len(rows):
            raise UserError(f"none of the pictures for {split} can be read; replace them, or leave the split out")
        return (self._box_figures(every) if self.finds_boxes else self._joint_figures(every, split)), every

    def fingerprint(self) -> Mapping[str, str | int | float]:
        """Return what identifies the pictures, their variation and the losses."""
        return {**super().fingerprint(), **{f"loss.{name}": value for name, value in asdict(self.loss_config).items()}}

    def _truth(self, batch: Batch) -> dict[str, np.ndarray]:
        return {"weights": batch["weights"], "truth": batch["labels" if self.finds_boxes else "joints"][:, 0]}

    def _box_losses(self, found: Found, batch: Batch) -> tuple[jax.Array, Metrics]:
        labels, boxes = jnp.asarray(batch["labels"])[:, 0], jnp.asarray(batch["boxes"])[:, 0]
        there = (labels >= 0).astype(jnp.float32)
        count, label = jnp.maximum(there.sum(), 1), jnp.maximum(labels, 0)
        nats = jnp.sum(there * optax.losses.softmax_cross_entropy_with_integer_labels(found["logits"], label)) / count
        place = jnp.sum(there * self._distance(_chosen(found["boxes"], label), shares(boxes, self._size)).sum(-1)) / count
        right = jnp.sum(there * (found["logits"].argmax(-1) == label)) / count
        return nats + self.loss_config.place_weight * place, {"nats": nats, "place": place, "top1": right}

    def _joint_loss(self, joints: jax.Array, truth: jax.Array) -> jax.Array:
        scale = jnp.array([[self._size[::-1]]], jnp.float32)
        off = self._distance(joints, truth[..., :2] / scale).sum(-1)
        return jnp.sum(off * truth[..., 2]) / jnp.maximum(truth[..., 2].sum(), 1)

    def _heat_loss(self, heat: jax.Array, truth: jax.Array) -> jax.Array:
        bump, known = bumps(truth, self._size, (heat.shape[1], heat.shape[2]), self.loss_config.sigma), truth[..., 2]
        if self.loss_config.heatmap == "l2":
            off = jnp.mean(jnp.square(heat - bump), (1, 2))
        else:
            flat, wanted = (maps.reshape(maps.shape[0], -1, maps.shape[-1]) for maps in (heat, bump))
            wanted = wanted / jnp.maximum(wanted.sum(1, keepdims=True), 1e-9)
            # less the least that it can be, so that 0 is perfect
            off = jnp.sum(jax.scipy.special.xlogy(wanted, wanted) - wanted * jax.nn.log_softmax(flat, 1), 1)
        return jnp.sum(off * known) / jnp.maximum(known.sum(), 1)

    def _distance(self, found: jax.Array, truth: jax.Array) -> jax.Array:
        if self.loss_config.distance == "l2":
            return jnp.square(found - truth)
        return optax.losses.huber_loss(found, truth, delta=self.loss_config.beta) / self.loss_config.beta

    def _box_figures(self, every: Mapping[str, np.ndarray]) -> dict[str, float]:
        there = every["truth"] >= 0
        right, overlap = (every["labels"] == every["truth"])[there], every["overlap"][there]
        parts = {"localized": right & (overlap > _OVERLAP), "top1": right, "found": overlap > _OVERLAP, "mean_overlap": overlap}
        return {name: float(np.mean(part)) for name, part in parts.items()}

    def _joint_figures(self, every: dict[str, np.ndarray], split: str) -> dict[str, float]:
        pictures, names = self.pictures(split), self.regions.joints
        moves = [pictures.move(int(row)) for row in every["rows"]]
        found = np.stack([move.origins(joints[:, :2]) for move, joints in zip(moves, every["joints"])])
        truth = np.stack([move.origins(joints[:, :2]) for move, joints in zip(moves, every["truth"])])
        known = every["truth"][..., 2] > 0
        every["joints"] = found
        sizes = np.array([np.max(move.window[2:]) - np.min(move.window[:2]) for move in moves], float)
        figures = {"pck": float(np.nanmean(right_joints(found, truth, known, torsos(truth, known, names, sizes), _NEAR)))}
        limbs = limbs_of(names)
        return {**figures, "pcp": float(np.nanmean(right_limbs(found, truth, known, limbs)))} if limbs else figures


def bumps(joints: jax.Array, size: tuple[int, int], grid: tuple[int, int], sigma: float) -> jax.Array:
    r"""Return a map for each joint with a bump around it: $\exp(-r^2 / 2 \sigma^2)$, where r is measured in cells.

    Args:
        joints: [B, K, 3] in pixels.
        size: (H, W) of the picture.
        grid: (h, w) of the map.
        sigma: standard deviation in cells.

    Returns:
        [B, h, w, K].

    Example:
        >>> bumps(jnp.array([[[6.0, 2.0, 1.0]]]), (8, 8), (2, 2), 1.0)[0, :, :, 0].round(2).tolist()
        [[0.6100000143051147, 1.0], [0.3700000047683716, 0.6100000143051147]]
    """
    squares = []
    for axis, (pixels, cells) in enumerate(zip(size[::-1], grid[::-1])):
        at = joints[:, None, :, axis] * (cells / pixels) - 0.5
        squares.append(jnp.square(jnp.arange(cells, dtype=jnp.float32)[None, :, None] - at))
    return jnp.exp(-(squares[1][:, :, None] + squares[0][:, None]) / (2 * sigma**2))


def torsos(joints: np.ndarray, known: np.ndarray, names: tuple[str, ...], sizes: np.ndarray) -> np.ndarray:
    """Return the distance of left shoulder and right hip of each person; a third of `sizes` where one is not known.

    Example:
        >>> joints = np.array([[[0.0, 0.0], [3.0, 4.0]]])
        >>> torsos(joints, np.ones((1, 2), bool), ("left_shoulder", "right_hip"), np.array([9.0])).tolist()
        [5.0]
    """
    plain = [name.replace("_", " ").lower() for name in names]
    if not {"left shoulder", "right hip"} <= set(plain):
        return sizes / 3
    one, other = plain.index("left shoulder"), plain.index("right hip")
    lengths = np.linalg.norm(joints[:, one] - joints[:, other], axis=-1)
    return np.where(known[:, one] & known[:, other] & (lengths > 0), lengths, sizes / 3)


def limbs_of(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the pairs of joints that are the ends of a limb: lower and upper legs and arms, on both sides.

    Example:
        >>> limbs_of(("left hip", "left knee", "left ankle"))
        [(2, 1), (1, 0)]
    """
    plain = [name.replace("_", " ").lower() for name in names]
    pairs = [pair for chain in _CHAINS for side in ("left", "right") for pair in _pairs(chain, side)]
    return [(plain.index(one), plain.index(other)) for one, other in pairs if {one, other} <= set(plain)]


def split_line(split: str, figures: Mapping[str, float], count: int) -> str:
    """Return the figures of a split in a sentence.

    Example:
        >>> split_line("test", {"pck": 0.5, "pcp": 0.25}, 10)
        'test: PCK@.2 0.5000, PCP 0.2500 over 10 pictures'
    """
    words = {"localized": "class and box right", "top1": "class right", "found": "box right", "mean_overlap": "mean overlap",
             "pck": "PCK@.2", "pcp": "PCP"}  # fmt: skip
    return f"{split}: {', '.join(f'{words[name]} {value:.4f}' for name, value in figures.items())} over {count:,} pictures"


def _pairs(chain: tuple[str, str, str], side: str) -> list[tuple[str, str]]:
    end, middle, start = (f"{side} {part}" for part in chain)
    return [(end, middle), (middle, start)]


def _chosen(boxes: jax.Array, label: jax.Array) -> jax.Array:
    return boxes if boxes.ndim == 2 else jnp.take_along_axis(boxes, label[:, None, None], 1)[:, 0]


@partial(jax.jit, static_argnums=0)
def _answers(graphdef: Any, state: Any, batch: Any) -> dict[str, jax.Array]:
    model = nnx.merge(graphdef, state)
    found = model(model.preprocessing.normalize(batch["images"]))
    if "boxes" not in found:
        return {"joints": model.places(found)}
    labels = found["logits"].argmax(-1)
    boxes = corners(_chosen(found["boxes"], labels), size_of(model.preprocessing))
    overlap = intersection_over_union(boxes[:, None], batch["boxes"])[:, 0, 0]
    return {"labels": labels, "boxes": boxes, "overlap": overlap}
