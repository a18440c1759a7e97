"""Inception modules as tables: rows of normalized convolutions, and branches side by side."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.nn.chain import Chain, apply, subkey
from seqnets.nn.conv_norm import ConvNorm
from seqnets.ops.geometry import Pair, pair


class NormRow(NamedTuple):
    """A convolution with batch norm and ReLU; `padding` None keeps the size (at stride 1)."""

    features: int
    kernel_size: Pair
    stride: int = 1
    padding: Pair | None = None


Row = NormRow | Callable[[], nnx.Module] | Mapping[str, Sequence[Any]]
"""A convolution, a factory of a layer without parameters, or branches by name, each a sequence of rows."""


class Branches(nnx.Module):
    """Run layers side by side on the same images and concatenate their features.

    Args:
        **branches: the layers; each is an attribute under its own name.

    Example:
        >>> Branches(same=Chain([]), doubled=lambda x: 2 * x)(jnp.ones((1, 1, 1, 1))).tolist()
        [[[[1.0, 2.0]]]]
    """

    def __init__(self, **branches: Any):
        for name, branch in branches.items():
            setattr(self, name, branch)
        self.names = tuple(branches)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Map [B, H, W, C] to [B, H', W', the sum of the branches' features]."""
        outputs = [apply(getattr(self, name), x, train=train, key=subkey(key, index)) for index, name in enumerate(self.names)]
        return jnp.concatenate(outputs, axis=-1)


def build_branches(in_features: int, rows: Sequence[Row], *, epsilon: float = 1e-3, rngs: nnx.Rngs) -> tuple[Chain, int]:
    """Make a chain of the rows of a table.

    Args:
        in_features: channels the first row sees.
        rows: the table.
        epsilon: of the batch norms.
        rngs: `params` is used.

    Returns:
        The chain and the channels it ends with.

    Example:
        >>> fork = {"a": [NormRow(4, 1)], "b": [NormRow(2, 1), NormRow(6, 3)]}
        >>> rows = [NormRow(8, 3, stride=2, padding=0), fork]
        >>> make = lambda: build_branches(3, rows, rngs=nnx.Rngs(0))[0]
        >>> jax.eval_shape(lambda: make()(jnp.ones((1, 9, 9, 3)))).shape
        (1, 4, 4, 10)
    """
    chain, features = Chain([]), in_features
    for row in rows:
        layer, features = _build(features, row, epsilon, rngs)
        chain.append(layer)
    return chain, features


def branch_stages(
    in_features: int, stages: Mapping[str, Sequence[Row]], *, rngs: nnx.Rngs
) -> tuple[dict[str, nnx.Module], dict[str, int]]:
    """Make the stages of a network, one after the other.

    Args:
        in_features: channels of the images.
        stages: name to table.
        rngs: `params` is used.

    Returns:
        Name to chain, and name to the channels it ends with.

    Example:
        >>> layers, widths = branch_stages(3, {"stem": [NormRow(8, 3)], "stage1": [NormRow(4, 1)]}, rngs=nnx.Rngs(0))
        >>> widths
        {'stem': 8, 'stage1': 4}
    """
    layers: dict[str, nnx.Module] = {}
    widths: dict[str, int] = {}
    for name, rows in stages.items():
        layers[name], in_features = build_branches(in_features, rows, rngs=rngs)
        widths[name] = in_features
    return layers, widths


def _build(in_features: int, row: Row, epsilon: float, rngs: nnx.Rngs) -> tuple[nnx.Module, int]:
    if isinstance(row, NormRow):
        return _convolution(in_features, row, epsilon, rngs), row.features
    if isinstance(row, Mapping):
        built = {name: build_branches(in_features, rows, epsilon=epsilon, rngs=rngs) for name, rows in row.items()}
        return Branches(**{name: chain for name, (chain, _) in built.items()}), sum(n for _, n in built.values())
    return row(), in_features


def _convolution(in_features: int, row: NormRow, epsilon: float, rngs: nnx.Rngs) -> ConvNorm:
    height, width = pair(row.kernel_size)
    padding = (height // 2, width // 2) if row.padding is None else row.padding
    return ConvNorm(in_features, row.features, row.kernel_size, stride=row.stride, padding=padding, epsilon=epsilon, rngs=rngs)
