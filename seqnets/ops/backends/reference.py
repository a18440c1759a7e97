"""The definition: a plain scan over steps, differentiated by JAX."""

from functools import partial

import jax
from jax import Array

from seqnets.ops.linear import multiply
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights
from seqnets.ops.timestep import TimeInputs, advance


def run(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    """Run `recurrence` over time; see `seqnets.ops.over_time`."""
    step = partial(advance, recurrence, weights.vectors, lambda k, a: multiply(a, weights.kernels[k]))
    last, outputs = jax.lax.scan(step, carry, inputs, reverse=reverse)
    return outputs, last


def run_with_states(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry, Carry]:
    """Do the same, and return the state after every step as well, leaves `(T, B, H)`."""

    def step(before: Carry, inputs: TimeInputs) -> tuple[Carry, tuple[Array, Carry]]:
        after, output = advance(recurrence, weights.vectors, lambda k, a: multiply(a, weights.kernels[k]), before, inputs)
        return after, (output, after)

    last, (outputs, states) = jax.lax.scan(step, carry, inputs, reverse=reverse)
    return outputs, last, states
