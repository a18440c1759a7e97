"""VGG: deep stacks of 3 x 3 convolutions and 2 x 2 pooling.

References:
    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import dense_head
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.pool import AdaptiveAveragePool, GlobalAveragePool, MaxPool

DEPTHS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"depths": depths} for name, depths in DEPTHS.items()},
    "vgg16_trunk": {"depths": DEPTHS["vgg16"], "hidden_features": 0},
    **{f"{name}_bn": {"depths": depths, "normalize": True} for name, depths in DEPTHS.items()},
}


def vgg(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    depths: Sequence[int],
    features: Sequence[int] = (64, 128, 256, 512, 512),
    normalize: bool = False,
    grid: int = 7,
    hidden_features: int = 4096,
    dropout: float = 0.5,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a VGG for images of 224 x 224; others are averaged to the same grid before the dense layers.

    A stage ends before the pooling that follows it: `stage5` is the 14 x 14 x 512 map that captioners attend to.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        depths: convolutions of each stage.
        features: channels of each stage.
        normalize: put a batch norm after every convolution.
        grid: rows and columns the dense layers see.
        hidden_features: of the two hidden dense layers; 0 for the mean of the last stage as logits, with neither dense layers
            nor classes, for images of any size.
        dropout: rate after each of them.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: vgg(depths=(1, 2), features=(4, 8), grid=2, hidden_features=4, classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (8, 8, 3))
        {'stage1': (8, 8, 4), 'stage2': (4, 4, 8), 'pool': (2, 2, 8), 'fc6': (4,), 'fc7': (4,), 'logits': (10,)}
    """
    widths = (in_channels, *features[: len(depths)])
    stages = {
        f"stage{number}": _stage(before, width, depth, normalize, first=number == 1, rngs=rngs)
        for number, ((before, width), depth) in enumerate(zip(pairwise(widths), depths), 1)
    }
    if not hidden_features:
        return ConvNet({**stages, "logits": GlobalAveragePool()}, in_channels=in_channels, dtype=dtype)
    stages["pool"] = Chain([MaxPool(2), AdaptiveAveragePool(grid)])
    stages |= dense_head(grid * grid * widths[-1], hidden_features, classes, dropout_after=dropout, rngs=rngs)
    return ConvNet(stages, in_channels=in_channels, dtype=dtype)


def _stage(in_features: int, features: int, depth: int, normalize: bool, *, first: bool, rngs: nnx.Rngs) -> Chain:
    chain = Chain([] if first else [MaxPool(2)])
    for index in range(depth):
        chain.append(Conv(features if index else in_features, features, 3, padding=1, rngs=rngs))
        chain.extend([BatchNorm(features, rngs=rngs), jax.nn.relu] if normalize else [jax.nn.relu])
    return chain
