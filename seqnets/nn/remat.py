"""Long sequences in little memory: only the state at the start of each chunk is kept, and the rest is computed again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from seqnets.ops.recurrent import Carry

Run = Callable[[Any, Carry], tuple[Carry, Any]]
Step = Callable[[Carry, Any], tuple[Carry, Any]]


def in_chunks(run: Run, size: int, carry: Carry, inputs: Any, *, reverse: bool = False) -> tuple[Carry, Any]:
    """Run a recurrence chunk by chunk, so that the backward pass keeps T / size states and one chunk's gates.

    Args:
        run: `run(chunk, carry) -> (carry, outputs)`.
        size: steps in a chunk; the square root of T needs the least memory.
        carry: the state before the first step.
        inputs: a pytree of arrays `(T, ...)`.
        reverse: run the chunks from the last to the first; `run` does the same with the steps of a chunk.

    Returns:
        The state after the last step, and the outputs, a pytree of arrays `(T, ...)`.

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
    return carry, jax.tree.map(lambda *parts: jnp.concatenate(parts), *(outputs[::-1] if reverse else outputs))


def scan_in_chunks(step: Step, carry: Carry, inputs: Any, size: int) -> tuple[Carry, Any]:
    """Do what `jax.lax.scan` does, chunk by chunk where a size is given.

    Args:
        step: `(carry, this step's inputs) -> (carry, outputs)`.
        carry: the state before the first step.
        inputs: a pytree of arrays `(T, ...)`.
        size: steps in a chunk; 0 keeps the states of all steps.

    Example:
        >>> add = lambda total, x: (total + x, total + x)
        >>> scan_in_chunks(add, jnp.float32(0), jnp.ones(5), 2)[1].tolist()
        [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    if not 0 < size < jax.tree.leaves(inputs)[0].shape[0]:
        return jax.lax.scan(step, carry, inputs)
    return in_chunks(lambda chunk, carry: jax.lax.scan(step, carry, chunk), size, carry, inputs)


def _rest(run: Run, inputs: Any, carry: Carry, reverse: bool) -> tuple[Carry, Any]:
    del reverse  # of the steps, which `run` knows of
    return jax.checkpoint(run)(inputs, carry)


def _whole_chunks(run: Run, size: int, inputs: Any, carry: Carry, reverse: bool) -> tuple[Carry, Any]:
    chunks = jax.tree.map(lambda array: array.reshape(-1, size, *array.shape[1:]), inputs)
    again = jax.checkpoint(lambda carry, chunk: run(chunk, carry), prevent_cse=False)  # a scan body is separate
    carry, outputs = jax.lax.scan(again, carry, chunks, reverse=reverse)
    return carry, jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), outputs)
