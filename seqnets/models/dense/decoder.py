"""From the features of an encoder to maps: steps that enlarge, meet finer features and convolve."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.errors import UserError
from seqnets.models.dense.encoder import Shape
from seqnets.models.dense.plans import Plan, UpName
from seqnets.nn.chain import Chain, apply
from seqnets.nn.conv import Conv, ConvTranspose
from seqnets.nn.conv_norm import ConvNorm
from seqnets.nn.initializers import bilinear_kernel, convolution_kernel
from seqnets.nn.regularize import dropout
from seqnets.ops.pool import max_pool, max_pool_with_indices, unpool_by_indices, unpool_nearest

Maps = Sequence[tuple[str, Shape]]
Size = tuple[int, int]


class Decoder(nnx.Module):
    """Turn named features into one map, as a `Plan` says.

    Args:
        maps: the features by name with their shapes (h, w, C), the coarsest last.
        plan: how.
        out_features: C of the result.
        size: (H, W) of the result.
        head_features: features of the two convolutions of a plan that deepens; 0 for twice those of the coarsest map.
        dropout: rate before the last layer (and within the head of a plan that deepens).
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.dense.plans import PLANS
        >>> maps = [("fine", (8, 8, 2)), ("coarse", (4, 4, 3))]
        >>> decoder = Decoder(maps, PLANS["unet"], 5, (16, 16), rngs=nnx.Rngs(0))
        >>> decoder({"fine": jnp.zeros((1, 8, 8, 2)), "coarse": jnp.zeros((1, 4, 4, 3))}).shape
        (1, 16, 16, 5)
    """

    def __init__(
        self,
        maps: Maps,
        plan: Plan,
        out_features: int,
        size: Size,
        *,
        head_features: int = 0,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ):
        (self.coarsest, (height, width, features)), finer = maps[-1], list(maps[-2::-1])[: plan.levels]
        self.deepens, self.dropout, self.size = plan.deepens, dropout, size
        if plan.deepens:
            wide = head_features or 2 * features
            self.head = Chain([_convolution(features, wide, rngs), _convolution(wide, wide, rngs)])
            self.pools = min(height, width) >= 4
            height, width, features = _halved(height, self.pools), _halved(width, self.pools), wide
        scores = plan.join == "scores"
        self.score = _scores(features, out_features, scores, rngs) if scores or not finer else None
        features, steps, have = out_features if scores else features, [], (height, width)
        for name, shape in finer:
            steps.append(Step(name, have, shape, features, plan, out_features, rngs=rngs))
            have, features = shape[:2], steps[-1].out_features
        self.steps = nnx.List(steps)
        self.last = None if self.score is not None else _scores(features, out_features, False, rngs)
        # a class at a time, so that the enlargement stays bilinear until training changes it
        enlarges = plan.up == "transposed" and have != size
        self.enlarge = _Transposed(out_features, out_features, _factor(have, size), out_features, rngs) if enlarges else None

    def __call__(self, features: Mapping[str, jax.Array], *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Return [B, H, W, out_features] in float32 from the features by name."""
        x = features[self.coarsest]
        if self.deepens:
            x = max_pool(x, 2) if self.pools else x
            x = dropout(apply(self.head, x, train=train), self.dropout, key)
        x = x if self.score is None else self.score(x)
        for step in self.steps:
            x = step(x, features[step.name], train=train)
        x = x if self.last is None else self.last(dropout(x, self.dropout, key))
        x = x.astype(jnp.float32)
        if self.enlarge is not None:
            return fitted(self.enlarge(x), self.size)
        return x if x.shape[1:3] == tuple(self.size) else jax.image.resize(x, (x.shape[0], *self.size, x.shape[3]), "bilinear")


class Step(nnx.Module):
    """Enlarge a map to the size of finer features, join them, and convolve.

    Args:
        name: of the finer features.
        have: (h, w) of the map.
        shape: (H, W, C) of the finer features.
        features: of the map.
        plan: how.
        out_features: of the scores, for a plan that joins scores.
        rngs: `params` is used.

    Raises:
        UserError: the plan enlarges scores by the places of a pooling.
    """

    def __init__(self, name: str, have: Size, shape: Shape, features: int, plan: Plan, out_features: int, *, rngs: nnx.Rngs):
        self.name, self.join, self.size = name, plan.join, shape[:2]
        self.up: UpName = plan.up
        self.factor, channels = _factor(have, shape[:2]), shape[2]
        scores, unpools, stamps = plan.join == "scores", plan.up == "unpool", plan.up == "transposed"
        if scores and unpools:
            raise UserError("an FCN enlarges scores, which a pooling has no places for; give another --model.up")
        # as many features as the places of the pooling
        self.before = _convolution(features, channels, rngs) if unpools else None
        wide = channels if unpools or (stamps and not scores) else features
        self.transposed = _Transposed(features, wide, self.factor, features if scores else 1, rngs) if stamps else None
        self.side = None if plan.join in ("none", "concatenate") else _side(channels, wide, scores, rngs)
        joined = wide + (channels if plan.join == "concatenate" else 0)
        self.out_features = channels if plan.convolutions else joined
        widths = [joined, *[self.out_features] * plan.convolutions]
        self.after = Chain([_convolution(one, other, rngs) for one, other in pairwise(widths)])

    def __call__(self, x: jax.Array, finer: jax.Array, *, train: bool = False) -> jax.Array:
        """Return [B, H, W, out_features] from [B, h, w, features] and [B, H, W, C]."""
        x = x if self.before is None else apply(self.before, x, train=train)
        x = enlarged(x, finer, self.up, self.factor) if self.transposed is None else self.transposed(x)
        x = fitted(x, self.size)
        if self.join == "concatenate":
            x = jnp.concatenate([x, finer], -1)
        elif self.side is not None:
            x = x + self.side(finer)
        return apply(self.after, x, train=train)


class _Transposed(nnx.Module):
    def __init__(self, features: int, out_features: int, factor: Size, groups: int, rngs: nnx.Rngs):
        # twice the stride: every pixel gets as many stamps, and there is no checkerboard
        rows, columns = (2 * side - side % 2 for side in factor)
        cut = factor[0] // 2, factor[1] // 2
        start = bilinear_kernel if groups == features == out_features else convolution_kernel
        self.layer = ConvTranspose(features, out_features, (rows, columns), stride=factor, padding=cut, groups=groups,
                                   use_bias=False, kernel_init=start, rngs=rngs)  # fmt: skip

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.layer(x)


def enlarged(x: jax.Array, finer: jax.Array, up: UpName, factor: Size) -> jax.Array:
    """Enlarge a map: each cell repeated (nearest), bilinear, or each value where a pooling of `finer` found its maximum (unpool).

    Args:
        x: [B, h, w, C].
        finer: [B, H, W, C].
        up: how.
        factor: (rows, columns) of a cell in the result.

    Example:
        >>> finer = jnp.array([[1.0, 5.0], [3.0, 2.0]]).reshape(1, 2, 2, 1)
        >>> enlarged(jnp.full((1, 1, 1, 1), 7.0), finer, "unpool", (2, 2))[0, :, :, 0].tolist()
        [[0.0, 7.0], [0.0, 0.0]]
    """
    if up == "nearest":
        return unpool_nearest(x, factor)
    if up == "bilinear":
        return jax.image.resize(x, (x.shape[0], *finer.shape[1:3], x.shape[3]), "bilinear")
    if max(factor) < 2:
        raise UserError("unpooling needs finer maps that are at least twice as large; give another --model.up")
    _, places = max_pool_with_indices(jax.lax.stop_gradient(finer), factor, rounding="ceil")
    return unpool_by_indices(fitted(x, (places.shape[1], places.shape[2])), places, (finer.shape[1], finer.shape[2]))


def fitted(x: jax.Array, size: Size) -> jax.Array:
    """Cut rows and columns off at the bottom and right, or repeat the last ones, so that a map has a size.

    Example:
        >>> fitted(jnp.array([[1.0, 2.0]]).reshape(1, 1, 2, 1), (2, 1))[0, :, :, 0].tolist()
        [[1.0], [1.0]]
    """
    x = x[:, : size[0], : size[1]]
    short = [(0, want - have) for want, have in zip(size, x.shape[1:3])]
    return jnp.pad(x, [(0, 0), *short, (0, 0)], "edge") if short != [(0, 0), (0, 0)] else x


def _convolution(features: int, out_features: int, rngs: nnx.Rngs) -> ConvNorm:
    return ConvNorm(features, out_features, 3, padding=1, rngs=rngs)


def _scores(features: int, out_features: int, at_zero: bool, rngs: nnx.Rngs) -> Conv:
    start = jax.nn.initializers.zeros if at_zero else convolution_kernel
    return Conv(features, out_features, 1, kernel_init=start, rngs=rngs)


def _side(features: int, out_features: int, scores: bool, rngs: nnx.Rngs) -> Conv:
    return _scores(features, out_features, True, rngs) if scores else Conv(features, out_features, 1, rngs=rngs)


def _halved(side: int, pools: bool) -> int:
    return side // 2 if pools else side


def _factor(have: Size, want: Size) -> Size:
    rows, columns = (max(1, round(w / h)) for w, h in zip(want, have))
    return rows, columns
