"""SqueezeNet: AlexNet's accuracy in five megabytes, by squeezing the features before every 3 x 3 convolution.

References:
    Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import class_maps
from seqnets.models.cnn.network import ConvNet
from seqnets.models.cnn.rows import ConvRow, build_rows
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.pool import GlobalAveragePool, MaxPool
from seqnets.nn.stochastic_depth import Dropout

VARIANTS: dict[str, dict[str, Any]] = {
    "squeezenet1_0": {
        "stem": ConvRow(96, 7, stride=2),
        "stages": [
            [(16, 64), (16, 64), (32, 128)],
            [(32, 128), (48, 192), (48, 192), (64, 256)],
            [(64, 256)],
        ],
    },
    "squeezenet1_1": {
        "stem": ConvRow(64, 3, stride=2),
        "stages": [
            [(16, 64), (16, 64)],
            [(32, 128), (32, 128)],
            [(48, 192), (48, 192), (64, 256), (64, 256)],
        ],
    },
}


class Fire(nnx.Module):
    """Squeeze the features by 1 x 1, expand them by 1 x 1 and 3 x 3 in parallel, with a ReLU after each.

    Args:
        in_features: channels of x.
        squeeze: features in between.
        expand: features of each of the two halves of y.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: Fire(8, 2, 4, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 8)))).shape
        (1, 4, 4, 8)
    """

    def __init__(self, in_features: int, squeeze: int, expand: int, *, rngs: nnx.Rngs):
        self.squeeze = Conv(in_features, squeeze, 1, rngs=rngs)
        self.expand1x1 = Conv(squeeze, expand, 1, rngs=rngs)
        self.expand3x3 = Conv(squeeze, expand, 3, padding=1, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H, W, 2 expand]."""
        x = jax.nn.relu(self.squeeze(x))
        return jax.nn.relu(jnp.concatenate([self.expand1x1(x), self.expand3x3(x)], axis=-1))


def squeezenet(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    stem: ConvRow,
    stages: Sequence[Sequence[tuple[int, int]]],
    dropout: float = 0.5,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a SqueezeNet; its classifier is a 1 x 1 convolution whose maps are averaged.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        stem: the first convolution.
        stages: (squeeze, expand) of each fire module of each stage; a stage begins with a pooling.
        dropout: rate before the classifier.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: squeezenet(stem=ConvRow(8, 3, stride=2), stages=[[(2, 4)], [(2, 8)]], classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (31, 31, 3))
        {'stem': (15, 15, 8), 'stage1': (7, 7, 8), 'stage2': (3, 3, 16), 'maps': (3, 3, 10), 'logits': (10,)}
    """
    layers: dict[str, nnx.Module] = {"stem": build_rows(in_channels, [stem], rngs=rngs)}
    features = stem.features
    for number, fires in enumerate(stages, 1):
        stage = Chain([MaxPool(3, stride=2, rounding="ceil")])
        for squeeze, expand in fires:
            stage.append(Fire(features, squeeze, expand, rngs=rngs))
            features = 2 * expand
        layers[f"stage{number}"] = stage
    layers["maps"] = Chain([Dropout(dropout), *class_maps(features, classes, rngs=rngs)])
    layers["logits"] = GlobalAveragePool()
    return ConvNet(layers, in_channels=in_channels, dtype=dtype)
