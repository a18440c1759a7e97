"""Untrained filters of many sizes: enough to describe a texture, and always at hand."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import Partial

SIZES = (3, 5, 7, 11, 15, 23)
_FILTERS = 32


def random_filters(seed: int = 0) -> Partial:
    """Return a function from pictures [B, H, W, C] of 0 to 255 to ReLU maps of random filters: `size3` to `size23`.

    Every filter has mean 0 and length 1. The larger ones see the picture at half or a quarter of its size.

    Example:
        >>> {name: maps.shape for name, maps in random_filters()(jnp.zeros((1, 16, 16, 3))).items()}["size7"]
        (1, 8, 8, 32)

    References:
        Ustyuzhaninov et al., "Texture synthesis using shallow convolutional networks with random filters", 2016.
    """
    return Partial(_maps, _kernels(seed))


@cache
def _kernels(seed: int) -> dict[int, jax.Array]:
    rng = np.random.default_rng(seed)
    found = {}
    for size in SIZES:
        kernel = rng.normal(size=(_taps(size), _taps(size), 3, _FILTERS))
        kernel -= kernel.mean((0, 1, 2))
        found[size] = jnp.asarray(kernel / np.sqrt((kernel**2).sum((0, 1, 2))), jnp.float32)
    return found


def _shrinking(size: int) -> int:
    return 1 if size < 7 else 2 if size < 15 else 4


def _taps(size: int) -> int:
    return -(-size // _shrinking(size)) // 2 * 2 + 1


def _maps(kernels: dict[int, jax.Array], pictures: jax.Array) -> dict[str, jax.Array]:
    pictures = jnp.broadcast_to(pictures / 64 - 2, (*pictures.shape[:-1], 3))
    found = {}
    for size, kernel in kernels.items():
        small, edge = _shrunk(pictures, _shrinking(size)), len(kernel) // 2
        wide = jnp.pad(small, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="edge")
        found[f"size{size}"] = jax.nn.relu(
            lax.conv_general_dilated(wide, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        )
    return found


def _shrunk(pictures: jax.Array, factor: int) -> jax.Array:
    size = (1, factor, factor, 1)
    return lax.reduce_window(pictures, 0.0, lax.add, size, size, "VALID") / factor**2 if factor > 1 else pictures
