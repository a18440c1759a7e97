"""MobileNet v1 and v2: convolutions factored into one over space and one over features.

References:
    Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017.
    Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import pooled_head
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.chain import Chain
from seqnets.nn.conv_norm import ConvNorm
from seqnets.ops.geometry import Padding


class Separable(nnx.Module):
    """Convolve each feature separately, then mix the features by 1 x 1 (v1).

    Args:
        in_features: channels of x.
        features: channels of y.
        stride: of the convolution over space.
        expansion: unused; accepted so that all blocks have the same arguments.
        padding: of the convolution over space.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: Separable(4, 8, stride=2, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 4)))).shape
        (1, 4, 4, 8)
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        stride: int = 1,
        expansion: int = 1,
        padding: Padding = 1,
        rngs: nnx.Rngs,
    ):
        self.depthwise = _depthwise(in_features, stride, padding, rngs)
        self.pointwise = ConvNorm(in_features, features, 1, activation=jax.nn.relu6, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H / stride, W / stride, features]."""
        return self.pointwise(self.depthwise(x, train=train), train=train)


class InvertedResidual(nnx.Module):
    """Widen by 1 x 1, convolve each feature separately, narrow without activation; add x if the shapes allow (v2).

    Args:
        in_features: channels of x.
        features: channels of y.
        stride: of the convolution over space.
        expansion: factor by which the middle is wider; 1 leaves out the widening.
        padding: of the convolution over space.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: InvertedResidual(4, 8, stride=2, expansion=6, rngs=nnx.Rngs(0))(jnp.ones((1, 8, 8, 4)))).shape
        (1, 4, 4, 8)
    """

    def __init__(
        self,
        in_features: int,
        features: int,
        *,
        stride: int = 1,
        expansion: int = 6,
        padding: Padding = 1,
        rngs: nnx.Rngs,
    ):
        inner = in_features * expansion
        widen = ConvNorm(in_features, inner, 1, activation=jax.nn.relu6, rngs=rngs)
        self.widen = widen if expansion > 1 else Chain([])
        self.depthwise = _depthwise(inner, stride, padding, rngs)
        self.narrow = ConvNorm(inner, features, 1, activation=None, rngs=rngs)
        self.adds = stride == 1 and in_features == features

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H / stride, W / stride, features]."""
        y = self.depthwise(self.widen(x, train=train), train=train)
        y = self.narrow(y, train=train)
        return x + y if self.adds else y


class Stage(NamedTuple):
    """One row of the papers' tables."""

    features: int
    blocks: int
    stride: int
    expansion: int = 1


V1: dict[str, Any] = {
    "block": Separable,
    "stages": [Stage(64, 1, 1), Stage(128, 2, 2), Stage(256, 2, 2), Stage(512, 6, 2), Stage(1024, 2, 2)],
}
V2: dict[str, Any] = {
    "block": InvertedResidual,
    "stages": [
        *(Stage(16, 1, 1), Stage(24, 2, 2, 6), Stage(32, 3, 2, 6), Stage(64, 4, 2, 6)),
        *(Stage(96, 3, 1, 6), Stage(160, 3, 2, 6), Stage(320, 1, 1, 6)),
    ],
    "last_features": 1280,
    "dropout": 0.2,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "mobilenet_v1": V1,
    "mobilenet_v1_075": {**V1, "width": 0.75},
    "mobilenet_v1_050": {**V1, "width": 0.5},
    "mobilenet_v1_025": {**V1, "width": 0.25},
    "mobilenet_v2": V2,
    "mobilenet_v2_140": {**V2, "width": 1.4},
    "mobilenet_v2_050": {**V2, "width": 0.5},
    "mobilenet_v1_same": {**V1, "padding": "SAME"},
    "mobilenet_v2_same": {**V2, "padding": "SAME"},
}


def mobilenet(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    block: Callable[..., nnx.Module],
    stages: Sequence[Stage],
    width: float = 1.0,
    last_features: int = 0,
    dropout: float = 0.001,
    padding: Padding = 1,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a MobileNet.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        block: makes a block: `Separable` or `InvertedResidual`.
        stages: features, number of blocks, stride of the first, expansion.
        width: scales all features, rounded to multiples of 8.
        last_features: of a 1 x 1 convolution before the classifier; 0 for none. It is never scaled down.
        dropout: rate before the classifier.
        padding: of the 3 x 3 convolutions; "SAME" is that of TensorFlow and Keras, whose strides begin at the first pixel.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: mobilenet(block=Separable, stages=[Stage(16, 1, 1), Stage(32, 2, 2)], classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (16, 16, 3))
        {'stem': (8, 8, 32), 'stage1': (8, 8, 16), 'stage2': (4, 4, 32), 'pool': (32,), 'logits': (10,)}
    """
    before = round_features(32 * width)
    layers: dict[str, nnx.Module] = {
        "stem": ConvNorm(in_channels, before, 3, stride=2, padding=padding, activation=jax.nn.relu6, rngs=rngs)
    }
    for number, stage in enumerate(stages, 1):
        chain, features = Chain([]), round_features(stage.features * width)
        for position in range(stage.blocks):
            stride = 1 if position else stage.stride
            chain.append(block(before, features, stride=stride, expansion=stage.expansion, padding=padding, rngs=rngs))
            before = features
        layers[f"stage{number}"] = chain
    if last_features:
        last = round_features(last_features * max(width, 1.0))
        layers[f"stage{len(stages) + 1}"] = ConvNorm(before, last, 1, activation=jax.nn.relu6, rngs=rngs)
        before = last
    head = pooled_head(before, classes, dropout=dropout, rngs=rngs)
    return ConvNet(layers | head, in_channels=in_channels, dtype=dtype)


def round_features(features: float) -> int:
    """Round to the nearest multiple of 8, but never down by more than a tenth.

    Example:
        >>> round_features(32 * 0.75), round_features(16 * 1.4)
        (24, 24)
    """
    rounded = max(8, int(features + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * features else rounded


def _depthwise(features: int, stride: int, padding: Padding, rngs: nnx.Rngs) -> ConvNorm:
    return ConvNorm(features, features, 3, stride=stride, padding=padding, groups=features, activation=jax.nn.relu6, rngs=rngs)
