"""Dense layers as convolutions and back: the same weights, slid over a larger image."""

import jax
from flax import nnx

from seqnets.errors import UserError
from seqnets.nn.chain import Chain, Layer, apply
from seqnets.nn.conv import Conv
from seqnets.nn.dense import Dense, Flatten
from seqnets.nn.pool import AdaptiveAveragePool, AveragePool, GlobalAveragePool


def dense_to_conv(dense: Dense, grid: tuple[int, int]) -> Conv:
    """Make the convolution that applies a dense layer (after flattening) at every position of a map.

    Args:
        dense: reads H * W * C flattened features.
        grid: (H, W) of the map it was made for; the window of the convolution.

    Raises:
        UserError: the features of the dense layer are not a multiple of H * W.

    Example:
        >>> import jax.numpy as jnp
        >>> conv = dense_to_conv(Dense(2 * 2 * 3, 5, rngs=nnx.Rngs(0)), (2, 2))
        >>> conv(jnp.ones((1, 4, 6, 3))).shape
        (1, 3, 5, 5)

    References:
        Sermanet et al., "OverFeat: integrated recognition, localization and detection", 2014.
    """
    height, width = grid
    features, rest = divmod(dense.in_features, height * width)
    if rest:
        raise UserError(
            f"the dense layer takes {dense.in_features} features, which is not {height} x {width} x a whole number; "
            "give the grid of the map it reads"
        )
    conv = _empty_conv(features, dense.out_features, grid, use_bias=dense.bias is not None)
    conv.kernel = nnx.Param(dense.kernel[...].reshape(height, width, features, dense.out_features))
    conv.bias = None if dense.bias is None else nnx.Param(dense.bias[...])
    return conv


def conv_to_dense(conv: Conv) -> Dense:
    """Make the dense layer that applies a convolution to a flattened map of the window's size.

    Args:
        conv: one without groups, dilation and padding.

    Raises:
        UserError: the convolution has groups, dilation or padding.

    Example:
        >>> conv_to_dense(Conv(3, 5, 2, rngs=nnx.Rngs(0))).kernel.shape
        (12, 5)
    """
    if conv.groups != 1 or conv.dilation not in (1, (1, 1)) or conv.padding not in (0, (0, 0), "VALID"):
        raise UserError(
            f"a convolution with groups {conv.groups}, dilation {conv.dilation} and padding {conv.padding} is not a dense layer; "
            "give one with groups 1, dilation 1 and padding 0"
        )
    kernel = conv.kernel[...].reshape(-1, conv.out_features)
    dense = nnx.eval_shape(lambda: Dense(*kernel.shape, use_bias=conv.bias is not None, rngs=nnx.Rngs(0)))
    dense.kernel = nnx.Param(kernel)
    dense.bias = None if conv.bias is None else nnx.Param(conv.bias[...])
    return dense


def slide(layer: Layer, x: jax.ShapeDtypeStruct) -> tuple[Layer, jax.ShapeDtypeStruct]:
    """Rewrite a layer so that it slides over larger maps than the one it was made for.

    Flattening is removed, dense layers become convolutions, and global averages become averages over a sliding window.
    Everything else stays, and the parameters are the same.

    Args:
        layer: a layer, or a chain of them.
        x: shape and dtype of the map [1, H, W, C], or of the features [1, F], the layer was made for.

    Returns:
        The new layer, and the shape of the old layer's output for `x`.

    Raises:
        UserError: an adaptive pooling changes the map at this size.

    Example:
        >>> import jax.numpy as jnp
        >>> head = Chain([Flatten(), Dense(12, 5, rngs=nnx.Rngs(0))])
        >>> wide, _ = slide(head, jax.ShapeDtypeStruct((1, 2, 2, 3), "float32"))
        >>> apply(wide, jnp.ones((1, 4, 4, 3))).shape
        (1, 3, 3, 5)
    """
    y = jax.eval_shape(lambda x: apply(layer, x), x)
    if isinstance(layer, Chain):
        return _slide_chain(layer, x), y
    if isinstance(layer, Dense):
        return dense_to_conv(layer, (1, 1)), y
    if isinstance(layer, GlobalAveragePool):
        return AveragePool((x.shape[1], x.shape[2]), stride=1), y
    if isinstance(layer, AdaptiveAveragePool) and x.shape != y.shape:
        raise UserError(
            f"a pooling from {x.shape[1:3]} to {y.shape[1:3]} cannot slide; give the size at which it changes nothing"
        )
    return (Chain([]), y) if isinstance(layer, AdaptiveAveragePool | Flatten) else (layer, y)


def _slide_chain(chain: Chain, x: jax.ShapeDtypeStruct) -> Chain:
    slid, grid = [], (1, 1)
    for layer in chain:
        grid = (x.shape[1], x.shape[2]) if isinstance(layer, Flatten) else grid
        new, x = slide(layer, x)
        if isinstance(layer, Dense):
            new, grid = dense_to_conv(layer, grid), (1, 1)
        slid.append(new)
    return Chain(slid)


def _empty_conv(in_features: int, out_features: int, window: tuple[int, int], *, use_bias: bool) -> Conv:
    return nnx.eval_shape(lambda: Conv(in_features, out_features, window, use_bias=use_bias, rngs=nnx.Rngs(0)))
