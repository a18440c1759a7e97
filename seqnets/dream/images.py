"""The numbers that a picture is made of: its pixels, the waves in it, the change of another one, or a generator's code."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from seqnets.errors import UserError

# the square root of the covariance of the colors of ImageNet's pixels, largest column scaled to 1 (lucid's constants)
_COLORS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
_COLORS = _COLORS / np.linalg.norm(_COLORS, axis=0).max()


class Canvas(NamedTuple):
    """Values to optimize, and how they make pictures.

    Args:
        values: [B, ...] of float32.
        picture: values to pictures [B, H, W, C] of 0 to 255; a `jax.tree_util.Partial`.
    """

    values: jax.Array
    picture: Partial

    def pictures(self) -> jax.Array:
        """Return the pictures, [B, H, W, C]."""
        return self.picture(self.values)


def pixels(pictures: Any) -> Canvas:
    """Return a canvas whose values are the pixels of given pictures, [H, W, C] or [B, H, W, C] of 0 to 255.

    Example:
        >>> pixels(np.zeros((4, 5, 3), np.uint8)).values.shape
        (1, 4, 5, 3)
    """
    return Canvas(_batch(pictures), Partial(_itself))


def noise(shape: Sequence[int], *, seed: int = 0, spread: float = 20.0, center: Any = 127.5) -> Canvas:
    """Return a canvas of pixels with Gaussian noise around a color.

    Args:
        shape: (B, H, W, C).
        seed: seed of the noise.
        spread: its standard deviation.
        center: the color, one value or one for each channel.
    """
    return pixels(
        spread * jax.random.normal(jax.random.key(seed), tuple(shape)) + np.asarray(center, np.float32).reshape(1, 1, 1, -1)
    )


def change_of(pictures: Any) -> Canvas:
    """Return a canvas whose values are what is added to given pictures, 0 at first."""
    batch = _batch(pictures)
    return Canvas(jnp.zeros_like(batch), Partial(_changed, batch))


def fourier(shape: Sequence[int], *, seed: int = 0, spread: float = 0.01) -> Canvas:
    r"""Return a canvas whose values are waves, each scaled by its length, in decorrelated colors; a sigmoid bounds the pixels.

    A step then changes the picture at all scales alike, and in the colors of photographs.

    Args:
        shape: (B, H, W, C), C 1 or 3.
        seed: seed of the start.
        spread: standard deviation of the start.

    Example:
        >>> fourier((2, 8, 9, 3)).pictures().shape
        (2, 8, 9, 3)

    References:
        Olah, Mordvintsev and Schubert, "Feature visualization", Distill, 2017.
    """
    count, height, width, channels = shape
    values = spread * jax.random.normal(jax.random.key(seed), (count, height, width // 2 + 1, channels, 2))
    return Canvas(values, Partial(_waves(height, width)))


def latent(generator: Callable[[jax.Array], jax.Array], size: int, *, batch: int = 1, seed: int = 0) -> Canvas:
    """Return a canvas whose values are the codes of a generator, drawn from a standard normal distribution.

    Args:
        generator: codes [B, size] to pictures [B, H, W, C] of 0 to 255; one made with `jax.tree_util.Partial` is compiled once.
        size: the length of a code.
        batch: B.
        seed: seed of the codes.

    References:
        Nguyen et al., "Synthesizing the preferred inputs for neurons in neural networks via deep generator networks", 2016.
    """
    return Canvas(
        jax.random.normal(jax.random.key(seed), (batch, size)),
        generator if isinstance(generator, Partial) else Partial(generator),
    )


def resized(pictures: Any, size: tuple[int, int]) -> jax.Array:
    """Return pictures [B, H, W, C] in another size (height, width)."""
    batch = _batch(pictures)
    return jax.image.resize(batch, (len(batch), *size, batch.shape[-1]), "linear")


def octave_sizes(size: tuple[int, int], octaves: int, ratio: float, least: int = 16) -> list[tuple[int, int]]:
    """List the sizes from the smallest octave to the picture's own; those with a side below `least` are left out.

    Example:
        >>> octave_sizes((98, 196), octaves=3, ratio=1.4)
        [(50, 100), (70, 140), (98, 196)]
    """
    sizes = [(round(size[0] / ratio**k), round(size[1] / ratio**k)) for k in reversed(range(octaves))]
    return [found for found in sizes if min(found) >= least or found == size]


def as_bytes(pictures: Any) -> np.ndarray:
    """Return pictures as uint8."""
    return np.clip(np.rint(np.asarray(pictures, np.float32)), 0, 255).astype(np.uint8)


def _batch(pictures: Any) -> jax.Array:
    array = jnp.asarray(pictures, jnp.float32)
    if array.ndim not in (3, 4) or array.shape[-1] not in (1, 3):
        raise UserError(f"pictures must be [H, W, C] or [B, H, W, C] with 1 or 3 channels, not {array.shape}")
    return array[None] if array.ndim == 3 else array


def _itself(values: jax.Array) -> jax.Array:
    return values


def _changed(pictures: jax.Array, values: jax.Array) -> jax.Array:
    return pictures + values


@lru_cache(maxsize=32)
def _waves(height: int, width: int) -> Callable[[jax.Array], jax.Array]:
    return partial(_of_waves, height=height, width=width)


def _of_waves(values: jax.Array, *, height: int, width: int) -> jax.Array:
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    scale = np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width))
    spectrum = (values[..., 0] + 1j * values[..., 1]) * scale[None, :, :, None].astype(np.float32)
    plain = jnp.fft.irfft2(spectrum, (height, width), axes=(1, 2)) / 4
    if plain.shape[-1] == 3:
        plain = plain @ jnp.asarray(_COLORS).T
    return 255 * jax.nn.sigmoid(plain)
