"""Inception v3: large kernels factored into 1 x 7 and 7 x 1, and reductions that pool and convolve in parallel.

References:
    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture for computer vision", 2016.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.branches import NormRow, Row, branch_stages
from seqnets.models.cnn.heads import classifier, pooled_head
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.chain import Chain
from seqnets.nn.conv_norm import ConvNorm
from seqnets.nn.pool import AveragePool, GlobalAveragePool, MaxPool

N = NormRow
POOL = partial(MaxPool, 3, stride=2)
SMOOTH = partial(AveragePool, 3, stride=1, padding=1)


def module_a(pool: int) -> dict[str, Sequence[Row]]:
    """Return the branches of a module on the 35 x 35 map.

    Example:
        >>> [row.features for row in module_a(32)["branch3x3dbl"]]
        [64, 96, 96]
    """
    return {
        "branch1x1": [N(64, 1)],
        "branch5x5": [N(48, 1), N(64, 5)],
        "branch3x3dbl": [N(64, 1), N(96, 3), N(96, 3)],
        "branch_pool": [SMOOTH, N(pool, 1)],
    }


def module_c(width: int) -> dict[str, Sequence[Row]]:
    """Return the branches of a module on the 17 x 17 map.

    Example:
        >>> [row.kernel_size for row in module_c(128)["branch7x7"]]
        [1, (1, 7), (7, 1)]
    """
    return {
        "branch1x1": [N(192, 1)],
        "branch7x7": [N(width, 1), N(width, (1, 7)), N(192, (7, 1))],
        "branch7x7dbl": [N(width, 1), N(width, (7, 1)), N(width, (1, 7)), N(width, (7, 1)), N(192, (1, 7))],
        "branch_pool": [SMOOTH, N(192, 1)],
    }


MODULE_B: dict[str, Sequence[Row]] = {
    "branch3x3": [N(384, 3, stride=2, padding=0)],
    "branch3x3dbl": [N(64, 1), N(96, 3), N(96, 3, stride=2, padding=0)],
    "branch_pool": [POOL],
}
MODULE_D: dict[str, Sequence[Row]] = {
    "branch3x3": [N(192, 1), N(320, 3, stride=2, padding=0)],
    "branch7x7x3": [N(192, 1), N(192, (1, 7)), N(192, (7, 1)), N(192, 3, stride=2, padding=0)],
    "branch_pool": [POOL],
}
FORK: dict[str, Sequence[Row]] = {"a": [N(384, (1, 3))], "b": [N(384, (3, 1))]}
MODULE_E: dict[str, Sequence[Row]] = {
    "branch1x1": [N(320, 1)],
    "branch3x3": [N(384, 1), FORK],
    "branch3x3dbl": [N(448, 1), N(384, 3), FORK],
    "branch_pool": [SMOOTH, N(192, 1)],
}

VARIANTS: dict[str, dict[str, Any]] = {
    "inception_v3": {
        "stages": {
            "stem": [
                *(N(32, 3, stride=2, padding=0), N(32, 3, padding=0), N(64, 3), POOL),
                *(N(80, 1), N(192, 3, padding=0), POOL),
            ],
            "stage1": [module_a(32), module_a(64), module_a(64)],
            "stage2": [MODULE_B, module_c(128), module_c(160), module_c(160), module_c(192)],
            "stage3": [MODULE_D, MODULE_E, MODULE_E],
        },
    },
}


def inception_v3(
    *,
    classes: int = 1000,
    in_channels: int = 3,
    stages: Mapping[str, Sequence[Row]],
    auxiliary_heads: bool = False,
    dropout: float = 0.5,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build an Inception v3, made for images of 299 x 299.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        stages: name to rows.
        auxiliary_heads: add the auxiliary classifier `aux` after stage 2, which runs in training.
        dropout: rate before the classifier.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> small = {"stem": [N(8, 3, stride=2)], "stage1": [{"a": [N(4, (1, 7))], "b": [SMOOTH]}]}
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: inception_v3(stages=small, classes=10, rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (16, 16, 3))
        {'stem': (8, 8, 8), 'stage1': (8, 8, 12), 'pool': (12,), 'logits': (10,)}
    """
    layers, widths = branch_stages(in_channels, stages, rngs=rngs)
    layers |= pooled_head(list(widths.values())[-1], classes, dropout=dropout, rngs=rngs)
    heads = {"aux": ("stage2", _auxiliary_head(widths["stage2"], classes, rngs))} if auxiliary_heads else {}
    return ConvNet(layers, auxiliary_heads=heads, in_channels=in_channels, dtype=dtype)


def _auxiliary_head(features: int, classes: int, rngs: nnx.Rngs) -> Chain:
    return Chain(
        [
            AveragePool(5, stride=3),
            ConvNorm(features, 128, 1, epsilon=1e-3, rngs=rngs),
            ConvNorm(128, 768, 5, epsilon=1e-3, rngs=rngs),
            GlobalAveragePool(),
            classifier(768, classes, rngs=rngs),
        ]
    )
