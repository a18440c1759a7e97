"""From images to a map of features."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.errors import UserError
from seqnets.models.captioner.config import CaptionerConfig
from seqnets.models.cnn.network import ConvNet
from seqnets.models.registry import create_model
from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.chain import Chain, apply
from seqnets.nn.conv import Conv

FeatureMap = tuple[int, int, int]


class Backbone(nnx.Module):
    """The first stages of a network, with its parameters under the same names.

    Batch norms always use their running statistics: a captioner's batches differ from the images that the network was
    trained on, and a frozen network must not drift.

    Args:
        network: any network of the conv stack.
        layer: the last stage to keep; empty for the last stage with a feature map.
        image_size: height and width of the images.

    Raises:
        UserError: the network has no such stage, or it has no feature map.

    Example:
        >>> from seqnets.models.registry import create_model
        >>> backbone = Backbone(create_model("lenet5", in_channels=3), "stage2", image_size=32)
        >>> backbone.feature_map, backbone(jnp.zeros((2, 32, 32, 3))).shape
        ((12, 12, 16), (2, 12, 12, 16))
    """

    def __init__(self, network: ConvNet, layer: str, *, image_size: int):
        maps = _map_shapes(network, image_size)
        layer = layer or list(maps)[-1]
        if layer not in maps:
            raise UserError(f"model.encoder_layer must be one of {', '.join(maps)}, not {layer!r}")
        self.stage_names = network.feature_names[: network.feature_names.index(layer) + 1]
        for name in self.stage_names:
            setattr(self, name, getattr(network, name))
        self.feature_map = maps[layer]
        self.in_channels, self.dtype = network.in_channels, network.dtype

    def __call__(self, images: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_channels] to [B, h, w, D]; `train` and `key` are not used."""
        x = images.astype(self.dtype)
        for name in self.stage_names:
            x = apply(getattr(self, name), x)
        return x


class SmallEncoder(nnx.Module):
    """Three convolutions that halve the image and one that does not, for small drawings.

    Two channels with each pixel's coordinates are added, so that a feature shows which thing is left of which.

    Args:
        image_size: height and width of the images.
        width: features of the first convolution; they double twice.
        rngs: `params` is used.

    Example:
        >>> encoder = SmallEncoder(64, 8, rngs=nnx.Rngs(0))
        >>> encoder(jnp.zeros((2, 64, 64, 3))).shape, encoder.feature_map
        ((2, 8, 8, 32), (8, 8, 32))

    References:
        Liu et al., "An Intriguing Failing of Convolutional Neural Networks and the CoordConv Solution", 2018.
    """

    def __init__(self, image_size: int, width: int, *, rngs: nnx.Rngs):
        widths = (5, width, 2 * width, 4 * width, 4 * width)
        layers: list = []
        for index, (before, after) in enumerate(itertools.pairwise(widths)):
            stride = 2 if index < 3 else 1
            layers += [Conv(before, after, 3, stride=stride, padding=1, rngs=rngs), BatchNorm(after, rngs=rngs), jax.nn.relu]
        self.layers = Chain(layers)
        side = -(-image_size // 8)
        self.feature_map: FeatureMap = (side, side, widths[-1])
        self.in_channels = 3

    def __call__(self, images: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, 3] to [B, h, w, D]."""
        return self.layers(jnp.concatenate([images, _places(images)], axis=-1), train=train, key=key)


def _places(images: jax.Array) -> jax.Array:
    batch, height, width, _ = images.shape
    rows, columns = jnp.meshgrid(jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width), indexing="ij")
    return jnp.broadcast_to(jnp.stack([rows, columns], axis=-1)[None], (batch, height, width, 2)).astype(images.dtype)


def _map_shapes(network: ConvNet, image_size: int) -> dict[str, FeatureMap]:
    shapes, x = {}, jax.ShapeDtypeStruct((1, image_size, image_size, network.in_channels), network.dtype)
    for name in network.feature_names[:-1]:
        try:
            x = jax.eval_shape(partial(apply, getattr(network, name)), x)
        except UserError:  # the dense layer expects images of another size, but the maps before it are still usable
            break
        if x.ndim != 4:
            break
        shapes[name] = x.shape[1:]
    return shapes


def make_encoder(config: CaptionerConfig, *, rngs: nnx.Rngs) -> Backbone | SmallEncoder | None:
    """Make the encoder named by `config.encoder`, with arbitrary weights; None for stored features.

    Raises:
        UserError: the network or layer is unknown.
    """
    match config.encoder:
        case "features":
            return None
        case "small":
            return SmallEncoder(config.image_size, config.encoder_width, rngs=rngs)
    network = create_model(config.encoder, rngs=rngs)
    return Backbone(network, config.encoder_layer, image_size=config.image_size)


def as_float(images: jax.Array) -> jax.Array:
    """Scale uint8 images from 0 .. 255 to -1 .. 1; leave other images as they are.

    Example:
        >>> as_float(jnp.array([0, 255], jnp.uint8)).tolist()
        [-1.0, 1.0]
    """
    return images.astype(jnp.float32) / 127.5 - 1.0 if images.dtype == jnp.uint8 else images
