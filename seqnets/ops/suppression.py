"""Non-maximum suppression with a result of fixed size, so that it can be jitted and batched."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from seqnets.ops.boxes import box_areas


class Kept(NamedTuple):
    """The boxes that suppression keeps, the best first.

    Attributes:
        indices: [..., K] of int32; 0 where fewer are kept.
        is_kept: [..., K] of bool: whether there is such a box.
    """

    indices: jax.Array
    is_kept: jax.Array


def suppress(
    boxes: jax.Array,
    scores: jax.Array,
    *,
    threshold: float,
    keep: int,
    groups: jax.Array | None = None,
    is_box: jax.Array | None = None,
) -> Kept:
    """Keep the box with the best score, drop those that overlap it by more than a threshold, and repeat this with the rest.

    It takes `keep` steps of N overlaps each. A score that is not a number never wins.

    Args:
        boxes: [..., N, 4], pixels.
        scores: [..., N].
        threshold: the largest overlap (IoU) of two boxes that are both kept.
        keep: K, the number of boxes that are kept at most.
        groups: [..., N] of integers: boxes of different groups, such as classes, do not suppress each other.
        is_box: [..., N] of bool; the others are padding. All are boxes when None.

    Returns:
        The kept boxes, the best first; of equal scores the first box is best.

    Example:
        >>> boxes = jnp.array([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.2], [5.0, 5.0, 6.0, 6.0]])
        >>> indices, is_kept = suppress(boxes, jnp.array([0.5, 0.9, 0.1]), threshold=0.5, keep=3)
        >>> indices.tolist(), is_kept.tolist()
        ([1, 2, 0], [True, True, False])
    """
    boxes, scores = lax.stop_gradient(jnp.asarray(boxes)), lax.stop_gradient(jnp.asarray(scores))
    groups = jnp.zeros(scores.shape, jnp.int32) if groups is None else jnp.asarray(groups)
    is_box = jnp.ones(scores.shape, bool) if is_box is None else jnp.asarray(is_box)
    of_one = partial(_of_one, threshold=threshold, keep=keep)
    for _ in scores.shape[:-1]:
        of_one = jax.vmap(of_one)
    return Kept(*of_one(boxes, scores, groups, is_box))


def _of_one(
    boxes: jax.Array, scores: jax.Array, groups: jax.Array, is_box: jax.Array, *, threshold: float, keep: int
) -> tuple[jax.Array, jax.Array]:
    alive = is_box & ~jnp.isnan(scores)
    order = jnp.argsort(jnp.where(alive, -scores, jnp.inf), stable=True).astype(jnp.int32)
    boxes, groups, alive = boxes[order], groups[order], alive[order]
    left, top, right, bottom = boxes.T
    sizes = box_areas(boxes)

    def next_best(alive: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        best = jnp.argmax(alive)  # the first one that is left
        width = jnp.minimum(right, right[best]) - jnp.maximum(left, left[best])
        height = jnp.minimum(bottom, bottom[best]) - jnp.maximum(top, top[best])
        shared = jnp.maximum(width, 0) * jnp.maximum(height, 0)
        near = (shared > threshold * (sizes + sizes[best] - shared)) & (groups == groups[best])
        return alive & ~near & (jnp.arange(len(alive)) != best), (best, alive[best])

    _, (places, is_kept) = lax.scan(next_best, alive, length=min(keep, len(scores)))
    short = max(keep - len(scores), 0)
    is_kept = jnp.pad(is_kept, (0, short))
    return jnp.where(is_kept, order[jnp.pad(places, (0, short))], 0), is_kept
