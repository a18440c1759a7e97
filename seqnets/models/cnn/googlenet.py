"""GoogLeNet: nine modules that look at several scales at once (Inception v1).

References:
    Szegedy et al., "Going deeper with convolutions", 2015; with the batch norm and the 3 x 3 kernels in the third branch
    that every published set of torch weights has.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.branches import NormRow, Row, branch_stages
from seqnets.models.cnn.heads import classifier, pooled_head
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.chain import Chain
from seqnets.nn.conv_norm import ConvNorm
from seqnets.nn.dense import Dense, Flatten
from seqnets.nn.pool import AdaptiveAveragePool, MaxPool
from seqnets.nn.stochastic_depth import Dropout

N = NormRow
POOL = partial(MaxPool, 3, stride=2, rounding="ceil")
SMALL_POOL = partial(MaxPool, 2, stride=2, rounding="ceil")
SMOOTH = partial(MaxPool, 3, stride=1, padding=1, rounding="ceil")


def inception(one: int, three: tuple[int, int], five: tuple[int, int], pool: int) -> dict[str, Sequence[Row]]:
    """Return the branches of one module: 1 x 1, reduce and 3 x 3, reduce and (once) 5 x 5, pool and 1 x 1.

    Example:
        >>> list(inception(64, (96, 128), (16, 32), 32))
        ['branch1', 'branch2', 'branch3', 'branch4']
    """
    return {
        "branch1": [N(one, 1)],
        "branch2": [N(three[0], 1), N(three[1], 3)],
        "branch3": [N(five[0], 1), N(five[1], 3)],
        "branch4": [SMOOTH, N(pool, 1)],
    }


VARIANTS: dict[str, dict[str, Any]] = {
    "googlenet": {
        "stages": {
            "stem": [N(64, 7, stride=2), POOL, N(64, 1), N(192, 3)],
            "stage1": [POOL, inception(64, (96, 128), (16, 32), 32), inception(128, (128, 192), (32, 96), 64)],
            "stage2": [POOL, inception(192, (96, 208), (16, 48), 64)],
            "stage3": [
                inception(160, (112, 224), (24, 64), 64),
                inception(128, (128, 256), (24, 64), 64),
                inception(112, (144, 288), (32, 64), 64),
            ],
            "stage4": [inception(256, (160, 320), (32, 128), 128)],
            "stage5": [
                SMALL_POOL,
                inception(256, (160, 320), (32, 128), 128),
                inception(384, (192, 384), (48, 128), 128),
            ],
        },
    },
}


def googlenet(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    stages: Mapping[str, Sequence[Row]],
    auxiliary_heads: bool = False,
    dropout: float = 0.2,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a GoogLeNet.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        stages: name to rows.
        auxiliary_heads: add the auxiliary classifiers `aux1` and `aux2` after stages 2 and 3, which run in training.
        dropout: rate before the classifier.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> small = {"stem": [N(8, 3, stride=2)], "stage1": [POOL, inception(2, (2, 4), (2, 4), 2)]}
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: googlenet(stages=small, classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (16, 16, 3))
        {'stem': (8, 8, 8), 'stage1': (4, 4, 12), 'pool': (12,), 'logits': (10,)}
    """
    layers, widths = branch_stages(in_channels, stages, rngs=rngs)
    layers |= pooled_head(list(widths.values())[-1], classes, dropout=dropout, rngs=rngs)
    taps = {"aux1": "stage2", "aux2": "stage3"} if auxiliary_heads else {}
    heads = {name: (tap, _auxiliary_head(widths[tap], classes, rngs)) for name, tap in taps.items()}
    return ConvNet(layers, auxiliary_heads=heads, in_channels=in_channels, dtype=dtype)


def _auxiliary_head(features: int, classes: int, rngs: nnx.Rngs) -> Chain:
    return Chain(
        [
            AdaptiveAveragePool(4),
            ConvNorm(features, 128, 1, epsilon=1e-3, rngs=rngs),
            Flatten(),
            Dense(16 * 128, 1024, rngs=rngs),
            jax.nn.relu,
            Dropout(0.7),
            classifier(1024, classes, rngs=rngs),
        ]
    )
