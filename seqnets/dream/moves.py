"""What happens between the steps: how the network sees the picture, which gradients count, and what is done afterwards."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.image import scale_and_translate


class Move:
    """Do nothing: subclasses replace one of the three."""

    def view(self, picture: jax.Array, key: jax.Array) -> jax.Array:
        """Return what the network sees of the picture [B, H, W, C]; it is differentiated."""
        return picture

    def gradient(self, gradient: jax.Array, values: jax.Array) -> jax.Array:
        """Return the gradient that counts, before it is normalized."""
        return gradient

    def after(self, values: jax.Array, step: jax.Array) -> jax.Array:
        """Return the values after step number `step`, counted from 1."""
        return values


@dataclass(frozen=True)
class Jitter(Move):
    """Show the picture rolled by a random number of pixels, up to a limit, along both axes."""

    pixels: int

    def view(self, picture: jax.Array, key: jax.Array) -> jax.Array:
        """Roll the picture."""
        return jnp.roll(picture, jax.random.randint(key, (2,), -self.pixels, self.pixels + 1), axis=(1, 2))


@dataclass(frozen=True)
class Scale(Move):
    """Show the picture scaled about its middle by a random factor; what it lacks at the border is its mean color."""

    least: float = 0.9
    most: float = 1.1

    def view(self, picture: jax.Array, key: jax.Array) -> jax.Array:
        """Scale the picture."""
        factor = jax.random.uniform(key, (), minval=self.least, maxval=self.most)
        middle = jnp.array(picture.shape[1:3]) / 2
        mean = jax.lax.stop_gradient(jnp.mean(picture, axis=(1, 2), keepdims=True))
        move = middle * (1 - factor)
        return mean + scale_and_translate(picture - mean, picture.shape, (1, 2), jnp.full(2, factor), move, "linear")


@dataclass(frozen=True)
class Blur(Move):
    """Blur the picture after every n-th step, by a Gaussian.

    References:
        Yosinski et al., "Understanding neural networks through deep visualization", 2015.
    """

    every: int = 4
    sigma: float = 0.5

    def after(self, values: jax.Array, step: jax.Array) -> jax.Array:
        """Blur if it is time."""
        return jax.lax.cond(step % self.every == 0, self.blurred, lambda values: values, values)

    def blurred(self, values: jax.Array) -> jax.Array:
        """Return the blurred picture; beyond the border the edge goes on."""
        reach = max(1, round(3 * self.sigma))
        bell = jnp.exp(-0.5 * (jnp.arange(-reach, reach + 1) / self.sigma) ** 2)
        bell = bell / bell.sum()
        for axis in (1, 2):
            wide = jnp.pad(values, [(reach, reach) if axis == at else (0, 0) for at in range(4)], mode="edge")
            parts = (jax.lax.dynamic_slice_in_dim(wide, at, values.shape[axis], axis) for at in range(2 * reach + 1))
            values = sum((weight * part for weight, part in zip(bell, parts)), jnp.zeros_like(values))
        return values


@dataclass(frozen=True)
class Clip(Move):
    """Keep the values in a range after every step."""

    low: float = 0.0
    high: float = 255.0

    def after(self, values: jax.Array, step: jax.Array) -> jax.Array:
        """Clip the values."""
        return jnp.clip(values, self.low, self.high)


@dataclass(frozen=True)
class DropSmallPixels(Move):
    """Set the share of pixels nearest to a color back to that color after every n-th step (Yosinski et al., 2015)."""

    share: float = 0.1
    center: tuple[float, ...] = (127.5,)
    every: int = 1

    def after(self, values: jax.Array, step: jax.Array) -> jax.Array:
        """Drop them."""
        center = jnp.reshape(jnp.array(self.center, values.dtype), (1, 1, 1, -1))
        dropped = jnp.where(_large(values - center, self.share), values, center)
        return jnp.where(step % self.every == 0, dropped, values)


@dataclass(frozen=True)
class DropSmallGradients(Move):
    """Leave out the share of pixels whose gradients are smallest (Yosinski et al., 2015)."""

    share: float = 0.1

    def gradient(self, gradient: jax.Array, values: jax.Array) -> jax.Array:
        """Leave them out."""
        return jnp.where(_large(gradient, self.share), gradient, 0.0)


@dataclass(frozen=True)
class CenterBias(Move):
    """Weigh the gradient by a bell around the middle of the picture, so that one thing grows there.

    References:
        Nguyen, Yosinski and Clune, "Multifaceted feature visualization", 2016.
    """

    width: float = 0.35

    def gradient(self, gradient: jax.Array, values: jax.Array) -> jax.Array:
        """Weigh it."""
        down, across = (jnp.exp(-0.5 * (jnp.linspace(-0.5, 0.5, size) / self.width) ** 2) for size in gradient.shape[1:3])
        return gradient * jnp.outer(down, across)[None, :, :, None]


def _large(x: jax.Array, share: float) -> jax.Array:
    sizes = jnp.linalg.norm(x, axis=-1, keepdims=True)
    return sizes >= jnp.quantile(sizes, share, axis=(1, 2), keepdims=True)
