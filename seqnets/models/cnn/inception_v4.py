"""Inception v4: one regular design from the stem to the classifier.

References:
    Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4, Inception-ResNet and the impact of residual connections on
    learning", 2017.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.branches import NormRow, Row, branch_stages
from seqnets.models.cnn.heads import pooled_head
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.pool import AveragePool, MaxPool

Module = dict[str, Sequence[Row]]
N = NormRow
POOL = partial(MaxPool, 3, stride=2)
SMOOTH = partial(AveragePool, 3, stride=1, padding=1, count_padding=False)

STEM_3A: Module = {"pool": [POOL], "conv": [N(96, 3, stride=2, padding=0)]}
STEM_4A: Module = {
    "branch0": [N(64, 1), N(96, 3, padding=0)],
    "branch1": [N(64, 1), N(64, (1, 7)), N(64, (7, 1)), N(96, 3, padding=0)],
}
STEM_5A: Module = {"conv": [N(192, 3, stride=2, padding=0)], "pool": [POOL]}
MODULE_A: Module = {
    "branch0": [N(96, 1)],
    "branch1": [N(64, 1), N(96, 3)],
    "branch2": [N(64, 1), N(96, 3), N(96, 3)],
    "branch3": [SMOOTH, N(96, 1)],
}
REDUCTION_A: Module = {
    "branch0": [N(384, 3, stride=2, padding=0)],
    "branch1": [N(192, 1), N(224, 3), N(256, 3, stride=2, padding=0)],
    "branch2": [POOL],
}
MODULE_B: Module = {
    "branch0": [N(384, 1)],
    "branch1": [N(192, 1), N(224, (1, 7)), N(256, (7, 1))],
    "branch2": [N(192, 1), N(192, (7, 1)), N(224, (1, 7)), N(224, (7, 1)), N(256, (1, 7))],
    "branch3": [SMOOTH, N(128, 1)],
}
REDUCTION_B: Module = {
    "branch0": [N(192, 1), N(192, 3, stride=2, padding=0)],
    "branch1": [N(256, 1), N(256, (1, 7)), N(320, (7, 1)), N(320, 3, stride=2, padding=0)],
    "branch2": [POOL],
}
FORK: Module = {"a": [N(256, (1, 3))], "b": [N(256, (3, 1))]}
MODULE_C: Module = {
    "branch0": [N(256, 1)],
    "branch1": [N(384, 1), FORK],
    "branch2": [N(384, 1), N(448, (3, 1)), N(512, (1, 3)), FORK],
    "branch3": [SMOOTH, N(256, 1)],
}

VARIANTS: dict[str, dict[str, Any]] = {
    "inception_v4": {
        "stages": {
            "stem": [
                *(N(32, 3, stride=2, padding=0), N(32, 3, padding=0), N(64, 3)),
                *(STEM_3A, STEM_4A, STEM_5A),
            ],
            "stage1": [MODULE_A] * 4,
            "stage2": [REDUCTION_A, *[MODULE_B] * 7],
            "stage3": [REDUCTION_B, *[MODULE_C] * 3],
        },
    },
}


def inception_v4(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    stages: Mapping[str, Sequence[Row]],
    dropout: float = 0.2,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build an Inception v4, made for images of 299 x 299.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        stages: name to rows.
        dropout: rate before the classifier.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> small = {"stem": [N(8, 3, stride=2)], "stage1": [{"a": [N(4, 1), FORK], "b": [SMOOTH]}]}
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: inception_v4(stages=small, classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (16, 16, 3))
        {'stem': (8, 8, 8), 'stage1': (8, 8, 520), 'pool': (520,), 'logits': (10,)}
    """
    layers, widths = branch_stages(in_channels, stages, rngs=rngs)
    layers |= pooled_head(list(widths.values())[-1], classes, dropout=dropout, rngs=rngs)
    return ConvNet(layers, in_channels=in_channels, dtype=dtype)
