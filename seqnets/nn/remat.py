"""Long sequences in little memory: only the state at the start of each chunk is kept, and the rest is computed again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.recurrent import Carry

Run = Callable[[Any, Carry], tuple[Carry, Array]]


def in_chunks(run: Run, size: int, carry: Carry, inputs: Any, *, reverse: bool = False) -> tuple[Carry, Array]:
    """Run a recurrence chunk by chunk, so that the backward pass keeps T / size states and one chunk's gates.

    Args:
        run: `run(chunk, carry) -> (carry, outputs)`.
        size: steps in a chunk; the square root of T needs the least memory.
        carry: the state before the first step.
        inputs: a pytree of arrays `(T, ...)`.
        reverse: run the chunks from the last to the first; `run` does the same with the steps of a chunk.

    Returns:
        The state after the last step, and the outputs `(T, ...)`.

    Example:
        >>> total = lambda chunk, carry: (carry + chunk.sum(), carry + chunk.cumsum())
        >>> last, sums = in_chunks(total, 2, jnp.float32(0), jnp.ones(5))
        >>> last.item(), sums.tolist()
        (5.0, [1.0, 2.0, 3.0, 4.0, 5.0])

    References:
        Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """
    steps = jax.tree.leaves(inputs)[0].shape[0]
    whole = steps - steps % size
    head, rest = jax.tree.map(lambda array: array[:whole], inputs), jax.tree.map(lambda array: array[whole:], inputs)
    parts = [partial(_whole_chunks, run, size, head)] if whole else []
    parts += [partial(_rest, run, rest)] if steps > whole else []
    outputs = []
    for part in reversed(parts) if reverse else parts:
        carry, output = part(carry, reverse)
        outputs.append(output)
    return carry, jnp.concatenate(outputs[::-1] if reverse else outputs)


def _rest(run: Run, inputs: Any, carry: Carry, reverse: bool) -> tuple[Carry, Array]:
    del reverse  # of the steps, which `run` knows of
    return jax.checkpoint(run)(inputs, carry)


def _whole_chunks(run: Run, size: int, inputs: Any, carry: Carry, reverse: bool) -> tuple[Carry, Array]:
    chunks = jax.tree.map(lambda array: array.reshape(-1, size, *array.shape[1:]), inputs)
    again = jax.checkpoint(lambda carry, chunk: run(chunk, carry), prevent_cse=False)  # a scan body is separate
    carry, outputs = jax.lax.scan(again, carry, chunks, reverse=reverse)
    return carry, outputs.reshape(-1, *outputs.shape[2:])
