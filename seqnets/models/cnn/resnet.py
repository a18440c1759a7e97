"""ResNet, and its wide, grouped (ResNeXt) and stochastic relatives, for ImageNet and for CIFAR.

References:
    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016; the bottleneck strides in its 3 x 3
    convolution, as torch's weights do (v1.5). Those called `_v1` stride in the first 1 x 1, as Keras' weights do, and those
    called `_caffe` have the pooling of the authors' own weights as well.
    Xie et al., "Aggregated residual transformations for deep neural networks", 2017.
    Zagoruyko and Komodakis, "Wide residual networks", 2016.
    Huang et al., "Deep networks with stochastic depth", 2016.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import pooled_head
from seqnets.models.cnn.network import ConvNet
from seqnets.models.cnn.residual import (
    BasicBlock,
    Bottleneck,
    Shortcut,
    caffe_stem,
    cifar_stem,
    imagenet_stem,
    padded_shortcut,
    projection_shortcut,
    residual_stages,
)
from seqnets.nn.chain import Chain

SMALL = {"stem": cifar_stem, "classes": 10}
DEPTHS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}
V1 = {"block": partial(Bottleneck, stride_first=True)}
CIFAR = {"block": BasicBlock, "features": 16, "shortcut": padded_shortcut, **SMALL}

VARIANTS: dict[str, dict[str, Any]] = {
    "resnet18": {"depths": (2, 2, 2, 2), "block": BasicBlock},
    "resnet34": {"depths": (3, 4, 6, 3), "block": BasicBlock},
    **{name: {"depths": depths} for name, depths in DEPTHS.items()},
    "resnet200": {"depths": (3, 24, 36, 3)},
    **{f"{name}_v1": {"depths": depths, **V1} for name, depths in DEPTHS.items()},
    **{f"{name}_caffe": {"depths": depths, **V1, "stem": caffe_stem} for name, depths in DEPTHS.items()},
    "wide_resnet50_2": {"depths": (3, 4, 6, 3), "block": partial(Bottleneck, group_width=128)},
    "wide_resnet101_2": {"depths": (3, 4, 23, 3), "block": partial(Bottleneck, group_width=128)},
    "resnext50_32x4d": {"depths": (3, 4, 6, 3), "block": partial(Bottleneck, groups=32, group_width=4)},
    "resnext101_32x8d": {"depths": (3, 4, 23, 3), "block": partial(Bottleneck, groups=32, group_width=8)},
    "resnext101_64x4d": {"depths": (3, 4, 23, 3), "block": partial(Bottleneck, groups=64, group_width=4)},
    "resnet20": {"depths": (3, 3, 3), **CIFAR},
    "resnet32": {"depths": (5, 5, 5), **CIFAR},
    "resnet44": {"depths": (7, 7, 7), **CIFAR},
    "resnet56": {"depths": (9, 9, 9), **CIFAR},
    "resnet110": {"depths": (18, 18, 18), **CIFAR},
    "resnet110_stochastic": {"depths": (18, 18, 18), "drop_path": 0.5, **CIFAR},
    "resnext29_8x64d": {"depths": (3, 3, 3), "block": partial(Bottleneck, groups=8, group_width=64), **SMALL},
}


def resnet(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    depths: Sequence[int],
    block: Callable[..., BasicBlock | Bottleneck] = Bottleneck,
    features: int = 64,
    stem: Callable[..., Chain] = imagenet_stem,
    shortcut: Shortcut = projection_shortcut,
    drop_path: float = 0.0,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a ResNet; every stage but the first halves the image and doubles the features.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        depths: blocks of each stage.
        block: makes a block: `BasicBlock`, `Bottleneck`, or one of them with its groups set.
        features: of the stem and of the first stage's blocks.
        stem: makes the first layers: `imagenet_stem`, `caffe_stem` or `cifar_stem`.
        shortcut: makes the shortcut of a block.
        drop_path: rate of stochastic depth at the last block, falling linearly to the first.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: resnet(depths=(1, 1), features=8, classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (32, 32, 3))
        {'stem': (8, 8, 8), 'stage1': (8, 8, 32), 'stage2': (4, 4, 64), 'pool': (64,), 'logits': (10,)}
    """
    first = {"stem": stem(in_channels, features, rngs=rngs)}
    stages, last = residual_stages(block, features, depths, features, drop_path=drop_path, shortcut=shortcut, rngs=rngs)
    return ConvNet(first | stages | pooled_head(last, classes, rngs=rngs), in_channels=in_channels, dtype=dtype)
