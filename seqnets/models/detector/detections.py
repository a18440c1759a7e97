"""From scored boxes to the detections of a picture."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.models.detector.config import DetectorConfig
from seqnets.ops.suppression import suppress

_SURE = 8  # candidates of which suppression sees the best, for each detection that is kept
_LEAST_SIDE = 1e-2  # pixels


class Candidates(NamedTuple):
    """Boxes [B, N, 4] in pixels, or [B, N, C, 4] for each class, and the score of each class [B, N, C] in [0, 1]."""

    boxes: jax.Array
    scores: jax.Array


class Detected(NamedTuple):
    """The detections of each picture, the surest first.

    Attributes:
        boxes: [B, K, 4] in pixels.
        labels: [B, K] of int32.
        scores: [B, K]; 0 where there are fewer.
        masks: [B, K, m, m], probabilities within the box; None where they are not found.
        joints: [B, K, m, m, J], the strength of each joint within the box; None where they are not found.
        locations: [B, K, L, D], what a captioner reads of each region; None where there is none.
    """

    boxes: jax.Array
    labels: jax.Array
    scores: jax.Array
    masks: jax.Array | None = None
    joints: jax.Array | None = None
    locations: jax.Array | None = None

    def of_picture(self, row: int) -> "Detected":
        """Return those of a picture of the batch, without padding, as arrays of NumPy."""
        there = np.flatnonzero(np.asarray(self.scores[row]) > 0)
        return jax.tree.map(lambda array: np.asarray(array[row])[there], self)


def surest(candidates: Candidates, config: DetectorConfig) -> Detected:
    """Return the surest detections of each picture, without those that overlap a surer one of their class."""
    boxes, scores = candidates
    classes = scores.shape[-1]
    flat = scores.reshape(scores.shape[0], -1)
    best, at = jax.lax.top_k(flat, min(flat.shape[1], _SURE * config.keep))
    rows = at if boxes.ndim == 4 else at // classes
    some, labels = jnp.take_along_axis(boxes.reshape(boxes.shape[0], -1, 4), rows[..., None], 1), at % classes
    is_box = (best >= config.least_score) & (some[..., 2:] - some[..., :2] >= _LEAST_SIDE).all(-1)
    kept = suppress(some, best, threshold=config.suppression, keep=config.keep, groups=labels, is_box=is_box)
    chosen = jnp.take_along_axis(some, kept.indices[..., None], 1)
    labels, best = (jnp.take_along_axis(array, kept.indices, 1) for array in (labels, best))
    return Detected(chosen, labels.astype(jnp.int32), jnp.where(kept.is_kept, best, 0))
