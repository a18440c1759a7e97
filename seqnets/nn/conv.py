"""Convolutional layers: they hold kernel and bias, `seqnets.ops.conv` slides them. All compute in the dtype of x."""

import jax
import jax.numpy as jnp
from flax import nnx

from seqnets.nn.initializers import convolution_kernel
from seqnets.ops.conv import conv2d, conv_transpose2d, locally_connected2d
from seqnets.ops.geometry import Padding, Pair, output_size, pair, resolve_padding


class Conv(nnx.Module):
    """Convolve images with a learned kernel: see `seqnets.ops.conv.conv2d` for the equation.

    Args:
        in_features: channels of x.
        out_features: channels of y.
        kernel_size: taps, one number or (height, width).
        stride: pixels from one position to the next.
        padding: rings of zeros (torch's convention), or `"SAME"` or `"VALID"`.
        dilation: pixels between two taps.
        groups: independent slices of the features.
        use_bias: whether a bias is added; a following batch norm makes it useless.
        kernel_init: how the kernel [KH, KW, in_features / groups, out_features] starts; He by default.
        rngs: `params` is used.

    Example:
        >>> Conv(3, 64, 7, stride=2, padding=3, rngs=nnx.Rngs(0))(jnp.ones((1, 32, 32, 3))).shape
        (1, 16, 16, 64)

    References:
        He et al., "Delving deep into rectifiers", 2015.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        use_bias: bool = True,
        kernel_init: jax.nn.initializers.Initializer = convolution_kernel,
        rngs: nnx.Rngs,
    ):
        shape = (*pair(kernel_size), in_features // groups, out_features)
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(out_features, jnp.float32)) if use_bias else None
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.in_features, self.out_features = in_features, out_features

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Convolve [B, H, W, in_features]."""
        return conv2d(
            x,
            self.kernel[...],
            None if self.bias is None else self.bias[...],
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )


class ConvTranspose(nnx.Module):
    """Stamp a learned kernel into a larger image: see `seqnets.ops.conv.conv_transpose2d` for the equation.

    Args:
        in_features: channels of x.
        out_features: channels of y.
        kernel_size: taps, one number or (height, width).
        stride: output pixels from one stamp to the next.
        padding: rings cut off the output.
        output_padding: rows and columns added at the bottom and right.
        dilation: pixels between two taps.
        groups: independent slices of the features.
        use_bias: whether a bias is added.
        kernel_init: how the kernel [KH, KW, in_features / groups, out_features] starts; He by default.
        rngs: `params` is used.

    Example:
        >>> ConvTranspose(8, 3, 4, stride=2, padding=1, rngs=nnx.Rngs(0))(jnp.ones((1, 16, 16, 8))).shape
        (1, 32, 32, 3)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        use_bias: bool = True,
        kernel_init: jax.nn.initializers.Initializer = convolution_kernel,
        rngs: nnx.Rngs,
    ):
        shape = (*pair(kernel_size), in_features // groups, out_features)
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(out_features, jnp.float32)) if use_bias else None
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.dilation, self.groups = dilation, groups

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Stamp the kernel for each pixel of [B, H, W, in_features]."""
        return conv_transpose2d(
            x,
            self.kernel[...],
            None if self.bias is None else self.bias[...],
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )


class LocallyConnected(nnx.Module):
    """Convolve with a separate kernel at every position, for images of one size.

    Args:
        in_features: channels of x.
        out_features: channels of y.
        kernel_size: taps, one number or (height, width).
        image_size: (H, W) of x.
        stride: pixels from one position to the next.
        padding: rings of zeros, or `"SAME"` or `"VALID"`.
        use_bias: whether a bias, one for each position, is added.
        kernel_init: how each position's kernel [KH * KW * in_features, out_features] starts; He by default.
        rngs: `params` is used.

    Raises:
        UserError: at the call, x has another size.

    Example:
        >>> LocallyConnected(3, 8, 3, image_size=(9, 9), stride=2, rngs=nnx.Rngs(0))(jnp.ones((1, 9, 9, 3))).shape
        (1, 4, 4, 8)

    References:
        Taigman et al., "DeepFace: closing the gap to human-level performance in face verification", 2014.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Pair,
        *,
        image_size: Pair,
        stride: Pair = 1,
        padding: Padding = 0,
        use_bias: bool = True,
        kernel_init: jax.nn.initializers.Initializer = convolution_kernel,
        rngs: nnx.Rngs,
    ):
        size, window, strides = pair(image_size), pair(kernel_size), pair(stride)
        sides = resolve_padding(padding, size=size, window=window, stride=strides)
        grid = [output_size(s, w, stride=t, padding=p) for s, w, t, p in zip(size, window, strides, sides)]
        taps = window[0] * window[1] * in_features
        kernels = jax.vmap(lambda key: kernel_init(key, (taps, out_features), jnp.float32))
        positions = jax.random.split(rngs.params(), grid[0] * grid[1])
        self.kernel = nnx.Param(kernels(positions).reshape(*grid, taps, out_features))
        self.bias = nnx.Param(jnp.zeros((*grid, out_features), jnp.float32)) if use_bias else None
        self.window, self.stride, self.padding = window, stride, padding

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Convolve [B, H, W, in_features] of the size the layer was made for."""
        return locally_connected2d(
            x,
            self.kernel[...],
            None if self.bias is None else self.bias[...],
            window=self.window,
            stride=self.stride,
            padding=self.padding,
        )
