"""Network in Network: a small perceptron slides along after each convolution, and the classifier is an average.

References:
    Lin, Chen and Yan, "Network in network", 2014; layer sizes from the authors' Caffe models.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import class_maps
from seqnets.models.cnn.network import ConvNet
from seqnets.models.cnn.rows import ConvRow, Row, row_stages
from seqnets.nn.pool import AveragePool, GlobalAveragePool, MaxPool
from seqnets.nn.stochastic_depth import Dropout

POOL = partial(MaxPool, 3, stride=2, rounding="ceil")
AVERAGE = partial(AveragePool, 3, stride=2, rounding="ceil")
DROPOUT = partial(Dropout, 0.5)
C = ConvRow

VARIANTS: dict[str, dict[str, Any]] = {
    "nin": {
        "stages": {
            "stem": [C(96, 11, stride=4), C(96, 1), C(96, 1)],
            "stage1": [POOL, C(256, 5, padding=2), C(256, 1), C(256, 1)],
            "stage2": [POOL, C(384, 3, padding=1), C(384, 1), C(384, 1)],
            "stage3": [POOL, DROPOUT, C(1024, 3, padding=1), C(1024, 1)],
        },
    },
    "nin_cifar": {
        "classes": 10,
        "stages": {
            "stem": [C(192, 5, padding=2), C(160, 1), C(96, 1)],
            "stage1": [POOL, DROPOUT, C(192, 5, padding=2), C(192, 1), C(192, 1)],
            "stage2": [AVERAGE, DROPOUT, C(192, 3, padding=1), C(192, 1)],
        },
    },
}


def nin(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    stages: Mapping[str, Sequence[Row]],
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a Network in Network; the last 1 x 1 convolution makes a map for each class.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        stages: name to rows of convolutions, poolings and dropout.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: nin(stages={"stem": [C(8, 3), C(4, 1)]}, classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (9, 9, 3))
        {'stem': (7, 7, 4), 'maps': (7, 7, 10), 'logits': (10,)}
    """
    layers, features = row_stages(in_channels, stages, rngs=rngs)
    layers["maps"] = class_maps(features, classes, rngs=rngs)
    layers["logits"] = GlobalAveragePool()
    return ConvNet(layers, in_channels=in_channels, dtype=dtype)
