"""Plain stacks of convolutions as tables: each row is a convolution with its activation, or a layer without parameters."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
from flax import nnx

from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv


class ConvRow(NamedTuple):
    """A convolution, with its bias, followed by a ReLU."""

    features: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    groups: int = 1


Row = ConvRow | Callable[[], nnx.Module]
"""A convolution, or a factory of a layer without parameters: `partial(MaxPool, 3, stride=2)`."""


def build_rows(in_features: int, rows: Sequence[Row], *, rngs: nnx.Rngs) -> Chain:
    """Make a chain of the layers in a table.

    Args:
        in_features: channels the first row sees.
        rows: the table.
        rngs: `params` is used.

    Example:
        >>> make = lambda: build_rows(3, [ConvRow(8, 3), ConvRow(4, 1)], rngs=nnx.Rngs(0))
        >>> jax.eval_shape(lambda: make()(jax.numpy.ones((1, 5, 5, 3)))).shape
        (1, 3, 3, 4)
    """
    chain, features = Chain([]), in_features
    for row in rows:
        if isinstance(row, ConvRow):
            chain.extend([_convolution(features, row, rngs), jax.nn.relu])
            features = row.features
        else:
            chain.append(row())
    return chain


def row_stages(in_features: int, stages: Mapping[str, Sequence[Row]], *, rngs: nnx.Rngs) -> tuple[dict[str, nnx.Module], int]:
    """Make the stages of a network, one after the other.

    Args:
        in_features: channels of the images.
        stages: name to table.
        rngs: `params` is used.

    Returns:
        Name to chain, and the channels the last one ends with.

    Example:
        >>> layers, features = row_stages(3, {"stem": [ConvRow(8, 3)], "stage1": [ConvRow(4, 1)]}, rngs=nnx.Rngs(0))
        >>> list(layers), features
        (['stem', 'stage1'], 4)
    """
    layers: dict[str, nnx.Module] = {}
    for name, rows in stages.items():
        layers[name] = build_rows(in_features, rows, rngs=rngs)
        in_features = [row.features for row in rows if isinstance(row, ConvRow)][-1]
    return layers, in_features


def _convolution(in_features: int, row: ConvRow, rngs: nnx.Rngs) -> Conv:
    return Conv(
        in_features,
        row.features,
        row.kernel_size,
        stride=row.stride,
        padding=row.padding,
        groups=row.groups,
        rngs=rngs,
    )
