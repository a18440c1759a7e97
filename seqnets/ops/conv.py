"""Convolutions over images: dense, grouped, dilated, transposed, locally connected. NHWC images, HWIO kernels."""

import jax
import jax.numpy as jnp
from jax import lax

from seqnets.errors import UserError
from seqnets.ops.canonical_conv import LAYOUT, convolve, stamp
from seqnets.ops.columns import im2col
from seqnets.ops.geometry import Padding, Pair, check_positive, output_size, pair, resolve_padding


def conv2d(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> jax.Array:
    r"""Slide a kernel over images.

    $$ y_{n,i,j,o} = b_o + \sum_{a,b,c} x_{n,\; S i + D a - P,\; S j + D b - P,\; c}\; k_{a,b,c,o} $$

    Args:
        x: [B, H, W, in_features] floating images.
        kernel: [KH, KW, in_features / groups, out_features].
        bias: [out_features], or None.
        stride: S, pixels from one position to the next.
        padding: P, rings of zeros, or `"SAME"` or `"VALID"`.
        dilation: D, pixels between two taps.
        groups: independent slices of the features; `in_features` makes it depthwise.

    Returns:
        [B, H', W', out_features] in the dtype of `x`.

    Raises:
        UserError: the features do not fit the kernel, or the kernel does not fit the image.

    Example:
        >>> conv2d(jnp.ones((1, 5, 5, 2)), jnp.ones((3, 3, 2, 4)), stride=2, padding=1)[0, :, :, 0]
        Array([[ 8., 12.,  8.],
               [12., 18., 12.],
               [ 8., 12.,  8.]], dtype=float32)
    """
    _check_features(x, kernel.shape[2] * groups, f"kernel {kernel.shape} in {groups} group(s)")
    stride, dilation = pair(stride), pair(dilation)
    sides = resolve_padding(padding, size=x.shape[1:3], window=kernel.shape[:2], stride=stride, dilation=dilation)
    for axis in (0, 1):
        output_size(x.shape[1 + axis], kernel.shape[axis], stride=stride[axis], padding=sides[axis], dilation=dilation[axis])
    kernel = kernel.astype(x.dtype)
    if groups == 1:
        return add_bias(convolve(x, kernel, stride, (sides[0], sides[1]), dilation), bias)
    y = lax.conv_general_dilated(
        x,
        kernel,
        window_strides=stride,
        padding=sides,
        rhs_dilation=dilation,
        feature_group_count=groups,
        dimension_numbers=LAYOUT,
    )
    return add_bias(y, bias)


def conv_transpose2d(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> jax.Array:
    r"""Stamp a kernel, weighted by each pixel, into a larger image: the transpose of `conv2d` as a linear map.

    $$ y_{n,\; S i + D a - P,\; S j + D b - P,\; o} \mathrel{+}= x_{n,i,j,c}\; k_{a,b,c,o}, \qquad
       H' = S (H - 1) + D (K - 1) + 1 - 2 P + P_{out} $$

    Args:
        x: [B, H, W, in_features] floating images.
        kernel: [KH, KW, in_features / groups, out_features].
        bias: [out_features], or None.
        stride: S, output pixels from one stamp to the next.
        padding: P, rings cut off the output.
        output_padding: rows and columns added at the bottom and right, to choose among the possible output sizes.
        dilation: D, pixels between two taps.
        groups: independent slices of the features.

    Raises:
        UserError: the features do not fit the kernel, or nothing would be left of the output.

    Example:
        >>> conv_transpose2d(jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1), jnp.ones((1, 3, 1, 1)), stride=(1, 2))[0, 0, :, 0]
        Array([1., 1., 3., 2., 2.], dtype=float32)

    References:
        Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """
    _check_features(x, kernel.shape[2] * groups, f"kernel {kernel.shape} in {groups} group(s)")
    stride, padding, extra, dilation = pair(stride), pair(padding), pair(output_padding), pair(dilation)
    check_positive(stride=stride, dilation=dilation)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel.shape[:2])]
    for size, s, r, p, e in zip(x.shape[1:3], stride, reach, padding, extra):
        _check_transposed(size, s, r, p, e)
    if groups == 1:
        cut = [(p, p - e) for p, e in zip(padding, extra)]
        return add_bias(stamp(x, kernel.astype(x.dtype), stride, (cut[0], cut[1]), dilation), bias)
    y = lax.conv_general_dilated(
        x,
        jnp.flip(kernel, (0, 1)).astype(x.dtype),
        window_strides=(1, 1),
        padding=[(r - p, r - p + e) for r, p, e in zip(reach, padding, extra)],
        lhs_dilation=stride,
        rhs_dilation=dilation,
        feature_group_count=groups,
        dimension_numbers=LAYOUT,
    )
    return add_bias(y, bias)


def locally_connected2d(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    window: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
) -> jax.Array:
    r"""Convolve with a separate kernel at every position: no sharing of weights.

    $$ y_{n,i,j,o} = b_{i,j,o} + \sum_m \mathrm{im2col}(x)_{n,i,j,m}\; k_{i,j,m,o} $$

    Args:
        x: [B, H, W, in_features] floating images.
        kernel: [H', W', KH * KW * in_features, out_features].
        bias: [H', W', out_features], or None.
        window: (KH, KW).
        stride: pixels from one position to the next.
        padding: rings of zeros, or `"SAME"` or `"VALID"`.

    Raises:
        UserError: the kernel was made for another number of positions.

    Example:
        >>> x = jnp.arange(4.0).reshape(1, 2, 2, 1)
        >>> locally_connected2d(x, 10 ** jnp.arange(4.0).reshape(2, 2, 1, 1), window=1)[0, :, :, 0]
        Array([[   0.,   10.],
               [ 200., 3000.]], dtype=float32)
    """
    patches = im2col(x, window, stride=stride, padding=padding)
    if patches.shape[1:] != kernel.shape[:3]:
        raise UserError(
            f"x {x.shape} gives patches {patches.shape[1:]} but the kernel {kernel.shape} has weights for "
            f"{kernel.shape[:3]}; a locally connected layer works at one image size only"
        )
    return add_bias(jnp.einsum("bhwm,hwmo->bhwo", patches, kernel.astype(x.dtype)), bias)


def add_bias(y: jax.Array, bias: jax.Array | None) -> jax.Array:
    """Add a bias over the last axes, in the dtype of `y`, if there is one.

    Example:
        >>> add_bias(jnp.zeros((1, 2)), jnp.array([1.0, 2.0]))
        Array([[1., 2.]], dtype=float32)
    """
    return y if bias is None else y + jnp.expand_dims(bias.astype(y.dtype), range(y.ndim - bias.ndim))


def _check_features(x: jax.Array, expected: int, what: str) -> None:
    if x.ndim != 4:
        raise UserError(f"x has shape {x.shape}; give images [B, H, W, features]")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise UserError(f"x has dtype {x.dtype}; convolutions take floating images: x.astype(jnp.float32)")
    if x.shape[-1] != expected:
        raise UserError(f"x {x.shape} has {x.shape[-1]} features but the {what} takes {expected}")


def _check_transposed(size: int, stride: int, reach: int, padding: int, extra: int) -> None:
    total = stride * (size - 1) + reach + 1 - 2 * padding + extra
    if total < 1:
        raise UserError(
            f"output size {stride}*({size} - 1) + {reach} + 1 - 2*{padding} + {extra} = {total} is impossible; "
            "give less padding or a larger image"
        )
