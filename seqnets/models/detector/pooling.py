"""How the features of regions come to one size: the operators as a table, and the level of a pyramid for each region."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp

from seqnets.models.detector.config import DetectorConfig
from seqnets.ops.boxes import box_areas
from seqnets.ops.regions import region_align, region_max_pool, region_pyramid

Pool = Callable[..., jax.Array]


def _align(config: DetectorConfig, grid: int) -> Pool:
    return partial(region_align, size=grid, aligned=config.aligned)


def _max(config: DetectorConfig, grid: int) -> Pool:
    return partial(region_max_pool, size=grid)


def _spp(config: DetectorConfig, grid: int) -> Pool:
    return partial(region_pyramid, levels=config.spp_grids)


POOLS: Mapping[str, Callable[[DetectorConfig, int], Pool]] = {"align": _align, "max": _max, "spp": _spp}
"""Region poolings by name: `(config, grid) -> pool(features, boxes, scale=...)`."""


def pooled(pool: Pool, maps: Sequence[jax.Array], boxes: jax.Array, scales: Sequence[float], level_cells: float) -> jax.Array:
    """Return the features of regions, each from its own level of a pyramid.

    Args:
        pool: one of `POOLS`, with its settings.
        maps: [B, h, w, C] of each level, the finest first.
        boxes: [B, R, 4], pixels.
        scales: cells of each map per pixel.
        level_cells: see `levels`.

    Returns:
        [B, R, ...] as the pool has it.
    """
    if len(maps) == 1:
        return pool(maps[0], boxes, scale=scales[0])
    level, parts = levels(boxes, scales, level_cells), [pool(one, boxes, scale=scale) for one, scale in zip(maps, scales)]
    owned = [jnp.expand_dims(level == number, range(2, parts[0].ndim)) for number in range(len(parts))]
    return jnp.select(owned, parts)


def levels(boxes: jax.Array, scales: Sequence[float], level_cells: float) -> jax.Array:
    r"""Return the level of a pyramid that each region is pooled from: the coarsest one where it still has enough cells.

    $$ k = \lfloor \log_2 (\sqrt{W H} / n) \rfloor $$

    for n cells is the level whose cells have $2^k$ pixels; the paper has n = 14: 224 pixels at a stride of 16.

    Args:
        boxes: [..., 4], pixels.
        scales: cells of each map per pixel, the finest first, each half of the one before.
        level_cells: n.

    Returns:
        [...] of int32, from 0.

    Example:
        >>> boxes = jnp.array([[0.0, 0.0, 100.0, 100.0], [0.0, 0.0, 224.0, 224.0], [0.0, 0.0, 900.0, 900.0]])
        >>> levels(boxes, [1 / 4, 1 / 8, 1 / 16, 1 / 32], 14).tolist()
        [0, 2, 3]

    References:
        Lin et al., "Feature pyramid networks for object detection", 2017.
    """
    finest = jnp.log2(jnp.asarray(scales[0], boxes.dtype))
    level = jnp.floor(jnp.log2(jnp.sqrt(box_areas(boxes)) / level_cells + 1e-12) + finest + 1e-6)
    return jnp.clip(level, 0, len(scales) - 1).astype(jnp.int32)
