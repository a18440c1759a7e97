"""The parts of residual networks: blocks, shortcuts and stems."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.chain import Chain, Layer
from seqnets.nn.conv import Conv
from seqnets.nn.conv_norm import ConvNorm
from seqnets.nn.pool import MaxPool
from seqnets.nn.stochastic_depth import StochasticDepth, linear_decay

Shortcut = Callable[..., Layer]
"""`shortcut(in_features, out_features, stride, rngs=rngs)` makes the shortcut of a block."""


def projection_shortcut(in_features: int, out_features: int, stride: int, *, rngs: nnx.Rngs) -> Layer:
    """Make a normalized 1 x 1 convolution where the shape changes, an identity elsewhere (option B).

    Example:
        >>> jax.eval_shape(lambda: projection_shortcut(4, 4, 1, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 4)))).shape
        (1, 4, 4, 4)
    """
    if stride == 1 and in_features == out_features:
        return Chain([])
    return ConvNorm(in_features, out_features, 1, stride=stride, activation=None, rngs=rngs)


def padded_shortcut(in_features: int, out_features: int, stride: int, *, rngs: nnx.Rngs) -> Layer:
    """Make a shortcut without parameters: skip pixels, and append zero features (option A).

    Example:
        >>> padded_shortcut(1, 3, 2, rngs=nnx.Rngs(0))(jnp.ones((1, 2, 2, 1))).tolist()
        [[[[0.0, 1.0, 0.0]]]]
    """
    return PadFeatures(out_features - in_features, stride)


class PadFeatures(nnx.Module):
    """Take every `stride`-th pixel and put zero features on both sides of the given ones.

    Args:
        extra: zero features, half of them on either side.
        stride: pixels from one kept pixel to the next.

    Example:
        >>> PadFeatures(2, 1)(jnp.ones((1, 1, 1, 1))).tolist()
        [[[[0.0, 1.0, 0.0]]]]
    """

    def __init__(self, extra: int, stride: int):
        self.before, self.after, self.stride = extra // 2, extra - extra // 2, stride

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, C] to [B, H / stride, W / stride, C + extra]."""
        x = jax.lax.slice(x, (0,) * 4, x.shape, (1, self.stride, self.stride, 1))
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (self.before, self.after)))


def imagenet_stem(in_channels: int, features: int, *, rngs: nnx.Rngs) -> Chain:
    """Make a 7 x 7 convolution and a pooling, which leave a quarter of the height and width.

    Example:
        >>> jax.eval_shape(lambda: imagenet_stem(3, 8, rngs=nnx.Rngs(0))(jnp.ones((1, 32, 32, 3)))).shape
        (1, 8, 8, 8)
    """
    return Chain([ConvNorm(in_channels, features, 7, stride=2, padding=3, rngs=rngs), MaxPool(3, stride=2, padding=1)])


def caffe_stem(in_channels: int, features: int, *, rngs: nnx.Rngs) -> Chain:
    """Make the stem of the authors' Caffe networks, whose pooling has no padding and hangs over the far edges.

    Example:
        >>> jax.eval_shape(lambda: caffe_stem(3, 8, rngs=nnx.Rngs(0))(jnp.ones((1, 32, 32, 3)))).shape
        (1, 8, 8, 8)
    """
    pool = MaxPool(3, stride=2, rounding="ceil")
    return Chain([ConvNorm(in_channels, features, 7, stride=2, padding=3, rngs=rngs), pool])


def cifar_stem(in_channels: int, features: int, *, rngs: nnx.Rngs) -> Chain:
    """Make a 3 x 3 convolution that keeps the size, for images of 32 x 32.

    Example:
        >>> jax.eval_shape(lambda: cifar_stem(3, 8, rngs=nnx.Rngs(0))(jnp.ones((1, 32, 32, 3)))).shape
        (1, 32, 32, 8)
    """
    return Chain([ConvNorm(in_channels, features, 3, padding=1, rngs=rngs)])


def residual_stages(
    block: Callable[..., Any], in_features: int, depths: Sequence[int], features: int, *, drop_path: float = 0.0, **options: Any
) -> tuple[dict[str, Chain], int]:
    """Make stages of blocks; every stage but the first halves the image and doubles the features.

    Args:
        block: makes a block, which has `out_features`.
        in_features: channels of the stem.
        depths: blocks of each stage.
        features: of the first stage's blocks.
        drop_path: rate of stochastic depth at the last block, falling linearly to the first.
        **options: options of every block, including `rngs`.

    Returns:
        `stage1`, `stage2`, ... to chain, and the channels of the last.

    Example:
        >>> stages, features = residual_stages(BasicBlock, 8, (1, 2), 8, rngs=nnx.Rngs(0))
        >>> {name: len(stage) for name, stage in stages.items()}, features
        ({'stage1': 1, 'stage2': 2}, 16)
    """
    stages: dict[str, Chain] = {}
    rates = iter(linear_decay(drop_path, sum(depths)))
    for index, depth in enumerate(depths):
        stage = stages[f"stage{index + 1}"] = Chain([])
        for position in range(depth):
            stride = 2 if index and not position else 1
            stage.append(block(in_features, features * 2**index, stride=stride, drop_path=next(rates), **options))
            in_features = stage[-1].out_features
    return stages, in_features


class BasicBlock(nnx.Module):
    r"""Two 3 x 3 convolutions with a shortcut: $y = \mathrm{relu}(F(x) + \mathrm{shortcut}(x))$.

    Args:
        in_features: channels of x.
        features: channels of y.
        stride: of the first convolution.
        drop_path: rate of stochastic depth.
        shortcut: makes the shortcut.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: BasicBlock(4, 8, stride=2, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 4)))).shape
        (1, 4, 4, 8)
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        stride: int = 1,
        drop_path: float = 0.0,
        shortcut: Shortcut = projection_shortcut,
        rngs: nnx.Rngs,
    ):
        self.conv1 = Conv(in_features, features, 3, stride=stride, padding=1, use_bias=False, rngs=rngs)
        self.norm1 = BatchNorm(features, rngs=rngs)
        self.conv2 = Conv(features, features, 3, padding=1, use_bias=False, rngs=rngs)
        self.norm2 = BatchNorm(features, rngs=rngs)
        self.shortcut = shortcut(in_features, features, stride, rngs=rngs)
        self.out_features = features
        self.drop_path = StochasticDepth(drop_path)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H / stride, W / stride, features]."""
        y = jax.nn.relu(self.norm1(self.conv1(x), train=train))
        y = self.norm2(self.conv2(y), train=train)
        return jax.nn.relu(self.drop_path(y, key=key) + self.shortcut(x, train=train))


class Bottleneck(nnx.Module):
    r"""Narrow by 1 x 1, convolve by 3 x 3, widen by 1 x 1, with a shortcut.

    Args:
        in_features: channels of x.
        features: a quarter of the channels of y.
        stride: of the 3 x 3 convolution.
        drop_path: rate of stochastic depth.
        shortcut: makes the shortcut.
        groups: of the 3 x 3 convolution.
        group_width: features of a group where `features` is 64.
        stride_first: the first 1 x 1 convolution strides in place of the 3 x 3.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: Bottleneck(4, 8, stride=2, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 4)))).shape
        (1, 4, 4, 32)
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        stride: int = 1,
        drop_path: float = 0.0,
        shortcut: Shortcut = projection_shortcut,
        groups: int = 1,
        group_width: int = 64,
        stride_first: bool = False,
        rngs: nnx.Rngs,
    ):
        inner, out = features * group_width // 64 * groups, 4 * features
        first, second = (stride, 1) if stride_first else (1, stride)
        self.conv1 = Conv(in_features, inner, 1, stride=first, use_bias=False, rngs=rngs)
        self.norm1 = BatchNorm(inner, rngs=rngs)
        self.conv2 = Conv(inner, inner, 3, stride=second, padding=1, groups=groups, use_bias=False, rngs=rngs)
        self.norm2 = BatchNorm(inner, rngs=rngs)
        self.conv3 = Conv(inner, out, 1, use_bias=False, rngs=rngs)
        self.norm3 = BatchNorm(out, rngs=rngs)
        self.shortcut = shortcut(in_features, out, stride, rngs=rngs)
        self.out_features = out
        self.drop_path = StochasticDepth(drop_path)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H / stride, W / stride, 4 features]."""
        y = jax.nn.relu(self.norm1(self.conv1(x), train=train))
        y = jax.nn.relu(self.norm2(self.conv2(y), train=train))
        y = self.norm3(self.conv3(y), train=train)
        return jax.nn.relu(self.drop_path(y, key=key) + self.shortcut(x, train=train))
