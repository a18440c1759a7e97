"""Build the network that a layer pattern describes."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.network import ConvNet
from seqnets.models.pattern import parse_pattern
from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.dense import Dense, Flatten
from seqnets.nn.pool import MaxPool
from seqnets.nn.stochastic_depth import Dropout
from seqnets.ops.geometry import Pair, output_size, pair


def pattern_network(
    text: str,
    *,
    image_size: Pair,
    classes: int = 10,
    in_channels: int = 3,
    features: int = 32,
    hidden_features: int = 128,
    dropout: float = 0.5,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build the network a pattern describes.

    CONV is 3 x 3 and keeps the size, POOL takes the maximum of 2 x 2, NORM is batch norm, FC is dense; the last FC gives
    the logits. The features double with every POOL. A stage begins with its POOL.

    Args:
        text: the pattern.
        image_size: (H, W) of the images.
        classes: size of the logits.
        in_channels: channels of the images.
        features: of the convolutions before the first POOL.
        hidden_features: of every FC but the last.
        dropout: rate of DROPOUT.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Raises:
        UserError: the pattern breaks, or pools more often than the image can be halved.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> text = "INPUT -> [CONV -> RELU -> POOL]*2 -> FC -> RELU -> FC"
        >>> feature_shapes(lambda: pattern_network(text, image_size=8, rngs=nnx.Rngs(0)), (8, 8, 3))
        {'stage1': (8, 8, 32), 'stage2': (4, 4, 64), 'stage3': (2, 2, 64), 'fc1': (128,), 'logits': (10,)}
    """
    groups = _groups([token.text for token in parse_pattern(text)[1:]])
    builder = _Builder(pair(image_size), in_channels, features, dropout, rngs)
    stages: dict[str, Chain] = {}
    for name, names in groups.items():
        width = classes if name == "logits" else hidden_features
        stages[name] = Chain([layer for part in names for layer in builder.layers(part, width)])
    return ConvNet(stages, in_channels=in_channels, dtype=dtype)


def _groups(names: list[str]) -> dict[str, list[str]]:
    groups: list[list[str]] = [[]]
    for name in names:
        if name in ("POOL", "FC") and (groups[-1] or name == "FC"):
            groups.append([])
        groups[-1].append(name)
    groups = [group for group in groups if group]
    dense = [index for index, group in enumerate(groups) if group[0] == "FC"]
    titles = [f"fc{index - dense[0] + 1}" if index >= dense[0] else f"stage{index + 1}" for index in range(len(groups))]
    return dict(zip([*titles[:-1], "logits"], groups))


class _Builder:
    def __init__(self, size: tuple[int, int], in_features: int, width: int, dropout: float, rngs: nnx.Rngs):
        self.size, self.features, self.width, self.dropout, self.rngs = size, in_features, width, dropout, rngs
        self.flat = False

    def layers(self, name: str, dense_width: int) -> list:
        match name:
            case "CONV":
                before, self.features = self.features, self.width
                return [Conv(before, self.features, 3, padding=1, rngs=self.rngs)]
            case "POOL":
                self.size = (output_size(self.size[0], 2, stride=2), output_size(self.size[1], 2, stride=2))
                self.width *= 2
                return [MaxPool(2)]
            case "NORM":
                return [BatchNorm(self.features, rngs=self.rngs)]
            case "DROPOUT":
                return [Dropout(self.dropout)]
            case "FC":
                return self._dense(dense_width)
        return [jax.nn.relu]

    def _dense(self, width: int) -> list:
        before = self.features if self.flat else self.size[0] * self.size[1] * self.features
        flatten = [] if self.flat else [Flatten()]
        self.flat, self.features = True, width
        return [*flatten, Dense(before, width, rngs=self.rngs)]
