"""A feature pyramid: maps of every resolution that all know what the coarsest one sees."""

from collections.abc import Sequence

import jax
from flax import nnx

from seqnets.models.dense.decoder import fitted
from seqnets.models.dense.encoder import Shape
from seqnets.nn.conv import Conv
from seqnets.ops.pool import unpool_nearest


class Pyramid(nnx.Module):
    """From the coarsest map on, enlarge by repeated cells, add the finer map, and convolve each sum once for its level.

    Args:
        shapes: (h, w, C) of the maps, the finest first.
        features: of every level.
        rngs: `params` is used.

    Example:
        >>> import jax.numpy as jnp
        >>> pyramid = Pyramid([(8, 8, 2), (4, 4, 3)], 5, rngs=nnx.Rngs(0))
        >>> [level.shape for level in pyramid([jnp.zeros((1, 8, 8, 2)), jnp.zeros((1, 4, 4, 3))])]
        [(1, 8, 8, 5), (1, 4, 4, 5)]

    References:
        Lin et al., "Feature pyramid networks for object detection", 2017.
    """

    def __init__(self, shapes: Sequence[Shape], features: int, *, rngs: nnx.Rngs):
        self.sides = nnx.List([Conv(shape[2], features, 1, rngs=rngs) for shape in shapes])
        self.levels = nnx.List([Conv(features, features, 3, padding=1, rngs=rngs) for _ in shapes])

    def __call__(self, maps: Sequence[jax.Array]) -> list[jax.Array]:
        """Return [B, h, w, features] of each level from the maps, the finest first."""
        sums = [side(one) for side, one in zip(self.sides, maps)]
        for finer in range(len(sums) - 2, -1, -1):
            (height, width), coarse = sums[finer].shape[1:3], sums[finer + 1]
            factor = -(-height // coarse.shape[1]), -(-width // coarse.shape[2])
            sums[finer] = sums[finer] + fitted(unpool_nearest(coarse, factor), (height, width))
        return [level(one) for level, one in zip(self.levels, sums)]
