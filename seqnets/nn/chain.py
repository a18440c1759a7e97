"""Layers one after the other."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

Layer = Callable[..., Any]
"""A Flax module called as `layer(x, train=..., key=...)`, or a plain function of `x`."""


class Chain(nnx.List):
    """Apply layers in order.

    Each module gets `train` and its own key; a plain function such as `jax.nn.relu` gets only the array. A chain is
    a list: it can be indexed, sliced by comprehension and extended.

    Args:
        layers: the layers, in order.

    Example:
        >>> Chain([jax.nn.relu, lambda x: 2 * x])(jax.numpy.array([-1.0, 3.0]))
        Array([0., 6.], dtype=float32)
    """

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Apply every layer to the output of the one before."""
        for index, layer in enumerate(self):
            x = apply(layer, x, train=train, key=subkey(key, index))
        return x


def apply(layer: Layer, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
    """Call a module with its mode and key, or a plain function without.

    Example:
        >>> apply(jax.nn.relu, jax.numpy.array([-1.0]), train=True)
        Array([0.], dtype=float32)
    """
    return layer(x, train=train, key=key) if isinstance(layer, nnx.Module) else layer(x)


def subkey(key: jax.Array | None, index: int | jax.Array) -> jax.Array | None:
    """Derive the key of a part from the key of the whole; without a key there is no noise.

    Example:
        >>> subkey(None, 3) is None
        True
    """
    return None if key is None else jax.random.fold_in(key, index)
