"""ResNet with activations before the convolutions, so that the shortcut stays an identity; and wide ResNets for CIFAR.

References:
    He, Zhang, Ren and Sun, "Identity mappings in deep residual networks", 2016.
    Zagoruyko and Komodakis, "Wide residual networks", 2016.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import pooled_head
from seqnets.models.cnn.network import ConvNet
from seqnets.models.cnn.residual import residual_stages
from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.pool import MaxPool
from seqnets.nn.stochastic_depth import Dropout, StochasticDepth


class PreactBlock(nnx.Module):
    r"""Twice batch norm, ReLU and a 3 x 3 convolution, with a shortcut: $y = F(x) + x$.

    Where the shape changes, the shortcut is a 1 x 1 convolution of the first activation.

    Args:
        in_features: channels of x.
        features: channels of y.
        stride: of the first convolution.
        drop_path: rate of stochastic depth.
        dropout: rate between the convolutions.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: PreactBlock(4, 8, stride=2, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 4)))).shape
        (1, 4, 4, 8)
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        stride: int = 1,
        drop_path: float = 0.0,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ):
        self.norm1 = BatchNorm(in_features, rngs=rngs)
        self.conv1 = Conv(in_features, features, 3, stride=stride, padding=1, use_bias=False, rngs=rngs)
        self.norm2 = BatchNorm(features, rngs=rngs)
        self.conv2 = Conv(features, features, 3, padding=1, use_bias=False, rngs=rngs)
        self.shortcut = _projection(in_features, features, stride, rngs)
        self.dropout, self.drop_path = Dropout(dropout), StochasticDepth(drop_path)
        self.out_features = features

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H / stride, W / stride, features]."""
        noise, drop = (None, None) if key is None else jax.random.split(key)
        active = jax.nn.relu(self.norm1(x, train=train))
        y = jax.nn.relu(self.norm2(self.conv1(active), train=train))
        y = self.conv2(self.dropout(y, key=noise))
        return self.drop_path(y, key=drop) + (x if self.shortcut is None else self.shortcut(active))


class PreactBottleneck(nnx.Module):
    r"""Batch norm and ReLU before each of a 1 x 1, a 3 x 3 and a 1 x 1 convolution, and a shortcut.

    Args:
        in_features: channels of x.
        features: a quarter of the channels of y.
        stride: of the 3 x 3 convolution.
        drop_path: rate of stochastic depth.
        dropout: rate before the last convolution.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: PreactBottleneck(4, 8, stride=2, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 4)))).shape
        (1, 4, 4, 32)
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        stride: int = 1,
        drop_path: float = 0.0,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ):
        self.norm1 = BatchNorm(in_features, rngs=rngs)
        self.conv1 = Conv(in_features, features, 1, use_bias=False, rngs=rngs)
        self.norm2 = BatchNorm(features, rngs=rngs)
        self.conv2 = Conv(features, features, 3, stride=stride, padding=1, use_bias=False, rngs=rngs)
        self.norm3 = BatchNorm(features, rngs=rngs)
        self.conv3 = Conv(features, 4 * features, 1, use_bias=False, rngs=rngs)
        self.shortcut = _projection(in_features, 4 * features, stride, rngs)
        self.dropout, self.drop_path = Dropout(dropout), StochasticDepth(drop_path)
        self.out_features = 4 * features

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H / stride, W / stride, 4 features]."""
        noise, drop = (None, None) if key is None else jax.random.split(key)
        active = jax.nn.relu(self.norm1(x, train=train))
        y = jax.nn.relu(self.norm2(self.conv1(active), train=train))
        y = jax.nn.relu(self.norm3(self.conv2(y), train=train))
        y = self.conv3(self.dropout(y, key=noise))
        return self.drop_path(y, key=drop) + (x if self.shortcut is None else self.shortcut(active))


def imagenet_stem(in_channels: int, features: int, *, rngs: nnx.Rngs) -> Chain:
    """Make a 7 x 7 convolution with batch norm, as in the plain ResNet, and a pooling.

    Example:
        >>> jax.eval_shape(lambda: imagenet_stem(3, 8, rngs=nnx.Rngs(0))(jnp.ones((1, 32, 32, 3)))).shape
        (1, 8, 8, 8)
    """
    conv = Conv(in_channels, features, 7, stride=2, padding=3, use_bias=False, rngs=rngs)
    return Chain([conv, BatchNorm(features, rngs=rngs), jax.nn.relu, MaxPool(3, stride=2, padding=1)])


def cifar_stem(in_channels: int, features: int, *, rngs: nnx.Rngs) -> Chain:
    """Make a bare 3 x 3 convolution to 16 features: the first block activates.

    Example:
        >>> jax.eval_shape(lambda: cifar_stem(3, 16, rngs=nnx.Rngs(0))(jnp.ones((1, 32, 32, 3)))).shape
        (1, 32, 32, 16)
    """
    return Chain([Conv(in_channels, features, 3, padding=1, use_bias=False, rngs=rngs)])


CIFAR = {"stem": cifar_stem, "stem_features": 16, "classes": 10}

VARIANTS: dict[str, dict[str, Any]] = {
    "preact_resnet18": {"depths": (2, 2, 2, 2), "block": PreactBlock},
    "preact_resnet34": {"depths": (3, 4, 6, 3), "block": PreactBlock},
    "preact_resnet50": {"depths": (3, 4, 6, 3)},
    "preact_resnet101": {"depths": (3, 4, 23, 3)},
    "preact_resnet152": {"depths": (3, 8, 36, 3)},
    "preact_resnet200": {"depths": (3, 24, 36, 3)},
    "preact_resnet110": {"depths": (18, 18, 18), "block": PreactBlock, "features": 16, **CIFAR},
    "preact_resnet164": {"depths": (18, 18, 18), "features": 16, **CIFAR},
    "wide_resnet16_4": {"depths": (2, 2, 2), "block": PreactBlock, "features": 64, **CIFAR},
    "wide_resnet40_2": {"depths": (6, 6, 6), "block": PreactBlock, "features": 32, **CIFAR},
    "wide_resnet28_10": {"depths": (4, 4, 4), "block": PreactBlock, "features": 160, **CIFAR},
}


def preact_resnet(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    depths: Sequence[int],
    block: Callable[..., PreactBlock | PreactBottleneck] = PreactBottleneck,
    features: int = 64,
    stem: Callable[..., Chain] = imagenet_stem,
    stem_features: int = 64,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a pre-activation ResNet; the last stage ends with the batch norm and ReLU that the blocks lack.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        depths: blocks of each stage.
        block: makes a block: `PreactBlock` or `PreactBottleneck`.
        features: of the first stage's blocks, doubled in each following stage.
        stem: makes the first layers: `imagenet_stem` or `cifar_stem` of this file.
        stem_features: of the stem.
        dropout: rate inside the blocks.
        drop_path: rate of stochastic depth at the last block, falling linearly to the first.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: preact_resnet(depths=(1, 1), features=8, stem=cifar_stem, classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (8, 8, 3))
        {'stem': (8, 8, 64), 'stage1': (8, 8, 32), 'stage2': (4, 4, 64), 'pool': (64,), 'logits': (10,)}
    """
    first = {"stem": stem(in_channels, stem_features, rngs=rngs)}
    stages, last = residual_stages(block, stem_features, depths, features, drop_path=drop_path, dropout=dropout, rngs=rngs)
    stages[f"stage{len(depths)}"].extend([BatchNorm(last, rngs=rngs), jax.nn.relu])
    return ConvNet(first | stages | pooled_head(last, classes, rngs=rngs), in_channels=in_channels, dtype=dtype)


def _projection(in_features: int, out_features: int, stride: int, rngs: nnx.Rngs) -> Conv | None:
    if stride == 1 and in_features == out_features:
        return None
    return Conv(in_features, out_features, 1, stride=stride, use_bias=False, rngs=rngs)
