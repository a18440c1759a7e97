"""Windows on a picture, placed by a network: read and written through filters (DRAW), or looked at with a retina (RAM).

References:
    Mnih et al., "Recurrent models of visual attention", 2014.
    Gregor et al., "DRAW: a recurrent neural network for image generation", 2015.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.errors import UserError

PARAMETERS = 5
_LEAST = 1e-8  # the sum of a filter that lies outside of the picture is 0


class Window(NamedTuple):
    """A window of N x N points on a picture of H x W pixels.

    Attributes:
        rows: `(B, N, H)`, what each row of points takes from the rows of the picture.
        columns: `(B, N, W)`, the same for the columns.
        intensity: `(B,)`, the factor of what is read.
        box: `(B, 4)`, its left, top, right and bottom in pixels, where the left of the first pixel is 0.
    """

    rows: Array
    columns: Array
    intensity: Array
    box: Array


def gaussian_window(parameters: Array, points: int, size: tuple[int, int]) -> Window:
    r"""Return the window of N x N Gaussian filters that five numbers describe.

    $$ g_x = \tfrac{W + 1}{2} (\tilde g_x + 1), \quad g_y = \tfrac{H + 1}{2} (\tilde g_y + 1), \quad
       \delta = \tfrac{\max(H, W) - 1}{N - 1} \tilde\delta, \quad \mu_i = g + (i - \tfrac{N}{2} - \tfrac12)\, \delta, \quad
       F_{ia} \propto e^{-(a - \mu_i)^2 / 2 \sigma^2} $$

    with i from 1 and a, the pixels, from 0; each filter sums to 1 over the picture, or to 0 far outside of it.

    Args:
        parameters: `(B, 5)`: horizontal and vertical center, ln variance (in square pixels), ln stride, ln intensity.
        points: N, of a side.
        size: (H, W) of the picture, pixels.

    Raises:
        UserError: there are not five parameters, or N is below 1.

    Example:
        >>> window = gaussian_window(jnp.zeros((1, 5)), 3, (5, 7))
        >>> window.rows.shape, window.columns.sum(-1).round(3).tolist(), window.box.tolist()
        ((1, 3, 5), [[1.0, 1.0, 1.0]], [[0.0, -1.0, 9.0, 8.0]])
    """
    if parameters.ndim != 2 or parameters.shape[-1] != PARAMETERS or points < 1:
        raise UserError(f"parameters {parameters.shape} and {points} points are no window; give [B, 5] and at least 1 point")
    (height, width), (x, y, log_variance, log_stride, log_intensity) = size, parameters.T
    stride = (max(size) - 1) / max(points - 1, 1) * jnp.exp(log_stride)
    center_x, center_y = (width + 1) / 2 * (x + 1), (height + 1) / 2 * (y + 1)
    half = points / 2 * stride
    box = jnp.stack([center_x - half, center_y - half, center_x + half, center_y + half], -1) + 0.5
    rows, columns = (
        _filters(center, stride, log_variance, points, side) for center, side in ((center_y, height), (center_x, width))
    )
    return Window(rows, columns, jnp.exp(log_intensity), box)


def read_window(pictures: Array, window: Window) -> Array:
    r"""Read a window: $\gamma\, F_y\, x\, F_x^T$.

    Args:
        pictures: `(B, H, W, C)`.
        window: from `gaussian_window`.

    Returns:
        `(B, N, N, C)`.

    Example:
        >>> read_window(jnp.ones((1, 5, 7, 2)), gaussian_window(jnp.zeros((1, 5)), 3, (5, 7))).shape
        (1, 3, 3, 2)
    """
    return window.intensity[:, None, None, None] * _product(window.rows, pictures, window.columns)


def write_window(patches: Array, window: Window) -> Array:
    r"""Write through a window: $\frac{1}{\gamma} F_y^T\, w\, F_x$.

    Args:
        patches: `(B, N, N, C)`.
        window: from `gaussian_window`.

    Returns:
        `(B, H, W, C)`.

    Example:
        >>> write_window(jnp.ones((1, 3, 3, 2)), gaussian_window(jnp.zeros((1, 5)), 3, (5, 7))).shape
        (1, 5, 7, 2)
    """
    written = _product(window.rows.swapaxes(1, 2), patches, window.columns.swapaxes(1, 2))
    return written / window.intensity[:, None, None, None]


def retina(pictures: Array, places: Array, side: int, scales: int) -> Array:
    """Look at places of pictures: squares of side S, 2 S, 4 S, ... around each, all averaged to S x S; zeros outside.

    Args:
        pictures: `(B, H, W, C)`.
        places: `(B, 2)`, row and column in [-1, 1], from the first pixel's center to the last one's; rounded to pixels.
        side: S, pixels.
        scales: how many squares.

    Returns:
        `(B, scales, S, S, C)`.

    Raises:
        UserError: the shapes do not fit, or a number is below 1.

    Example:
        >>> retina(jnp.arange(16.0).reshape(1, 4, 4, 1), jnp.zeros((1, 2)), 2, 2)[0, :, :, :, 0].tolist()
        [[[5.0, 6.0], [9.0, 10.0]], [[2.5, 4.5], [10.5, 12.5]]]
    """
    if pictures.ndim != 4 or places.shape != (pictures.shape[0], 2) or min(side, scales) < 1:
        raise UserError(f"pictures {pictures.shape} and places {places.shape} do not fit; give [B, H, W, C] and [B, 2]")
    _, height, width, _ = pictures.shape
    sizes = [side * 2**scale for scale in range(scales)]
    looks = [
        _product(_means(places[:, 0], side, size, height), pictures, _means(places[:, 1], side, size, width)) for size in sizes
    ]
    return jnp.stack(looks, axis=1)


def divergence_from_normal(mean: Array, log_std: Array) -> Array:
    r"""Return how far normal distributions are from the standard one: $\frac12 \sum_i (\mu_i^2 + \sigma_i^2 - 1) - \ln \sigma_i$.

    Args:
        mean: `(..., Z)`.
        log_std: `(..., Z)`.

    Returns:
        `(...)`, nats.

    Example:
        >>> divergence_from_normal(jnp.array([0.0, 2.0]), jnp.zeros(2)).item()
        2.0
    """
    return jnp.sum(0.5 * (jnp.square(mean) + jnp.exp(2 * log_std) - 1) - log_std, -1)


def _filters(center: Array, stride: Array, log_variance: Array, points: int, side: int) -> Array:
    offsets = _counted(points, center, axis=1) - (points - 1) / 2
    means = center[:, None, None] + offsets * stride[:, None, None]
    distances = _counted(side, center, axis=2) - means
    weights = jnp.exp(-jnp.square(distances) / (2 * jnp.exp(log_variance)[:, None, None]))
    return weights / jnp.maximum(weights.sum(-1, keepdims=True), _LEAST)


def _means(place: Array, points: int, size: int, side: int) -> Array:
    first = jnp.round((place + 1) / 2 * (side - 1)) - size // 2
    pixels = _counted(side, place, axis=2) - first[:, None, None]  # from the border of the square
    point = jnp.floor(pixels * points / size)
    return jnp.where(point == _counted(points, place, axis=1), jnp.asarray(points / size, place.dtype), 0)


def _counted(count: int, like: Array, *, axis: int) -> Array:
    return jnp.expand_dims(jnp.arange(count, dtype=like.dtype), [place for place in range(3) if place != axis])


def _product(rows: Array, pictures: Array, columns: Array) -> Array:
    precise = jax.lax.Precision.HIGHEST
    across = jnp.einsum("bih,bhwc->biwc", rows, pictures, precision=precise)
    return jnp.einsum("biwc,bjw->bijc", across, columns, precision=precise)
