"""What a picture should become, as sums of measured layers: objectives add, subtract and scale."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Features = Mapping[str, jax.Array]
Measure = Callable[..., jax.Array]
_PICTURE = ""  # the layer of terms that read the picture itself
_FLAT = 1e-3


@partial(jax.tree_util.register_dataclass, data_fields=["weight", "data"], meta_fields=["layer", "measure"])
@dataclass(frozen=True)
class Term:
    """A weight times a measure of one layer; the weight and the measure's data are leaves, so new ones compile nothing."""

    weight: Any
    data: tuple[Any, ...]
    layer: str
    measure: Measure


@partial(jax.tree_util.register_dataclass, data_fields=["terms"], meta_fields=[])
@dataclass(frozen=True)
class Objective:
    r"""A quantity of a picture and its features that is to grow: $o(x) = \sum_k w_k m_k(\phi_{l_k}(x))$.

    What should shrink, such as a distance or a norm, is subtracted.

    Example:
        >>> wanted = logit(3) - 0.01 * norm(2, center=90.0)
        >>> wanted.layers, len(wanted.terms)
        (('logits',), 2)
        >>> wanted(jnp.full((1, 2, 2, 3), 100.0), {"logits": jnp.eye(5)[3:4]})
        Array([-11.], dtype=float32)
    """

    terms: tuple[Term, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that it reads, each once."""
        return tuple(dict.fromkeys(term.layer for term in self.terms if term.layer != _PICTURE))

    def __call__(self, picture: jax.Array, features: Features) -> jax.Array:
        """Return its value for each picture, [B].

        Args:
            picture: [B, H, W, C], values 0 to 255.
            features: layer to array [B, ...].
        """
        return sum((value for value in self.parts(picture, features)), jnp.zeros(len(picture)))

    def parts(self, picture: jax.Array, features: Features) -> list[jax.Array]:
        """Return the value of each term, weighted."""
        read = {_PICTURE: picture, **features}
        return [jnp.asarray(term.weight) * term.measure(read[term.layer], *term.data) for term in self.terms]

    def __add__(self, other: "Objective | int") -> "Objective":
        return self if other == 0 else Objective(self.terms + other.terms) if isinstance(other, Objective) else NotImplemented

    __radd__ = __add__

    def __mul__(self, factor: Any) -> "Objective":
        return Objective(tuple(replace(term, weight=term.weight * factor) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        return -1.0 * self

    def __sub__(self, other: "Objective") -> "Objective":
        return self + -other


def unit(layer: str, channel: int, position: tuple[int, int] | None = None) -> Objective:
    """Return the activation of one unit of a map: at a position (row, column), or in the middle."""
    return _one(layer, _unit, jnp.asarray(channel), None if position is None else jnp.asarray(position))


def channel(layer: str, channel: int) -> Objective:
    """Return the mean activation of a channel of a map."""
    return _one(layer, _channel, jnp.asarray(channel))


def layer_energy(layer: str) -> Objective:
    r"""Return $\frac12 \sum a^2$ of a layer, whose gradient by the activations is the activations themselves.

    References:
        Mordvintsev, Olah and Tyka, "Inceptionism: going deeper into neural networks", 2015.
    """
    return _one(layer, _energy)


def logit(classes: Any, layer: str = "logits") -> Objective:
    """Return the score of a class before the softmax; of one class for each picture, if a list is given.

    References:
        Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", 2014.
    """
    return _one(layer, _logit, jnp.asarray(classes))


def log_probability(classes: Any, layer: str = "logits") -> Objective:
    """Return ln p of a class, which also grows when the scores of the others shrink; of one class for each picture, if a list."""
    return _one(layer, _log_probability, jnp.asarray(classes))


def features_like(layer: str, target: Any) -> Objective:
    r"""Return the relative distance of a layer to given features, $|\phi - \phi_0|^2 / |\phi_0|^2$; to be subtracted.

    References:
        Mahendran and Vedaldi, "Understanding deep image representations by inverting them", 2015.
    """
    return _one(layer, _distance, jnp.asarray(target))


def gram(features: Any) -> jax.Array:
    r"""Return the Gram matrices of maps: $G = F F^\top / M$ over M positions.

    Args:
        features: [B, H, W, N].

    Returns:
        [B, N, N].
    """
    flat = jnp.reshape(features, (features.shape[0], -1, features.shape[-1]))
    return jnp.einsum("bmi,bmj->bij", flat, flat, precision="highest") / flat.shape[1]


def gram_like(layer: str, target: Any) -> Objective:
    r"""Return Gatys' distance between Gram matrices, $\sum (G - A)^2 / (4 N^2)$; to be subtracted.

    G and A are divided by their own numbers of positions, so that pictures of any two sizes are compared.

    Args:
        layer: a layer with N maps.
        target: A, [N, N] or [B, N, N], of `gram`.

    References:
        Gatys, Ecker and Bethge, "Texture synthesis using convolutional neural networks", 2015.
    """
    return _one(layer, _gram_distance, jnp.asarray(target))


def total_variation(beta: float = 2.0) -> Objective:
    r"""Return $\sum ((x_{i,j+1} - x_{ij})^2 + (x_{i+1,j} - x_{ij})^2)^{\beta/2}$ of the picture; to be subtracted.

    References:
        Mahendran and Vedaldi, "Understanding deep image representations by inverting them", 2015.
    """
    return _one(_PICTURE, _variation, jnp.asarray(beta, jnp.float32))


def norm(power: float = 2.0, center: Any = 127.5) -> Objective:
    r"""Return $\sum |x - c|^p$ of the picture; to be subtracted.

    Args:
        power: p.
        center: c, one value or one for each channel.
    """
    return _one(_PICTURE, _norm, jnp.asarray(power, jnp.float32), jnp.asarray(center, jnp.float32))


def _one(layer: str, measure: Measure, *data: Any) -> Objective:
    return Objective((Term(np.float32(1), data, layer, measure),))


def _unit(x: jax.Array, channel: jax.Array, position: jax.Array | None) -> jax.Array:
    row, column = (x.shape[1] // 2, x.shape[2] // 2) if position is None else position
    return x[:, row, column, channel]


def _channel(x: jax.Array, channel: jax.Array) -> jax.Array:
    return jnp.mean(x[..., channel], axis=tuple(range(1, x.ndim - 1)))


def _energy(x: jax.Array) -> jax.Array:
    return 0.5 * jnp.sum(x**2, axis=tuple(range(1, x.ndim)))


def _logit(x: jax.Array, classes: jax.Array) -> jax.Array:
    return jnp.take_along_axis(x, jnp.broadcast_to(classes, x.shape[:1])[:, None], axis=1)[:, 0]


def _log_probability(x: jax.Array, classes: jax.Array) -> jax.Array:
    return _logit(jax.nn.log_softmax(x), classes)


def _distance(x: jax.Array, target: jax.Array) -> jax.Array:
    axes = tuple(range(1, x.ndim))
    target = jnp.broadcast_to(target, x.shape)
    least = _FLAT * x[0].size  # of a flat picture, where zero-mean filters find nothing
    return jnp.sum((x - target) ** 2, axis=axes) / jnp.maximum(jnp.sum(target**2, axis=axes), least)


def _gram_distance(x: jax.Array, target: jax.Array) -> jax.Array:
    found = gram(x)
    return jnp.sum((found - jnp.broadcast_to(target, found.shape)) ** 2, axis=(1, 2)) / (4 * x.shape[-1] ** 2)


def _variation(x: jax.Array, beta: jax.Array) -> jax.Array:
    across, down = x[:, :-1, 1:] - x[:, :-1, :-1], x[:, 1:, :-1] - x[:, :-1, :-1]
    squares = across**2 + down**2
    some = squares > 0  # a power below 1 has no derivative at 0
    return jnp.sum(jnp.where(some, jnp.where(some, squares, 1.0) ** (beta / 2), 0.0), axis=(1, 2, 3))


def _norm(x: jax.Array, power: jax.Array, center: jax.Array) -> jax.Array:
    return jnp.sum(jnp.abs(x - jnp.reshape(center, (1, 1, 1, -1))) ** power, axis=(1, 2, 3))
