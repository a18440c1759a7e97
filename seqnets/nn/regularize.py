"""Noise that reduces overfitting. A key turns it on; without one it is off."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def dropout(x: Array, rate: float, key: Array | None) -> Array:
    """Zero each value with probability `rate` and scale the rest by 1 / (1 - rate).

    Args:
        x: any shape.
        rate: in [0, 1).
        key: a JAX key; None returns `x` as it is.

    Returns:
        An array like `x`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> sorted(set(dropout(jnp.ones(100), 0.5, jax.random.key(0)).tolist()))
        [0.0, 2.0]

    References:
        Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.
    """
    return _drop(x, rate, key, x.shape)


def locked_dropout(x: Array, rate: float, key: Array | None, time_axis: int = 1) -> Array:
    """Zero the same features at every time step of a sequence (variational dropout).

    Args:
        x: `(B, T, F)`, or `(T, B, F)` with `time_axis=0`.
        rate: in [0, 1).
        key: a JAX key; None returns `x` as it is.
        time_axis: the axis that shares one mask.

    Returns:
        An array like `x`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> y = locked_dropout(jnp.ones((2, 5, 8)), 0.5, jax.random.key(0))
        >>> bool((y == y[:, :1]).all())
        True

    References:
        Gal, Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", 2016.
    """
    shape = tuple(1 if axis == time_axis else size for axis, size in enumerate(x.shape))
    return _drop(x, rate, key, shape)


def drop_weights(weights: Any, rate: float, key: Array | None) -> Any:
    """Zero single weights, the same ones for the whole sequence (DropConnect on the recurrent kernels).

    Args:
        weights: an array or a pytree of them.
        rate: in [0, 1).
        key: a JAX key; None returns `weights` as they are.

    Returns:
        A pytree like `weights`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> (dropped,) = drop_weights((jnp.ones((4, 4)),), 0.5, jax.random.key(1))
        >>> sorted(set(dropped.ravel().tolist()))
        [0.0, 2.0]

    References:
        Merity, Keskar, Socher, "Regularizing and Optimizing LSTM Language Models", 2018.
    """
    if key is None or rate == 0:
        return weights
    leaves, structure = jax.tree.flatten(weights)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(structure, [dropout(leaf, rate, k) for leaf, k in zip(leaves, keys)])


def zoneout_shares(rates: Sequence[float], key: Array | None, shape: tuple[int, int, int], dtype: Any) -> list[Array]:
    """Draw which values of the state stay: 1 keeps the old one, 0 takes the new one.

    Args:
        rates: the probability of staying, for each part of the state.
        key: a JAX key; None gives the expectation, used in inference.
        shape: `(T, B, H)`.
        dtype: of the result.

    Returns:
        For each rate an array of `shape`, or of `(1, 1, 1)` where it is constant.

    Example:
        >>> zoneout_shares([0.1], None, (5, 2, 3), "float32")[0].shape
        (1, 1, 1)

    References:
        Krueger et al., "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations", 2017.
    """
    if key is None:
        return [jnp.full((1, 1, 1), rate, dtype) for rate in rates]
    keys = jax.random.split(key, len(rates))
    return [jax.random.bernoulli(k, rate, shape).astype(dtype) for k, rate in zip(keys, rates)]


def _drop(x: Array, rate: float, key: Array | None, mask_shape: tuple[int, ...]) -> Array:
    if key is None or rate == 0:
        return x
    kept = jax.random.bernoulli(key, 1 - rate, mask_shape)
    return jnp.where(jnp.broadcast_to(kept, x.shape), x / (1 - rate), 0).astype(x.dtype)
