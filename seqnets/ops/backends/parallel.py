"""Linear recurrences over all steps at once: h_t = d_t h_{t-1} + a_t, where d and a do not depend on h.

Two such steps in a row form one such step: (d, a) and then (d', a') give (d' d, d' a + a'). So T steps take log T rounds on a
device that computes a round in parallel. A CPU gains nothing by that and reads its memory log T times, so there the steps are
taken one by one; both give the same sums in another order. Backward is the same recurrence run the other way.

Memory kept for the backward pass, per step and row, in numbers: d and h.

References:
    Blelloch, "Prefix sums and their applications", 1990.
    Martin and Cundy, "Parallelizing linear recurrent neural nets over sequence length", 2018.
"""

from typing import cast

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.derivatives import differentiable
from seqnets.ops.recurrent import Carry, Linear, Recurrence, RecurrentWeights
from seqnets.ops.timestep import TimeInputs


def refusal(recurrence: Recurrence) -> str | None:
    """Return the reason why this backend cannot run a recurrence, or None if it can.

    Example:
        >>> from seqnets.ops.recurrent import LSTM
        >>> refusal(LSTM)
        'lstm is not linear in its state'
    """
    return None if recurrence.linear else f"{recurrence.name} is not linear in its state"


def run(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    """Run `recurrence` over time; see `seqnets.ops.over_time`."""
    del weights
    if not len(inputs.projected):
        return jnp.zeros((0, *carry.shape), inputs.projected.dtype), carry
    decay, added = _terms(recurrence, carry.dtype, inputs)
    if reverse:
        decay, added = decay[::-1], added[::-1]
    hiddens = accumulate(decay, added, carry)
    last = hiddens[-1]
    outputs = (hiddens[::-1] if reverse else hiddens).astype(inputs.projected.dtype)
    if inputs.valid is not None:
        outputs = jnp.where(inputs.valid[..., None], outputs, 0)
    return outputs, last


def _terms(recurrence: Recurrence, dtype, inputs: TimeInputs) -> tuple[Array, Array]:
    """Return d and a including zoneout, ends and resets, which are also linear in the state."""
    decay, added = cast(Linear, recurrence.linear)(inputs.projected.astype(dtype))
    if inputs.zoneout is not None:
        decay, added = inputs.zoneout + (1 - inputs.zoneout) * decay, (1 - inputs.zoneout) * added
    if inputs.valid is not None:
        valid = inputs.valid[..., None]
        decay, added = jnp.where(valid, decay, 1), jnp.where(valid, added, 0)
    if inputs.resets is not None:
        decay = jnp.where(inputs.resets[..., None], 0, decay)
    return decay, added


def accumulate(decay: Array, added: Array, first: Array) -> Array:
    """Return h_t = decay_t h_{t-1} + added_t for all t, with h_{-1} = first; a decay of zero also forgets infinity and NaN.

    Args:
        decay: `(T, B, H)`.
        added: `(T, B, H)`.
        first: `(B, H)`.

    Returns:
        `(T, B, H)`.

    Example:
        >>> accumulate(jnp.full((3, 1, 1), 0.5), jnp.ones((3, 1, 1)), jnp.zeros((1, 1))).ravel().tolist()
        [1.0, 1.5, 1.75]
    """
    return _accumulate(decay, added, first)


def _definition(decay: Array, added: Array, first: Array) -> Array:
    return jax.lax.platform_dependent(decay, added, first, cpu=one_by_one, default=in_rounds)


def _forward(decay: Array, added: Array, first: Array) -> tuple[Array, None]:
    return _definition(decay, added, first), None


def _backward(arguments: tuple[Array, Array, Array], hiddens: Array, kept: None, d_hiddens: Array) -> tuple[Array, Array, Array]:
    del kept
    decay, _, first = arguments
    # the gradient of h_t is its own cotangent plus the contribution of h_{t+1}: the same recurrence, from the end
    following = jnp.concatenate([decay[1:], jnp.zeros_like(decay[:1])])
    d_added = accumulate(following[::-1], d_hiddens[::-1], jnp.zeros_like(first))[::-1]
    before = jnp.concatenate([first[None], hiddens[:-1]])
    return d_added * before, d_added, _decayed(decay[0], d_added[0])


_accumulate = differentiable(_definition, _forward, _backward)


def in_rounds(decay: Array, added: Array, first: Array) -> Array:
    """Accumulate in log T rounds, each over all steps."""
    added = added.at[0].add(_decayed(decay[0], first))
    return jax.lax.associative_scan(lambda a, b: (_decayed(b[0], a[0]), _decayed(b[0], a[1]) + b[1]), (decay, added))[1]


def one_by_one(decay: Array, added: Array, first: Array) -> Array:
    """Accumulate step after step."""

    def step(hidden: Array, terms: tuple[Array, Array]) -> tuple[Array, Array]:
        hidden = _decayed(terms[0], hidden) + terms[1]
        return hidden, hidden

    return jax.lax.scan(step, first, (decay, added))[1]


def _decayed(decay: Array, hidden: Array) -> Array:
    return jnp.where(decay == 0, 0, decay * hidden)
