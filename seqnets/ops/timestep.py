"""One step in time around the bare recurrence: resets, zoneout, ends of sequences."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.linear import layer_norm
from seqnets.ops.recurrent import Carry, Product, Recurrence, Vectors, hidden_of


class TimeInputs(NamedTuple):
    """The inputs of a recurrence, each leaf with a leading time axis (or without it, for one step).

    Attributes:
        projected: `(T, B, gates * H)`.
        resets: `(T, B)` booleans or None.
        valid: `(T, B)` booleans or None.
        zoneout: shares of the old state, in the structure of the carry, or None.
    """

    projected: Array
    resets: Array | None = None
    valid: Array | None = None
    zoneout: Carry | None = None


def advance(recurrence: Recurrence, vectors: Vectors, product: Product, carry: Carry, inputs: TimeInputs) -> tuple[Carry, Array]:
    """Take one step in time.

    Args:
        recurrence: the arithmetic.
        vectors: its biases and gains.
        product: `product(k, a) = a @ kernels[k]`.
        carry: the state before, leaves `(B, H)`.
        inputs: this step's inputs, without the time axis.

    Returns:
        The state after, and the output `(B, H)`.

    Example:
        >>> import jax.numpy as jnp
        >>> from seqnets.ops.recurrent import VANILLA
        >>> inputs = TimeInputs(jnp.ones((1, 2)), resets=jnp.array([True]))
        >>> advance(VANILLA["relu"], {}, lambda k, a: a, jnp.full((1, 2), 9.0), inputs)[1].tolist()
        [[1.0, 1.0]]
    """
    before = _reset(carry, inputs.resets)
    if recurrence.layer_norm:
        product = _normalized(product, vectors["recurrent_scale"])
    after = recurrence.step(vectors, product, before, inputs.projected.astype(hidden_of(carry).dtype))
    after = _mix(before, after, inputs.zoneout)
    after = _hold(before, after, inputs.valid)
    output = hidden_of(after).astype(inputs.projected.dtype)
    if inputs.valid is not None:
        output = jnp.where(_by_row(inputs.valid, output), output, 0)
    return after, output


def _reset(carry: Carry, resets: Array | None) -> Carry:
    if resets is None:
        return carry
    return jax.tree.map(lambda leaf: jnp.where(_by_row(resets, leaf), 0, leaf), carry)


def _normalized(product: Product, scales: tuple[Array, ...]) -> Product:
    return lambda k, a: layer_norm(product(k, a), scales[k])


def _mix(before: Carry, after: Carry, zoneout: Carry | None) -> Carry:
    if zoneout is None:
        return after
    return jax.tree.map(lambda share, old, new: new + share * (old - new), zoneout, before, after)


def _hold(before: Carry, after: Carry, valid: Array | None) -> Carry:
    if valid is None:
        return after
    return jax.tree.map(lambda old, new: jnp.where(_by_row(valid, new), new, old), before, after)


def _by_row(mask: Array, like: Array) -> Array:
    return mask if mask.ndim == like.ndim else mask[:, None]  # a GPU kernel already has the full shape
