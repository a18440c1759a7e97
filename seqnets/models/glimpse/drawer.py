"""A network that draws a picture in steps.

References:
    Gregor et al., "DRAW: a recurrent neural network for image generation", 2015.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.description import described, stated
from seqnets.models.glimpse.config import DrawerConfig as DrawerConfig
from seqnets.models.glimpse.layers import StepLayers
from seqnets.nn.chain import subkey
from seqnets.nn.dense import Dense
from seqnets.nn.initializers import input_kernel
from seqnets.nn.remat import scan_in_chunks
from seqnets.ops.glimpses import PARAMETERS, divergence_from_normal, gaussian_window, read_window, write_window


class Drawing(NamedTuple):
    """Drawings of B pictures in T steps.

    Attributes:
        canvas: `(B, T, H, W, 1)`, the logits of white after each step.
        boxes: `(B, T, 4)`, the windows that were written: left, top, right, bottom in pixels.
        divergence: `(B, T)`, nats: what each step learns of the picture; zeros for pictures of its own.
    """

    canvas: Array
    boxes: Array
    divergence: Array


class Drawer(nnx.Module):
    r"""Add to a canvas T times, as random numbers say, which an encoder that sees the picture chooses in training.

    $$ r_t = [\mathrm{read}(x), \mathrm{read}(x - \sigma(c_{t-1}))], \quad e_t = f([r_t, d_{t-1}]), \quad
       z_t \sim N(\mu(e_t), \sigma(e_t)), \quad d_t = g(z_t), \quad c_t = c_{t-1} + \mathrm{write}(d_t) $$

    where f and g are recurrent, and d says where to read and to write: windows of N x N Gaussian filters, or the whole picture
    without points.

    Args:
        config: the shape.
        preprocessing: the rule for gray pictures, which gives all of them one size.
        rngs: `params` is used.

    Raises:
        UserError: the pictures are in color, or of any size.

    Example:
        >>> rule = Preprocessing(resize=(8, 8), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> config = DrawerConfig(hidden_features=8, latent_features=2, steps=3)
        >>> model = Drawer(config, rule, rngs=nnx.Rngs(0))
        >>> model.draw(2, jax.random.key(0)).canvas.shape
        (2, 3, 8, 8, 1)
    """

    vocabulary = None

    def __init__(self, config: DrawerConfig, preprocessing: Preprocessing, *, rngs: nnx.Rngs):
        if preprocessing.image_size is None or preprocessing.channel_count != 1:
            raise UserError("a drawer needs gray pictures of one size; give a preprocessing with channels 'gray' and a crop")
        self.config, self.preprocessing, self.size = config, preprocessing, preprocessing.image_size
        whole, hidden, plain = self.size[0] * self.size[1], config.hidden_features, {"kernel_init": input_kernel, "rngs": rngs}
        self.encoder = StepLayers(config, 2 * (config.read_points**2 or whole) + hidden, rngs=rngs)
        self.latent = Dense(hidden, 2 * config.latent_features, **plain)
        self.decoder = StepLayers(config, config.latent_features, rngs=rngs)
        self.aim = Dense(hidden, PARAMETERS, **plain) if config.read_points else None
        self.place = Dense(hidden, PARAMETERS, **plain) if config.write_points else None
        self.stroke = Dense(hidden, config.write_points**2 or whole, **plain)
        self.blank = nnx.Param(jnp.zeros((*self.size, 1), jnp.float32))

    def redraw(self, pictures: Array, key: Array, *, train: bool = False) -> Drawing:
        """Draw given pictures again.

        Args:
            pictures: `(B, H, W, 1)` in [0, 1].
            key: a JAX key that draws the random numbers.
            train: whether the key also turns on the noise of training.
        """
        noise, z_key = key if train else None, jax.random.fold_in(key, 0)
        encode = self.encoder.steps(subkey(noise, 1))

        def chosen(encoder: Any, canvas: Array, decoded: Array, time: Array) -> tuple[Any, Array, Array]:
            seen = self._read(pictures, canvas, decoded)
            encoder, hidden = encode(encoder, jnp.concatenate([seen, decoded], -1), subkey(noise, 3 + 2 * time))
            mean, log_std = jnp.split(self.latent(hidden), 2, -1)
            z = mean + jnp.exp(log_std) * jax.random.normal(jax.random.fold_in(z_key, time), mean.shape, mean.dtype)
            return encoder, z, divergence_from_normal(mean, log_std)

        return self._drawn(len(pictures), chosen, noise)

    def draw(self, count: int, key: Array) -> Drawing:
        """Draw pictures of its own, from random numbers of the standard normal distribution."""

        def chosen(encoder: Any, canvas: Array, decoded: Array, time: Array) -> tuple[Any, Array, Array]:
            z = jax.random.normal(jax.random.fold_in(key, time), (count, self.config.latent_features))
            return encoder, z, jnp.zeros(count)

        return self._drawn(count, chosen, None)

    def describe(self) -> dict[str, Any]:
        """Return the section `model` of config.json."""
        return {"kind": "Drawer", "config": asdict(self.config), "preprocessing": self.preprocessing.to_json()}

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return nothing: no array has an axis of classes."""
        return {}

    def _drawn(self, count: int, chosen: Any, noise: Array | None) -> Drawing:
        decode = self.decoder.steps(subkey(noise, 2))

        def body(held: Any, time: Array) -> Any:
            encoder, decoder, canvas = held
            encoder, z, divergence = chosen(encoder, canvas, self.decoder.hidden(decoder), time)
            decoder, hidden = decode(decoder, z, subkey(noise, 4 + 2 * time))
            written, box = self._write(hidden)
            return (encoder, decoder, canvas + written), (canvas + written, box, divergence)

        blank = jnp.broadcast_to(self.blank[...][None], (count, *self.size, 1))
        start = (self.encoder.start(count), self.decoder.start(count), blank)
        _, seen = scan_in_chunks(body, start, jnp.arange(self.config.steps), self.config.remat)
        return Drawing(*jax.tree.map(lambda array: array.swapaxes(0, 1), seen))

    def _read(self, pictures: Array, canvas: Array, decoded: Array) -> Array:
        both = jnp.concatenate([pictures, pictures - jax.nn.sigmoid(canvas)], -1)
        if self.aim is not None:
            both = read_window(both, gaussian_window(self.aim(decoded), self.config.read_points, self.size))
        return both.reshape(len(pictures), -1)

    def _write(self, hidden: Array) -> tuple[Array, Array]:
        stroke, points = self.stroke(hidden), self.config.write_points
        if self.place is None:
            whole = jnp.array([0.0, 0.0, self.size[1], self.size[0]])
            return stroke.reshape(-1, *self.size, 1), jnp.broadcast_to(whole[None], (len(hidden), 4))
        window = gaussian_window(self.place(hidden), points, self.size)
        return write_window(stroke.reshape(-1, points, points, 1), window), window.box


def from_description(description: Mapping[str, Any], vocabulary: Any = None) -> Drawer:
    """Make the network that a run folder's config.json describes, with arbitrary weights.

    Args:
        description: section `model` of config.json.
        vocabulary: unused, since drawers have none.

    Raises:
        UserError: the description belongs to another version.

    Example:
        >>> rule = Preprocessing(resize=(8, 8), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> model = Drawer(DrawerConfig(hidden_features=4, latent_features=2), rule, rngs=nnx.Rngs(0))
        >>> from_description(model.describe()).size
        (8, 8)
    """
    with described("Drawer"):
        config = stated(description["config"], DrawerConfig())
        return Drawer(config, Preprocessing.from_json(description["preprocessing"]), rngs=nnx.Rngs(0))
