"""Named features of a network at every resolution, for decoders."""

import itertools
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.cnn.network import ConvNet
from seqnets.models.cnn.vgg import vgg
from seqnets.models.dense.config import DenseConfig
from seqnets.models.registry import create_model
from seqnets.nn.chain import apply, subkey

Shape = tuple[int, int, int]

_HEADS = ("pool", "maps", "logits")  # stages that no longer see where things are, or see published classes only


class FeatureEncoder(nnx.Module):
    """The stages of a network that have maps, with their parameters under the same names.

    Args:
        network: any network of the conv stack.
        size: (H, W) of the pictures.

    Raises:
        UserError: the network cannot take pictures of this size.

    Example:
        >>> encoder = FeatureEncoder(small_network(4, 3, rngs=nnx.Rngs(0)), (32, 32))
        >>> [(name, shape) for name, shape in encoder.feature_maps][:2]
        [('stage1', (32, 32, 4)), ('stage2', (16, 16, 8))]
        >>> sorted(encoder(jnp.zeros((1, 32, 32, 3))))
        ['stage1', 'stage2', 'stage3', 'stage4']
    """

    def __init__(self, network: ConvNet, size: tuple[int, int]):
        shapes = _map_shapes(network, size)
        # the last map of each resolution
        self.feature_maps = tuple((name, shape) for name, shape in shapes.items() if _is_last(name, shape, shapes))
        if not self.feature_maps:
            raise UserError(f"the encoder has no map for pictures of {size[0]} x {size[1]}; set --data.height to more pixels")
        self.stage_names = network.feature_names[: network.feature_names.index(self.feature_maps[-1][0]) + 1]
        for name in self.stage_names:
            setattr(self, name, getattr(network, name))
        self.in_channels, self.dtype = network.in_channels, network.dtype

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> dict[str, jax.Array]:
        """Return the last map [B, h, w, C] of each resolution of [B, H, W, in_channels], by name."""
        x, found, wanted = x.astype(self.dtype), {}, {name for name, _ in self.feature_maps}
        for index, name in enumerate(self.stage_names):
            x = apply(getattr(self, name), x, train=train, key=subkey(key, index))
            if name in wanted:
                found[name] = x
        return found


def small_network(width: int, in_channels: int, *, rngs: nnx.Rngs, dtype: str = "float32") -> ConvNet:
    """Return seven convolutions with batch norm at four resolutions, for small pictures.

    Example:
        >>> small_network(4, 1, rngs=nnx.Rngs(0)).feature_names[:2]
        ('stage1', 'stage2')
    """
    features = (width, 2 * width, 4 * width, 4 * width)
    sizes = {"depths": (1, 2, 2, 2), "features": features, "grid": 1, "hidden_features": 1, "classes": 1}
    return vgg(**sizes, normalize=True, in_channels=in_channels, dtype=jnp.dtype(dtype), rngs=rngs)


def make_network(config: DenseConfig, in_channels: int, *, rngs: nnx.Rngs, weights: str = "") -> ConvNet:
    """Return the network that a configuration names, with random weights or published ones.

    Args:
        config: the configuration.
        in_channels: channels of the pictures.
        rngs: `params` is used.
        weights: published weights, as for `create_model`; empty for random ones.

    Raises:
        UserError: the network is unknown, or the weights do not match it.
    """
    if config.encoder == "small":
        return small_network(config.width, in_channels, dtype=config.dtype, rngs=rngs)
    return create_model(
        config.encoder, in_channels=in_channels, dtype=jnp.dtype(config.dtype), weights=weights or None, rngs=rngs
    )


def make_encoder(config: DenseConfig, rule: Preprocessing, *, rngs: nnx.Rngs) -> FeatureEncoder:
    """Return the encoder that a configuration describes, with random weights, for the pictures of a rule.

    Raises:
        UserError: the network is unknown, or cannot take pictures of this size.
    """
    return FeatureEncoder(make_network(config, rule.channel_count, rngs=rngs), size_of(rule))


def size_of(rule: Preprocessing) -> tuple[int, int]:
    """Return (H, W) of the pictures of a rule.

    Raises:
        UserError: it leaves them of any size.
    """
    if rule.image_size is None:
        raise UserError("the preprocessing gives pictures of any size; give it a resize of (height, width)")
    return rule.image_size


def _is_last(name: str, shape: Shape, shapes: dict[str, Shape]) -> bool:
    return name == [other for other, its in shapes.items() if its[:2] == shape[:2]][-1]


def _map_shapes(network: ConvNet, size: tuple[int, int]) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    x = jax.ShapeDtypeStruct((1, *size, network.in_channels), network.dtype)
    for name in itertools.takewhile(lambda name: name not in _HEADS, network.feature_names):
        run: Callable = partial(apply, getattr(network, name))
        try:
            x = jax.eval_shape(run, x)
        except (UserError, ValueError, TypeError):  # the dense layers want another size; the maps before them are usable
            break
        if x.ndim != 4 or min(x.shape[1:3]) < 2:
            break
        shapes[name] = x.shape[1:]
    return shapes
