"""Networks that paint a picture in a style, or in a mixture of several, in one pass.

References:
    Johnson, Alahi and Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution", 2016.
    Dumoulin, Shlens and Kudlur, "A learned representation for artistic style", 2017.
    Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", 2016.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.models.description import described, names, stated
from seqnets.models.stylizer_config import StylizerConfig
from seqnets.named_arrays import named_arrays
from seqnets.nn.conv import Conv, ConvTranspose
from seqnets.nn.instance_norm import InstanceNorm

_STRIDE, _LEAST = 4, 16  # pixels
_OUTPUTS = {
    "sigmoid": lambda x: 255 * jax.nn.sigmoid(x),
    "tanh": lambda x: 127.5 + 150 * jnp.tanh(x),
}
_INPUTS = {"sigmoid": 1 / 255, "tanh": 1.0}


class StyledConv(nnx.Module):
    """Convolve, normalize for the style, and apply a ReLU.

    Args:
        in_features: channels of x.
        out_features: channels of y.
        kernel_size: taps.
        stride: pixels from one position to the next.
        upsample: double the size first.
        relu: whether the ReLU comes last.
        styles: rows of the norm.
        config: padding, up-sampling and epsilon.
        rngs: `params` is used.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int,
        *,
        stride: int = 1,
        upsample: bool = False,
        relu: bool = True,
        styles: int,
        config: StylizerConfig,
        rngs: nnx.Rngs,
    ):
        self.transposed = upsample and config.upsampling == "transposed"
        self.doubled, self.relu, self.reflect = upsample and not self.transposed, relu, config.padding == "reflect"
        if self.transposed:
            self.conv = ConvTranspose(in_features, out_features, kernel_size, stride=2, use_bias=False, rngs=rngs)
        else:
            padding = "VALID" if self.reflect else "SAME"
            self.conv = Conv(in_features, out_features, kernel_size, stride=stride, padding=padding, use_bias=False, rngs=rngs)
        self.edge = kernel_size // 2
        self.norm = InstanceNorm(out_features, styles=styles, epsilon=config.epsilon)

    def __call__(self, x: jax.Array, mix: jax.Array) -> jax.Array:
        """Map [B, H, W, in_features] for mixtures of styles [B, styles]."""
        x = self.norm(self._convolved(x), mix)
        return jax.nn.relu(x) if self.relu else x

    def _convolved(self, x: jax.Array) -> jax.Array:
        if self.transposed:
            return self.conv(x)[:, : 2 * x.shape[1], : 2 * x.shape[2]]
        if self.doubled:
            x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
        edge = (self.edge, self.edge)
        return self.conv(jnp.pad(x, ((0, 0), edge, edge, (0, 0)), mode="reflect") if self.reflect else x)


class Residual(nnx.Module):
    """Add two convolutions to what they were given, the second one without a ReLU."""

    def __init__(self, features: int, **options: Any):
        self.first = StyledConv(features, features, 3, **options)
        self.second = StyledConv(features, features, 3, relu=False, **options)

    def __call__(self, x: jax.Array, mix: jax.Array) -> jax.Array:
        """Map [B, H, W, features]."""
        return x + self.second(self.first(x, mix), mix)


class Stylizer(nnx.Module):
    """Paint pictures: down to a quarter of the size, residual blocks, and up again, with instance norms of the style.

    Args:
        config: the sizes and variants.
        styles: names of the styles.
        rngs: `params` is used.

    Example:
        >>> small = StylizerConfig(widths=(4, 4, 4), residual_blocks=1, expansion=(4, 4))
        >>> painter = Stylizer(small, ["waves", "dots"], rngs=nnx.Rngs(0))
        >>> jax.eval_shape(painter, jnp.zeros((1, 33, 50, 3)), jnp.array([[0.5, 0.5]])).shape
        (1, 33, 50, 3)
    """

    family, feature_names, in_channels, vocabulary = "stylizer", (), 3, None

    def __init__(self, config: StylizerConfig, styles: Sequence[str], *, rngs: nnx.Rngs):
        self.config, self.styles, self.preprocessing = config, tuple(styles), None
        options = {"styles": len(self.styles), "config": config, "rngs": rngs}
        one, two, three = config.widths
        four, five = config.expansion
        down = [(3, one, 9, 1), (one, two, 3, 2), (two, three, 3, 2)]
        self.contract = nnx.List([StyledConv(i, o, k, stride=s, **options) for i, o, k, s in down])
        self.residual = nnx.List([Residual(three, **options) for _ in range(config.residual_blocks)])
        up = [StyledConv(i, o, 3, upsample=True, **options) for i, o in ((three, four), (four, five))]
        self.expand = nnx.List([*up, StyledConv(five, 3, 9, relu=False, **options)])

    def __call__(self, pictures: jax.Array, mix: jax.Array | None = None) -> jax.Array:
        """Paint pictures of any size.

        Args:
            pictures: [B, H, W, 3] of 0 to 255.
            mix: the share of each style, [B, styles] or [styles]; the first style when None.

        Returns:
            [B, H, W, 3] of 0 to 255, not rounded.
        """
        count, height, width, _ = pictures.shape
        wanted = jnp.eye(len(self.styles))[0] if mix is None else jnp.asarray(mix, jnp.float32)
        shares = jnp.broadcast_to(wanted, (count, len(self.styles)))
        x = jnp.asarray(pictures, jnp.float32) * _INPUTS[self.config.output]
        x = jnp.pad(x, ((0, 0), (0, _missing(height)), (0, _missing(width)), (0, 0)), mode="edge")
        for layer in (*self.contract, *self.residual, *self.expand):
            x = layer(x, shares)
        return jnp.clip(_OUTPUTS[self.config.output](x), 0, 255)[:, :height, :width]

    def labeled_axes(self) -> dict[str, tuple[str, int]]:
        """Return the arrays with an axis of styles: by name, the list that the axis follows, and the axis."""
        return {name: ("styles", 0) for name in named_arrays(nnx.state(self, nnx.Param)) if ".norm." in name}

    def describe(self) -> dict[str, Any]:
        """Return the description that `from_description` reads."""
        return {"kind": "Stylizer", "config": asdict(self.config), "styles": list(self.styles)}


def stylized(model: Stylizer, picture: np.ndarray, mix: Sequence[float] = ()) -> np.ndarray:
    """Paint one picture.

    Args:
        model: the stylizer.
        picture: [H, W, 3] of 0 to 255, of any size.
        mix: the share of each style; the first style when empty.

    Returns:
        [H, W, 3] of uint8.
    """
    shares = jnp.asarray(mix or [1.0] + [0.0] * (len(model.styles) - 1), jnp.float32)
    structure, state = nnx.split(model)
    return np.asarray(_painted(structure, state, jnp.asarray(picture, jnp.float32)[None], shares))[0]


@partial(jax.jit, static_argnums=0)
def _painted(structure: Any, state: Any, pictures: jax.Array, mix: jax.Array) -> jax.Array:
    return jnp.rint(nnx.merge(structure, state)(pictures, mix)).astype(jnp.uint8)


def from_description(description: Mapping[str, Any], vocabulary: Any = None) -> Stylizer:
    """Make the network that a run folder's config.json describes, with arbitrary weights.

    Raises:
        UserError: the description belongs to another version.
    """
    with described("Stylizer"):
        config = stated(description.get("config"), StylizerConfig())
        return Stylizer(config, names(description.get("styles"), "styles"), rngs=nnx.Rngs(0))


def _missing(size: int) -> int:
    return max(-(-size // _STRIDE) * _STRIDE, _LEAST) - size
