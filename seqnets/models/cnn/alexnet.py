"""AlexNet in its published shapes, CaffeNet, and ZFNet, which improved the first layers after visualizing them.

CaffeNet is AlexNet with the pooling before the normalization. Caffe's networks see 227 x 227 pixels and do not pad them.

References:
    Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012.
    Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
    Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import dense_head
from seqnets.models.cnn.network import ConvNet
from seqnets.models.cnn.rows import ConvRow, Row, row_stages
from seqnets.nn.chain import Chain
from seqnets.nn.local_response import LocalResponseNorm
from seqnets.nn.pool import AdaptiveAveragePool, MaxPool

POOL = partial(MaxPool, 3, stride=2)
CEIL_POOL = partial(MaxPool, 3, stride=2, rounding="ceil")
NORM = partial(LocalResponseNorm, 5)
C = ConvRow
GROUPED = [C(384, 3, padding=1), C(384, 3, padding=1, groups=2), C(256, 3, padding=1, groups=2)]

VARIANTS: dict[str, dict[str, Any]] = {
    "alexnet": {
        "stages": {
            "stem": [C(64, 11, stride=4, padding=2)],
            "stage1": [POOL, C(192, 5, padding=2)],
            "stage2": [POOL, C(384, 3, padding=1), C(256, 3, padding=1), C(256, 3, padding=1)],
        },
    },
    "alexnet_2012": {
        "stages": {
            "stem": [C(96, 11, stride=4, padding=2)],
            "stage1": [NORM, POOL, C(256, 5, padding=2, groups=2)],
            "stage2": [NORM, POOL, *GROUPED],
        },
    },
    "alexnet_caffe": {
        "stages": {
            "stem": [C(96, 11, stride=4)],
            "stage1": [NORM, POOL, C(256, 5, padding=2, groups=2)],
            "stage2": [NORM, POOL, *GROUPED],
        },
    },
    "caffenet": {
        "stages": {
            "stem": [C(96, 11, stride=4)],
            "stage1": [POOL, NORM, C(256, 5, padding=2, groups=2)],
            "stage2": [POOL, NORM, *GROUPED],
        },
    },
    "zfnet": {
        "stages": {
            "stem": [C(96, 7, stride=2, padding=1)],
            "stage1": [CEIL_POOL, NORM, C(256, 5, stride=2)],
            "stage2": [CEIL_POOL, NORM, C(384, 3, padding=1), C(384, 3, padding=1), C(256, 3, padding=1)],
        },
    },
}


def alexnet(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    stages: Mapping[str, Sequence[Row]],
    grid: int = 6,
    hidden_features: int = 4096,
    dropout: float = 0.5,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build an AlexNet for images of 224 x 224 (227 x 227 for Caffe's); others are averaged to its grid before the dense layers.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        stages: name to rows of convolutions, poolings and normalizations.
        grid: rows and columns the dense layers see.
        hidden_features: of the two hidden dense layers.
        dropout: rate before each of them.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: alexnet(stages={"stem": [C(8, 3)]}, grid=2, hidden_features=4, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (9, 9, 3))
        {'stem': (7, 7, 8), 'pool': (2, 2, 8), 'fc6': (4,), 'fc7': (4,), 'logits': (1000,)}
    """
    layers, features = row_stages(in_channels, stages, rngs=rngs)
    layers["pool"] = Chain([POOL(), AdaptiveAveragePool(grid)])
    layers |= dense_head(grid * grid * features, hidden_features, classes, dropout_before=dropout, rngs=rngs)
    return ConvNet(layers, in_channels=in_channels, dtype=dtype)
