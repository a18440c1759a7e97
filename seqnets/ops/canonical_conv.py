"""A convolution whose gradients are also convolutions of NHWC images with HWIO kernels.

JAX's own gradients exchange axes within the convolution. XLA's CPU compiler rearranges that for its fast kernels,
but not inside a loop on the device, such as the loop of training steps: there it falls back to plain code, up to 60 times
slower. Exchanging the axes beforehand costs next to nothing and is fast everywhere.
"""

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
from jax import lax

from seqnets.ops.derivatives import differentiable

LAYOUT = ("NHWC", "HWIO", "NHWC")

Two = tuple[int, int]
Sides = tuple[Two, Two]


def convolve(x: jax.Array, kernel: jax.Array, stride: Two, padding: Sides, dilation: Two) -> jax.Array:
    """Slide a dense kernel over images.

    Args:
        x: [B, H, W, in_features].
        kernel: [KH, KW, in_features, out_features], in the dtype of `x`.
        stride: pixels from one position to the next.
        padding: zeros before and after the rows and the columns.
        dilation: pixels between two taps.

    Returns:
        [B, H', W', out_features].

    Example:
        >>> x, kernel = jnp.ones((1, 3, 3, 1)), jnp.ones((2, 2, 1, 1))
        >>> convolve(x, kernel, (1, 1), ((0, 0), (0, 0)), (1, 1))[0, :, :, 0].tolist()
        [[4.0, 4.0], [4.0, 4.0]]
    """
    return _of(stride, padding, dilation)(x, kernel)


def stamp(x: jax.Array, kernel: jax.Array, stride: Two, cut: Sides, dilation: Two) -> jax.Array:
    """Stamp a dense kernel, weighted by each pixel, into a larger image: the transpose of `convolve` as a linear map.

    Args:
        x: [B, h, w, in_features].
        kernel: [KH, KW, in_features, out_features], in the dtype of `x`.
        stride: output pixels from one stamp to the next.
        cut: rows and columns cut off the output before and after; negative ones are added.
        dilation: pixels between two taps.

    Returns:
        [B, H, W, out_features].

    Example:
        >>> stamp(jnp.ones((1, 1, 2, 1)), jnp.ones((1, 3, 1, 1)), (1, 2), ((0, 0), (0, 0)), (1, 1))[0, 0, :, 0].tolist()
        [1.0, 1.0, 2.0, 1.0, 1.0]
    """
    return _stamp_of(stride, cut, dilation)(x, kernel)


@cache  # JAX remembers what it traced by the identity of functions
def _of(stride: Two, padding: Sides, dilation: Two) -> Callable[[jax.Array, jax.Array], jax.Array]:
    definition = partial(_convolution, window_strides=stride, padding=padding, rhs_dilation=dilation)
    backward = partial(_backward, stride, padding, dilation)
    return differentiable(definition, lambda x, kernel: (definition(x, kernel), None), backward, reads_results=False)


def _backward(stride: Two, padding: Sides, dilation: Two, arguments: tuple[jax.Array, jax.Array], _results, _kept, d_y):
    x, kernel = arguments
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[:2])]
    reach = [s * (size - 1) + 1 for s, size in zip(stride, d_y.shape[1:3])]
    before = [span - low - 1 for span, (low, _) in zip(spans, padding)]
    # the padding that gives the gradients the sizes of image and kernel
    after_x = [size + span - 1 - out - pad for size, span, out, pad in zip(x.shape[1:3], spans, reach, before)]
    after_kernel = [out - size + pad for size, out, pad in zip(x.shape[1:3], reach, before)]
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    d_x = _convolution(
        d_y, turned, window_strides=(1, 1), padding=list(zip(before, after_x)), lhs_dilation=stride, rhs_dilation=dilation
    )
    d_kernel = _convolution(
        x.transpose(3, 1, 2, 0),
        d_y.transpose(1, 2, 0, 3),
        window_strides=dilation,
        padding=[(low, high) for (low, _), high in zip(padding, after_kernel)],
        rhs_dilation=stride,
    )
    return d_x, d_kernel.transpose(1, 2, 0, 3)


@cache
def _stamp_of(stride: Two, cut: Sides, dilation: Two) -> Callable[[jax.Array, jax.Array], jax.Array]:
    def definition(x: jax.Array, kernel: jax.Array) -> jax.Array:
        reach = [d * (k - 1) for d, k in zip(dilation, kernel.shape[:2])]
        sides = [(r - low, r - high) for r, (low, high) in zip(reach, cut)]
        turned = jnp.flip(kernel, (0, 1))
        return _convolution(x, turned, window_strides=(1, 1), padding=sides, lhs_dilation=stride, rhs_dilation=dilation)

    backward = partial(_stamp_backward, stride, cut, dilation)
    return differentiable(definition, lambda x, kernel: (definition(x, kernel), None), backward, reads_results=False)


def _stamp_backward(stride: Two, cut: Sides, dilation: Two, arguments: tuple[jax.Array, jax.Array], _results, _kept, d_y):
    x, kernel = arguments
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[:2])]
    reach = [s * (size - 1) + 1 for s, size in zip(stride, x.shape[1:3])]
    # the padding that gives the gradients the sizes of image and kernel
    after_x = [r + span - 1 - size - low for r, span, size, (low, _) in zip(reach, spans, d_y.shape[1:3], cut)]
    sides = [(low, high) for (low, _), high in zip(cut, after_x)]
    d_x = _convolution(d_y, kernel.swapaxes(2, 3), window_strides=stride, padding=sides, rhs_dilation=dilation)
    d_kernel = _convolution(
        d_y.transpose(3, 1, 2, 0), x.transpose(1, 2, 0, 3), window_strides=dilation, padding=sides, rhs_dilation=stride
    )
    return d_x, d_kernel.transpose(1, 2, 3, 0)


def _convolution(x: jax.Array, kernel: jax.Array, **options) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, dimension_numbers=LAYOUT, **options)
