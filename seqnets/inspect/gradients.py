"""Which pixels a score depends on: gradients, plain, smoothed and guided, and Grad-CAM."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqnets import settings
from seqnets.data.images.preprocessing import Picture, Preprocessing
from seqnets.errors import UserError
from seqnets.inspect.targets import Target, see
from seqnets.models.cnn.network import ConvNet
from seqnets.models.rewiring import RULES, rewired
from seqnets.models.taps import Taps, tapped
from seqnets.suggestion import nearest

KINDS = ("plain", *RULES)


class Saliency(NamedTuple):
    """The gradient of a score by the pixels.

    Args:
        pictures: [B, H, W, 3] of uint8, RGB, as the network saw them.
        gradient: [B, H, W, C] by the network's input, channels in its order.
        layer: the layer of the score.
        index: [B], its place in the layer's flattened output: the class, for logits.
        score: [B], its value.
    """

    pictures: np.ndarray
    gradient: np.ndarray
    layer: str
    index: np.ndarray
    score: np.ndarray

    @property
    def map(self) -> np.ndarray:
        """The largest size of the gradient over the channels: [B, H, W]."""
        return np.abs(self.gradient).max(-1)


def saliency(
    model: ConvNet,
    pictures: Sequence[Picture],
    target: Target = None,
    *,
    kind: str = "plain",
    samples: int = 1,
    noise: float = 0.15,
    seed: int = 0,
) -> Saliency:
    r"""Return the gradient of a class's score by the pixels, and its saliency map.

    $$ M = \max_c \left| \frac{\partial S}{\partial x_c} \right| $$

    where S is the logit, before the softmax. SmoothGrad is the mean gradient of several noisy copies of the picture.

    Args:
        model: the network, with its `preprocessing`.
        pictures: paths, Pillow images, arrays or bytes.
        target: a class by number or name, a `Unit`, or None for the likeliest class of each picture.
        kind: "plain", or the rule of every ReLU: "guided", "deconvolution" or "redirected".
        samples: copies with noise; 1 for the picture alone, without noise.
        noise: standard deviation of the noise, as a share of the range of the picture's values.
        seed: of the noise.

    Raises:
        UserError: the class, layer or kind is unknown, or a picture cannot be read.

    Example:
        >>> from seqnets.models import create_model
        >>> model = create_model("lenet5_relu")
        >>> model.preprocessing = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.0,), std=(1.0,))
        >>> found = saliency(model, [np.arange(784, dtype=np.uint8).reshape(28, 28)], 3, kind="guided")
        >>> found.map.shape, found.index.tolist()
        ((1, 28, 28), [3])

    References:
        Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", 2014.
        Springenberg et al., "Striving for simplicity: the all convolutional net", 2015 (guided).
        Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017.
    """
    if kind not in KINDS:
        raise UserError(f"no kind of saliency is called {kind!r}{nearest(kind, KINDS)}")
    samples = settings.whole("samples", samples, settings.POSITIVE)
    seen = see(model, pictures, target)
    taps = Taps(model, seen.layer)
    plan = _Plan(taps.structure, seen.rule, seen.layer, kind, samples, float(noise))
    score, gradient = _gradients(plan, taps.state, seen.pixels, seen.index, jax.random.key(seed))
    return Saliency(seen.shown, np.asarray(gradient), seen.layer, seen.index, np.asarray(score))


def grad_cam(model: ConvNet, pictures: Sequence[Picture], target: Target = None, *, layer: str | None = None) -> Saliency:
    r"""Return Grad-CAM: where a layer's features speak for a class.

    $$ M = \mathrm{relu}\Big(\sum_k \overline{\frac{\partial S}{\partial A_k}} A_k\Big) $$

    with the mean over the places of map k. The map is enlarged to the size of the picture.

    Args:
        model: the network, with its `preprocessing`.
        pictures: paths, Pillow images, arrays or bytes.
        target: a class by number or name, a `Unit` of a later layer, or None for the likeliest class of each picture.
        layer: the layer of the features A; the last stage when None.

    Returns:
        A `Saliency` whose gradient is M: [B, H, W, 1].

    Raises:
        UserError: the class or layer is unknown, or the layer has no map.

    References:
        Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", 2017.
    """
    seen = see(model, pictures, target)
    layer = layer or last_map(model)
    taps = Taps(model, (layer, seen.layer))
    maps = jax.eval_shape(taps.compute, taps.state, jnp.asarray(seen.rule.normalize(seen.pixels)))[layer]
    if maps.ndim != 4:
        raise UserError(f"layer {layer!r} has no map but {maps.shape[-1]:,} numbers; choose a layer before the pooling")
    score, cam = _cam(taps.structure, (layer, seen.layer), seen.rule, taps.state, seen.pixels, seen.index, maps.dtype.name)
    size = (*seen.pixels.shape[:3], 1)
    large = jax.image.resize(cam, size, "bilinear")
    return Saliency(seen.shown, np.asarray(large), seen.layer, seen.index, np.asarray(score))


def last_map(model: ConvNet) -> str:
    """Return the last stage of a network, whose features are a map.

    Example:
        >>> from seqnets.models import abstract_model
        >>> last_map(abstract_model("resnet50"))
        'stage4'
    """
    stages = [name for name in model.feature_names if name.startswith("stage")]
    return (stages or list(model.feature_names))[-1]


class _Plan(NamedTuple):
    structure: Any
    rule: Preprocessing
    layer: str
    kind: str
    samples: int
    noise: float


@partial(jax.jit, static_argnums=0)
def _gradients(plan: _Plan, state: Any, pixels: Any, index: Any, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    x = plan.rule.normalize(pixels)

    def scores(x: jax.Array) -> jax.Array:
        return score_of(tapped(plan.structure, (plan.layer,), state, x)[plan.layer], index)

    function = scores if plan.kind == "plain" else rewired(scores, plan.kind)
    gradient = jax.grad(lambda x: function(x).sum())
    if plan.samples == 1:
        return scores(x), gradient(x)
    spread = plan.noise * (x.max((1, 2, 3), keepdims=True) - x.min((1, 2, 3), keepdims=True))

    def add(total: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
        return total + gradient(x + spread * jax.random.normal(key, x.shape)) / plan.samples, None

    return scores(x), jax.lax.scan(add, jnp.zeros_like(x), jax.random.split(key, plan.samples))[0]


@partial(jax.jit, static_argnums=(0, 1, 2, 6))
def _cam(
    structure: Any, layers: tuple[str, str], rule: Preprocessing, state: Any, pixels: Any, index: Any, dtype: str
) -> tuple[jax.Array, jax.Array]:
    x = rule.normalize(pixels)

    def scores(added: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        outputs = tapped(structure, layers, state, x, {layers[0]: added})
        score = score_of(outputs[layers[1]], index)
        return score.sum(), (score, outputs[layers[0]])

    shape = jax.eval_shape(lambda: tapped(structure, layers[:1], state, x)[layers[0]]).shape
    gradient, (score, maps) = jax.grad(scores, has_aux=True)(jnp.zeros(shape, dtype))
    weights = gradient.astype(jnp.float32).mean((1, 2), keepdims=True)
    return score, jax.nn.relu((weights * maps.astype(jnp.float32)).sum(-1, keepdims=True))


def score_of(output: jax.Array, index: jax.Array) -> jax.Array:
    """Return one number of each example's output: [B].

    Args:
        output: [B, ...].
        index: [B], places in the flattened output of an example.
    """
    flat = output.reshape(len(output), -1).astype(jnp.float32)
    return jnp.take_along_axis(flat, jnp.asarray(index)[:, None], axis=1)[:, 0]
