"""FractalNet: depth without residuals, from one expansion rule applied repeatedly.

References:
    Larsson, Maire and Shakhnarovich, "FractalNet: ultra-deep neural networks without residuals", 2017.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import pooled_head
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.chain import Chain, subkey
from seqnets.nn.conv_norm import ConvNorm
from seqnets.nn.pool import MaxPool
from seqnets.nn.stochastic_depth import Dropout

VARIANTS: dict[str, dict[str, Any]] = {
    "fractalnet10": {"columns": 2},
    "fractalnet20": {"columns": 3},
    "fractalnet40": {"columns": 4},
}


class Fractal(nnx.Module):
    r"""One convolution in parallel with two smaller fractals in sequence.

    $$ f_1(x) = \mathrm{conv}(x), \qquad f_{C}(x) = \mathrm{join}\big(\mathrm{conv}(x),\; f_{C-1}(f_{C-1}(x))\big) $$

    The join is the mean of the columns that meet there. With a key, columns drop out: either independently at each join
    (local drop-path) or all but one throughout (global), as the key decides.

    Args:
        in_features: channels of x.
        features: channels of y.
        columns: C; the longest path has 2^(C - 1) convolutions.
        drop_path: rate of local drop-path; 0 turns both kinds off.
        rngs: `params` is used.

    Example:
        >>> jax.eval_shape(lambda: Fractal(3, 8, 3, rngs=nnx.Rngs(0))(jnp.ones((1, 4, 4, 3)))).shape
        (1, 4, 4, 8)
    """

    def __init__(self, in_features: int, features: int, columns: int, *, drop_path: float = 0.15, rngs: nnx.Rngs):
        self.short = ConvNorm(in_features, features, 3, padding=1, rngs=rngs)
        ends = [(in_features, features), (features, features)] if columns > 1 else []
        self.long = Chain([Fractal(i, o, columns - 1, drop_path=drop_path, rngs=rngs) for i, o in ends])
        self.columns, self.drop_path = columns, drop_path

    def __call__(
        self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None, column: jax.Array | None = None
    ) -> jax.Array:
        """Map [B, H, W, in_features] to [B, H, W, features].

        Args:
            x: the images.
            train: use the statistics of the batch.
            key: turns on drop-path.
            column: int32, the one column to keep (the longest is 0), or a negative number for local drop-path; drawn
                from the key where it is None.
        """
        if key is not None and column is None:
            key, column = _draw_column(key, self.columns)
        return self._join(self._paths(x, train, key, column), key, column)

    def _paths(self, x: jax.Array, train: bool, key: jax.Array | None, column: jax.Array | None) -> list[jax.Array]:
        short = self.short(x, train=train)
        if self.columns == 1:
            return [short]
        first, second = self.long
        middle = first(x, train=train, key=subkey(key, 0), column=column)
        return [*second._paths(middle, train, subkey(key, 1), column), short]

    def _join(self, paths: list[jax.Array], key: jax.Array | None, column: jax.Array | None) -> jax.Array:
        if key is None or column is None or self.drop_path == 0 or len(paths) == 1:
            return sum(paths[1:], paths[0]) / len(paths)
        shares = _shares(subkey(key, 2), column, len(paths), self.drop_path).astype(paths[0].dtype)
        return sum((share * path for share, path in zip(shares[1:], paths[1:])), shares[0] * paths[0])


def fractalnet(
    *,
    classes: int = 10,
    in_channels: int = 3,
    columns: int = 3,
    features: Sequence[int] = (64, 128, 256, 512, 512),
    drop_path: float = 0.15,
    dropout: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4),
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build a FractalNet for images of 32 x 32; a stage begins with the pooling after the previous one.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        columns: of each stage's fractal; the network is len(features) * 2^(columns - 1) convolutions deep.
        features: of each stage.
        drop_path: rate of local drop-path.
        dropout: rate at the end of each stage.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: fractalnet(columns=2, features=(4, 8), dropout=(0.0, 0.1), rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (8, 8, 3))
        {'stage1': (8, 8, 4), 'stage2': (4, 4, 8), 'pool': (8,), 'logits': (10,)}
    """
    stages: dict[str, nnx.Module] = {}
    for number, ((before, width), rate) in enumerate(zip(pairwise((in_channels, *features)), dropout, strict=True), 1):
        pool = [] if number == 1 else [MaxPool(2)]
        fractal = Fractal(before, width, columns, drop_path=drop_path, rngs=rngs)
        stages[f"stage{number}"] = Chain([*pool, fractal, Dropout(rate)])
    return ConvNet(stages | pooled_head(features[-1], classes, rngs=rngs), in_channels=in_channels, dtype=dtype)


def _draw_column(key: jax.Array, columns: int) -> tuple[jax.Array, jax.Array]:
    key, which, kind = jax.random.split(key, 3)
    return key, jnp.where(jax.random.bernoulli(kind), jax.random.randint(which, (), 0, columns), -1)


def _shares(key: jax.Array | None, column: jax.Array, paths: int, rate: float) -> jax.Array:
    lucky, survive = jax.random.split(key)  # pyright: ignore[reportArgumentType]
    numbers = jnp.arange(paths)
    spared = numbers == jax.random.randint(lucky, (), 0, paths)
    local = jax.random.bernoulli(survive, 1 - rate, (paths,))
    local = jnp.where(jnp.any(local), local, spared)
    # a join that the kept column does not pass is not read, but must stay finite
    kept = jnp.where(column < 0, local, (numbers == column) | (column >= paths))
    return kept / jnp.sum(kept)
