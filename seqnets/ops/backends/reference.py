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
