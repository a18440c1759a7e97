"""Patches of images as rows of a matrix, and convolution as one matrix product: the slow and plain reference."""

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.ops.geometry import Padding, Pair, output_size, pair, resolve_padding


def im2col(
    x: jax.Array, window: Pair, *, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1, fill: float = 0.0
) -> jax.Array:
    """Copy the patch under each position of a window into one row.

    The result holds every pixel KH * KW times.

    Args:
        x: [B, H, W, C] images.
        window: (KH, KW).
        stride: pixels from one position to the next.
        padding: rings around the image, or `"SAME"` or `"VALID"`.
        dilation: pixels between two taps.
        fill: the value in the rings.

    Returns:
        [B, H', W', KH * KW * C], with each row in the order of a flattened kernel [KH, KW, C, out].

    Raises:
        UserError: the window does not fit the image.

    Example:
        >>> im2col(jnp.arange(6.0).reshape(1, 2, 3, 1), 2)[0, 0]
        Array([[0., 1., 3., 4.],
               [1., 2., 4., 5.]], dtype=float32)

    References:
        Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006.
    """
    window, stride, dilation = pair(window), pair(stride), pair(dilation)
    sides = resolve_padding(padding, size=x.shape[1:3], window=window, stride=stride, dilation=dilation)
    rows, columns = (_taps(x.shape[1 + axis], window[axis], stride[axis], sides[axis], dilation[axis]) for axis in (0, 1))
    padded = jnp.pad(x, ((0, 0), *sides, (0, 0)), constant_values=fill)
    patches = padded[:, rows[:, None, :, None], columns[None, :, None, :], :]
    return patches.reshape(*patches.shape[:3], -1)


def conv2d_im2col(
    x: jax.Array,
    kernel: jax.Array,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
) -> jax.Array:
    """Convolve by one matrix product over `im2col` patches: the reference for `conv2d`.

    Args:
        x: [B, H, W, in_features] images.
        kernel: [KH, KW, in_features, out_features].
        stride: pixels from one position to the next.
        padding: rings of zeros, or `"SAME"` or `"VALID"`.
        dilation: pixels between two taps.

    Returns:
        [B, H', W', out_features].

    Example:
        >>> conv2d_im2col(jnp.ones((1, 3, 3, 1)), jnp.ones((2, 2, 1, 1)))[0, :, :, 0]
        Array([[4., 4.],
               [4., 4.]], dtype=float32)
    """
    patches = im2col(x, (kernel.shape[0], kernel.shape[1]), stride=stride, padding=padding, dilation=dilation)
    return patches @ kernel.reshape(-1, kernel.shape[-1])


def _taps(size: int, window: int, stride: int, padding: tuple[int, int], dilation: int) -> np.ndarray:
    positions = output_size(size, window, stride=stride, padding=padding, dilation=dilation)
    return stride * np.arange(positions)[:, None] + dilation * np.arange(window)
