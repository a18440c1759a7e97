"""DenseNet: every layer reads the outputs of all earlier layers in its stage.

References:
    Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks", 2017.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import pooled_head
from seqnets.models.cnn.network import ConvNet
from seqnets.models.cnn.residual import imagenet_stem
from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.pool import AveragePool
from seqnets.nn.stochastic_depth import Dropout

VARIANTS: dict[str, dict[str, Any]] = {
    "densenet121": {"depths": (6, 12, 24, 16)},
    "densenet161": {"depths": (6, 12, 36, 24), "growth": 48, "features": 96},
    "densenet169": {"depths": (6, 12, 32, 32)},
    "densenet201": {"depths": (6, 12, 48, 32)},
}


class DenseLayer(nnx.Module):
    r"""Append a few features to the input: $y = [x, F(x)]$ with F = (norm, ReLU, 1 x 1, norm, ReLU, 3 x 3).

    Args:
        in_features: channels of x.
        growth: features added.
        bottleneck: features between the two convolutions, as a multiple of `growth`.
        dropout: rate on the new features.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: DenseLayer(8, 4, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 8)))).shape
        (1, 4, 4, 12)
    """

    def __init__(self, in_features: int, growth: int, *, bottleneck: int = 4, dropout: float = 0.0, rngs: nnx.Rngs):
        inner = bottleneck * growth
        self.norm1 = BatchNorm(in_features, rngs=rngs)
        self.conv1 = Conv(in_features, inner, 1, use_bias=False, rngs=rngs)
        self.norm2 = BatchNorm(inner, rngs=rngs)
        self.conv2 = Conv(inner, growth, 3, padding=1, use_bias=False, rngs=rngs)
        self.dropout = Dropout(dropout)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H, W, in_features + growth]."""
        y = self.conv1(jax.nn.relu(self.norm1(x, train=train)))
        y = self.conv2(jax.nn.relu(self.norm2(y, train=train)))
        return jnp.concatenate([x, self.dropout(y, key=key)], axis=-1)


class Transition(nnx.Module):
    """Halve the features and the image between two stages: norm, ReLU, 1 x 1 convolution, average pooling.

    Args:
        in_features: channels of x.
        features: channels of y.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: Transition(8, 4, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 8)))).shape
        (1, 2, 2, 4)
    """

    def __init__(self, in_features: int, features: int, *, rngs: nnx.Rngs):
        self.norm = BatchNorm(in_features, rngs=rngs)
        self.conv = Conv(in_features, features, 1, use_bias=False, rngs=rngs)
        self.pool = AveragePool(2)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H / 2, W / 2, features]."""
        return self.pool(self.conv(jax.nn.relu(self.norm(x, train=train))))


def densenet(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    depths: Sequence[int],
    growth: int = 32,
    features: int = 64,
    dropout: float = 0.0,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a DenseNet; a stage begins with the transition from the one before, the last ends with norm and ReLU.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        depths: layers of each stage.
        growth: features each layer adds.
        features: of the stem.
        dropout: rate on each layer's new features.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: densenet(depths=(1, 2), growth=4, features=8, classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (32, 32, 3))
        {'stem': (8, 8, 8), 'stage1': (8, 8, 12), 'stage2': (4, 4, 14), 'pool': (14,), 'logits': (10,)}
    """
    stages: dict[str, Chain] = {"stem": imagenet_stem(in_channels, features, rngs=rngs)}
    for index, depth in enumerate(depths):
        stage = Chain([])
        if index:
            stage.append(Transition(features, features // 2, rngs=rngs))
            features //= 2
        stage.extend([DenseLayer(features + n * growth, growth, dropout=dropout, rngs=rngs) for n in range(depth)])
        features += depth * growth
        stages[f"stage{index + 1}"] = stage
    stages[f"stage{len(depths)}"].extend([BatchNorm(features, rngs=rngs), jax.nn.relu])
    return ConvNet(stages | pooled_head(features, classes, rngs=rngs), in_channels=in_channels, dtype=dtype)
