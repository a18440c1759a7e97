"""What is predicted at the cells of maps, and for the features of regions."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.nn.chain import Chain, apply
from seqnets.nn.conv import Conv, ConvTranspose
from seqnets.nn.conv_norm import ConvNorm
from seqnets.nn.dense import Dense
from seqnets.nn.initializers import convolution_kernel
from seqnets.ops.conv import conv2d


class Head(nnx.Module):
    """Predict numbers and classes for each box of each cell of a map.

    Args:
        features: of the map.
        wide: features of a convolution before the predictions; 0 for none.
        boxes: P, boxes of a cell.
        numbers: for each box.
        classes: C.
        kernel_size: taps of the predictions.
        normalize: whether the convolution before them has a batch norm.
        rngs: `params` is used.

    Example:
        >>> numbers, classes = Head(3, 0, 2, 5, 4, rngs=nnx.Rngs(0))(jnp.zeros((1, 6, 6, 3)))
        >>> numbers.shape, classes.shape
        ((1, 6, 6, 10), (1, 6, 6, 8))
    """

    def __init__(
        self,
        features: int,
        wide: int,
        boxes: int,
        numbers: int,
        classes: int,
        *,
        kernel_size: int = 3,
        normalize: bool = True,
        rngs: nnx.Rngs,
    ):
        self.before = _before(features, wide, normalize, rngs) if wide else None
        self.numbers = Conv(wide or features, boxes * numbers, kernel_size, padding=kernel_size // 2, rngs=rngs)
        self.classes = ClassConv(wide or features, boxes, classes, kernel_size=kernel_size, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """Return float32 [B, h, w, P * numbers] and [B, h, w, P * C] from [B, h, w, features]."""
        x = x if self.before is None else apply(self.before, x, train=train)
        return self.numbers(x).astype(jnp.float32), self.classes(x).astype(jnp.float32)


class ClassConv(nnx.Module):
    """A convolution whose weights have the classes as an axis of their own, so that a run can begin with another's classes.

    Args:
        features: of the map.
        boxes: P, boxes of a cell.
        classes: C.
        kernel_size: taps.
        rngs: `params` is used.

    Example:
        >>> ClassConv(3, 2, 4, rngs=nnx.Rngs(0)).kernel.shape
        (3, 3, 3, 2, 4)
    """

    def __init__(self, features: int, boxes: int, classes: int, *, kernel_size: int = 3, rngs: nnx.Rngs):
        taps = (kernel_size, kernel_size, features)
        drawn = convolution_kernel(rngs.params(), (*taps, boxes * classes), jnp.float32)
        self.kernel = nnx.Param(drawn.reshape(*taps, boxes, classes))
        self.bias = nnx.Param(jnp.zeros((boxes, classes), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return [B, h, w, P * C] from [B, h, w, features]."""
        kernel = self.kernel[...]
        return conv2d(x, kernel.reshape(*kernel.shape[:3], -1), self.bias[...].reshape(-1), padding=kernel.shape[0] // 2)


class RegionHead(nnx.Module):
    """Predict a class and offsets of the box from the features of a region, or for each of its parts from those of a cell.

    Args:
        features: of a region, or of a cell.
        hidden: features of the dense layers before the predictions.
        layers: how many such layers.
        classes: C.
        boxes: boxes of a region: C, or 1 for all classes.
        parts: k * k parts of a region that predict, each in maps of its own; 1 for the region as a whole.
        rngs: `params` is used.

    Example:
        >>> RegionHead(8, 4, 1, 3, 1, rngs=nnx.Rngs(0))(jnp.zeros((2, 5, 1, 8))).shape
        (2, 5, 1, 8)
    """

    def __init__(self, features: int, hidden: int, layers: int, classes: int, boxes: int, *, parts: int = 1, rngs: nnx.Rngs):
        widths = [features, *[hidden] * layers]
        self.hidden = Chain([layer for one, other in pairwise(widths) for layer in (Dense(one, other, rngs=rngs), jax.nn.relu)])
        self.background = Conv(widths[-1], parts, 1, rngs=rngs)
        self.classes = ClassConv(widths[-1], parts, classes, kernel_size=1, rngs=rngs)
        self.offsets = ClassConv(widths[-1], 4 * parts, boxes, kernel_size=1, rngs=rngs)
        self.parts = parts

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Return float32 [B, h, w, (1 + C + 4 boxes) * parts] from [B, h, w, features], the maps of a number side by side."""
        x = apply(self.hidden, x, train=train, key=key)
        maps = [self.background(x), self.classes(x), self.offsets(x)]
        return jnp.concatenate([_number_first(one, self.parts, kind) for one, kind in zip(maps, (1, 1, 4))], -1)


class MapHead(nnx.Module):
    """Predict maps within a region from its features: convolutions, and one that doubles rows and columns.

    Args:
        features: of a cell.
        wide: features of the convolutions.
        layers: how many, before the one that enlarges.
        maps: N, one for each class or joint.
        rngs: `params` is used.

    Example:
        >>> MapHead(3, 4, 1, 5, rngs=nnx.Rngs(0))(jnp.zeros((2, 7, 7, 3))).shape
        (2, 14, 14, 5)

    References:
        He et al., "Mask R-CNN", 2017.
    """

    def __init__(self, features: int, wide: int, layers: int, maps: int, *, rngs: nnx.Rngs):
        widths = [features, *[wide] * layers]
        convolutions = [Conv(one, other, 3, padding=1, rngs=rngs) for one, other in pairwise(widths)]
        enlarge = ConvTranspose(widths[-1], wide, 2, stride=2, rngs=rngs)
        self.before = Chain([part for layer in (*convolutions, enlarge) for part in (layer, jax.nn.relu)])
        self.maps = ClassConv(wide, 1, maps, kernel_size=1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return float32 [N, 2 h, 2 w, maps] from [N, h, w, features]."""
        return self.maps(apply(self.before, x)).astype(jnp.float32)


def region_numbers(numbers: jax.Array, classes: int) -> dict[str, jax.Array]:
    """Return the `logits` [B, R, 1 + C], the first of the background, and `offsets` [B, R, boxes, 4] of what a head predicts."""
    boxes = numbers[..., 1 + classes :].reshape(*numbers.shape[:2], 4, -1)
    return {"logits": numbers[..., : 1 + classes], "offsets": boxes.swapaxes(2, 3)}


def by_box(maps: jax.Array, per_cell: int) -> jax.Array:
    """Return the numbers of each box, [B, h w P, n], from maps [B, h, w, P n]."""
    return maps.reshape(maps.shape[0], -1, maps.shape[-1] // per_cell)


def _number_first(maps: jax.Array, parts: int, numbers: int) -> jax.Array:
    """[B, h, w, (numbers, parts, boxes)] as (numbers, boxes, parts)."""
    split = maps.astype(jnp.float32).reshape(*maps.shape[:3], numbers, parts, -1)
    return split.swapaxes(-1, -2).reshape(maps.shape)


def _before(features: int, wide: int, normalize: bool, rngs: nnx.Rngs) -> nnx.Module:
    if normalize:
        return ConvNorm(features, wide, 3, padding=1, rngs=rngs)
    return Chain([Conv(features, wide, 3, padding=1, rngs=rngs), jax.nn.relu])
