"""The maximum under a window, with a gradient made of masks. XLA's own scatters pixels, four times slower on a CPU."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_MOST_TAPS = 25  # larger windows would make the program long

Two = tuple[int, int]
Sides = tuple[Two, Two]


def largest(x: jax.Array, window: Two, stride: Two, sides: Sides) -> jax.Array:
    r"""Keep the maximum under each position of a window; the first of equal values takes the whole gradient.

    $$ y_{i,j} = \max_{a,b} x_{S i + a - P,\; S j + b - P} $$

    Args:
        x: [B, H, W, C].
        window: (KH, KW).
        stride: S, pixels from one position to the next.
        sides: P, padding before and after the rows, and the columns; it never wins.

    Returns:
        [B, H', W', C].

    Example:
        >>> x = jnp.array([3.0, 1.0, 2.0, 2.0]).reshape(1, 1, 4, 1)
        >>> jax.grad(lambda x: largest(x, (1, 2), (1, 2), ((0, 0), (0, 0))).sum())(x)[0, 0, :, 0]
        Array([1., 0., 1., 0.], dtype=float32)
    """
    return (_masked if window[0] * window[1] <= _MOST_TAPS else _reduced)(x, window, stride, sides)


def _reduced(x: jax.Array, window: Two, stride: Two, sides: Sides) -> jax.Array:
    lowest = np.asarray(-jnp.inf, x.dtype)[()]
    return lax.reduce_window(x, lowest, lax.max, (1, *window, 1), (1, *stride, 1), ((0, 0), *sides, (0, 0)))


_masked = jax.custom_jvp(_reduced, nondiff_argnums=(1, 2, 3))


@_masked.defjvp
def _masked_jvp(
    window: Two, stride: Two, sides: Sides, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    y = _masked(*primals, window, stride, sides)
    grid = (y.shape[1], y.shape[2])
    taps = zip(*(_taps(array, fill, window, stride, sides, grid) for array, fill in ((primals[0], -jnp.inf), (tangents[0], 0))))
    best, total = next(taps)
    # not value == y: XLA may compute x twice, within two loops, and the two can differ in their last bits
    for value, slope in taps:
        wins = value > best
        best, total = jnp.where(wins, value, best), jnp.where(wins, slope, total)
    return y, total


def _taps(x: jax.Array, fill: float, window: Two, stride: Two, sides: Sides, grid: Two) -> Iterator[jax.Array]:
    # plain slices, once the phases of the stride are separate axes
    blocks = [positions + (taps - 1) // step for positions, taps, step in zip(grid, window, stride)]
    pads = [(low, count * step - size - low, 0) for (low, _), count, step, size in zip(sides, blocks, stride, x.shape[1:3])]
    x = lax.pad(x, jnp.asarray(fill, x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))
    x = x.reshape(x.shape[0], blocks[0], stride[0], blocks[1], stride[1], x.shape[-1])
    for a, b in np.ndindex(*window):
        (row, row_phase), (column, column_phase) = divmod(a, stride[0]), divmod(b, stride[1])
        yield x[:, row : row + grid[0], row_phase, column : column + grid[1], column_phase]
