"""The native kernels called straight, past all checks in Python, with arrays that do not fit: they refuse by themselves."""

from functools import cache, partial
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from recurrence_problems import CELLS, problem, results
from seqnets.ops import stack_step
from seqnets.ops.backends import native
from seqnets.ops.stack_step import LayerWeights


class Call(NamedTuple):
    """A call of a kernel: its name, the types of its results and arguments, its attributes."""

    target: str
    results: tuple[Any, ...]
    arguments: tuple[Any, ...]
    attributes: dict[str, Any]


def refuses(rng: np.random.Generator, call: Call) -> bool:
    """Make a call with one array of another shape or dtype, or one too few; say whether it was refused."""
    results, arguments = list(call.results), list(call.arguments)
    arrays = results if rng.random() < 0.4 else arguments
    at = int(rng.integers(len(arrays)))
    if rng.random() < 0.15:
        del arrays[at]
    else:
        arrays[at] = _another(rng, arrays[at])
    if not any(np.prod(array.shape) for array in results):
        return True  # XLA leaves out a call whose results hold nothing
    one = call.target == "seqnets_pack" and len(results) == 1
    try:
        made = jax.ffi.ffi_call(call.target, results[0] if one else results)(*map(_filled, arguments), **call.attributes)
        jax.block_until_ready(made)
    except jax.errors.JaxRuntimeError:
        return True
    return False


def _another(rng: np.random.Generator, array: Any) -> jax.ShapeDtypeStruct:
    shape, axis = list(array.shape), int(rng.integers(array.ndim)) if hasattr(array, "ndim") else 0
    if rng.random() < 0.2:
        shape = [*shape, 1] if rng.random() < 0.5 else shape[1:] + [shape[0] + 1]
    else:
        shape[axis] = int(rng.choice([size for size in (0, 1, shape[axis] + 1, shape[axis] * 2) if size != shape[axis]]))
    if np.prod(shape) == np.prod(array.shape) == 0:
        shape = [3, 3]  # any other array without numbers is as good
    return jax.ShapeDtypeStruct(tuple(shape), array.dtype)


def _filled(array: Any) -> jax.Array:
    return jnp.ones(array.shape, array.dtype)


@cache
def calls() -> tuple[Call, ...]:
    """Return the calls that right problems make: every cell, forward and backward, with masks and without, steps and packing."""
    seen: list[Call] = []
    plain = jax.ffi.ffi_call

    def recorded(target, result_types, **options):
        run = plain(target, result_types, **options)

        def call(*arguments, **attributes):
            types = result_types if isinstance(result_types, (list, tuple)) else [result_types]
            sized = partial(jax.tree.map, lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype))
            seen.append(Call(target, tuple(sized(list(types))), tuple(sized(list(map(jnp.asarray, arguments)))), attributes))
            return run(*arguments, **attributes)

        return call

    with mock.patch.object(jax.ffi, "ffi_call", recorded):
        for cell in CELLS.values():
            for masked in (False, True):
                given = problem(cell, 5, 3, lengths=masked, resets=masked)
                results(native.run, cell.recurrence, masked, given)
                sequence = partial(results, native.run, cell.recurrence, masked)
                jax.eval_shape(lambda given=given, sequence=sequence: sequence(given)[0])
            weights = jax.tree.map(jnp.asarray, problem(cell, 5, 3).weights)
            width = cell.recurrence.gates * 5
            stack = stack_step.pack(
                [LayerWeights(None, None, weights), LayerWeights(jnp.ones((5, width)), jnp.ones(width), weights)]
            )
            carry = jax.tree.map(jnp.asarray, problem(cell, 5, 3).carry)
            stack_step.step(cell.recurrence, stack, [carry, carry], jnp.ones((3, width)))
    return tuple({(c.target, str(c.results), str(c.arguments), str(c.attributes)): c for c in seen}.values())
