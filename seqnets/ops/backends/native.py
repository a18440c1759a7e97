"""Kernels in C++ for the CPU, called through XLA's foreign-function interface, with a backward pass of their own.

Forward, each thread takes its rows of the batch through all steps without waiting for another; the recurrent kernel is regrouped
once per call, and gates are computed while their products are in the first-level cache. Backward, the kernels yield only the
gradients of the products; XLA then computes each weight gradient as one large product over all steps and rows.

Memory kept for the backward pass, per step and row, in numbers: the activated gates and, for the LSTM, the cell; with resets or
lengths, also the state. Gates take the place of the projected input in memory, and their gradients the place of the gates.
"""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops import self_check
from seqnets.ops.backends import reference
from seqnets.ops.derivatives import differentiable
from seqnets.ops.native.cells import CELLS, gradient, vectors_of
from seqnets.ops.native.library import default_threads, library
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights, hidden_of
from seqnets.ops.timestep import TimeInputs

Masks = tuple[Array, Array]


def refusal(
    recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs, *, platform: str | None = None
) -> str | None:
    """Return the reason why this backend cannot run such a call, or None if it can.

    Example:
        >>> from seqnets.ops.recurrent import VANILLA
        >>> h, x = jnp.zeros((1, 2), jnp.bfloat16), jnp.zeros((3, 1, 2), jnp.bfloat16)
        >>> refusal(VANILLA["tanh"], RecurrentWeights((jnp.eye(2),), {}), h, TimeInputs(x), platform="cpu")
        'it computes in float32 only, and found bfloat16'
    """
    if (platform or jax.default_backend()) != "cpu":
        return f"it runs on the CPU only, and JAX's default is {platform or jax.default_backend()}"
    if inputs.zoneout is not None:
        return "it has no zoneout"
    if recurrence.layer_norm or "cell_scale" in weights.vectors:
        return "it has no layer normalization"
    for leaf in jax.tree.leaves((weights, carry, inputs.projected)):
        if leaf.dtype != jnp.float32:
            return f"it computes in float32 only, and found {leaf.dtype}"
    if recurrence.name not in CELLS:
        return f"it has no kernel for {recurrence.name}"
    if inputs.projected.shape[0] == 0:
        return "it needs at least one step"
    return self_check.refusal("native", recurrence) if library() else "its kernels could not be compiled here"


_limit: int | None = None


def set_threads(threads: int | None) -> None:
    """Limit later calls to this number of threads; None takes `SEQNETS_THREADS`, or all threads of XLA's pool.

    Results are bit-identical for any number.

    Example:
        >>> set_threads(1)
        >>> set_threads(None)
    """
    global _limit
    _limit = threads
    if kernels := library():
        kernels.seqnets_set_threads(ctypes.c_int64(default_threads() if threads is None else threads))


@contextlib.contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Limit calls to this number of threads inside a block, and restore the old limit afterward.

    Example:
        >>> with limited_threads(1):
        ...     pass
    """
    before = _limit
    set_threads(threads)
    try:
        yield
    finally:
        set_threads(before)


def run(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    """Run `recurrence` over time; see `seqnets.ops.over_time`."""
    return _of(recurrence, reverse)(weights, carry, inputs)


@cache  # JAX caches traces by the identity of functions
def _of(recurrence: Recurrence, reverse: bool) -> Callable:
    passes = (reference.run, _forward, _backward, _without_gradient)
    bound: list[Any] = [partial(part, recurrence, reverse) for part in passes]
    return differentiable(*bound)


def _without_gradient(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    outputs, last, _ = _call_forward(recurrence, reverse, weights, carry, inputs, training=False)
    return outputs, last


def _forward(recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs):
    outputs, last, kept = _call_forward(recurrence, reverse, weights, carry, inputs, training=True)
    return (outputs, last), (_masks(inputs), kept)


def _call_forward(recurrence, reverse, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs, training: bool):
    """Return outputs, the last carry, and the kept arrays: the state's parts before every step, and the cell's own arrays."""
    cell, masks, state = CELLS[recurrence.name], _masks(inputs), jax.tree.leaves(carry)
    (steps, batch, _), hidden, kernels = inputs.projected.shape, state[0].shape[-1], len(weights.kernels)

    def array(width: int, *, steps: int = steps):
        return _resized(inputs.projected, (steps, batch, width))

    befores = [array(hidden if training else 0) for _ in state[1:]]
    befores += [array(hidden if training and masks[0].size else 0)]
    worked = [array(width, steps=steps if training else 1) for width in cell.worked(hidden, kernels)]
    kept = [array(width if training else 0) for width in cell.kept(hidden, kernels)]
    outputs, *rest = _call(
        f"seqnets_{recurrence.name}_forward",
        [array(hidden), *map(jax.typeof, state), *befores, *worked, *kept],
        [inputs.projected, *masks, *state, *weights.kernels, *vectors_of(recurrence, weights)],
        overwritten=[inputs.projected],
        reverse=reverse,
        training=training,
    )
    last = jax.tree.unflatten(jax.tree.structure(carry), rest[: len(state)])
    return outputs, last, rest[len(state) :]


def _backward(recurrence: Recurrence, reverse: bool, arguments, results, kept, cotangents):
    weights, carry, _ = arguments
    (outputs, _), (masks, kept) = results, kept
    d_outputs, d_last = cotangents
    cell, parts = CELLS[recurrence.name], jax.tree.leaves(d_last)
    memories, hiddens, kept = kept[: len(parts) - 1], kept[len(parts) - 1], kept[len(parts) :]
    steps, batch, hidden = outputs.shape
    widths = [recurrence.gates * hidden, *cell.added(hidden, len(weights.kernels))]
    d_projected, *added = [_resized(outputs, (steps, batch, width)) for width in widths]
    d_projected, *rest = _call(
        f"seqnets_{recurrence.name}_backward",
        [d_projected, *map(jax.typeof, parts), *added],
        [d_outputs, *masks, *parts, hidden_of(carry), outputs, hiddens, *weights.kernels, *memories, *kept],
        overwritten=[d_outputs, *kept],
        reverse=reverse,
        training=True,
    )
    d_carry = jax.tree.unflatten(jax.tree.structure(d_last), rest[: len(parts)])
    lefts = hiddens if masks[0].size else _before(reverse, hidden_of(carry), outputs)
    learned = cell.learn(partial(gradient, lefts), kept, [d_projected, *rest[len(parts) :]])
    d_vectors = {name: learned.vectors.get(name, jnp.zeros_like(vector)) for name, vector in weights.vectors.items()}
    return RecurrentWeights(learned.kernels, d_vectors), d_carry, TimeInputs(d_projected)


def _before(reverse: bool, first: Array, outputs: Array) -> Array:
    parts = [outputs[1:], first[None]] if reverse else [first[None], outputs[:-1]]
    return jnp.concatenate(parts)  # this copies, but cutting a step off the gradients would copy several times as much


def _masks(inputs: TimeInputs) -> Masks:
    """Return both masks, or two empty ones."""
    shape = inputs.projected.shape[:2]
    if inputs.resets is None and inputs.valid is None:
        return jnp.zeros((0, 0), bool), jnp.zeros((0, 0), bool)
    resets = jnp.zeros(shape, bool) if inputs.resets is None else inputs.resets.astype(bool)
    valid = jnp.ones(shape, bool) if inputs.valid is None else inputs.valid.astype(bool)
    return resets, valid


def _resized(array: Array, shape: tuple[int, ...]):
    return jax.typeof(array).update(shape=shape)  # within shard_map, the type also says over which devices the array varies


def _call(target: str, results: list, arguments: list[Array], overwritten: list[Array], **attributes: bool) -> list[Array]:
    library()
    aliases = _places(arguments, overwritten, results)
    call = jax.ffi.ffi_call(target, results, vmap_method="sequential", input_output_aliases=aliases)
    return list(call(*arguments, **attributes))


def _places(arguments: list[Array], overwritten: list[Array], results: list) -> dict[int, int]:
    """Pair arguments that each step reads for the last time with results of the same shape, which may reuse their memory."""
    places, free = {}, list(range(len(results)))
    for argument in overwritten:
        like = [i for i in free if argument.ndim == 3 and results[i].shape == argument.shape]
        if like:
            places[next(i for i, other in enumerate(arguments) if other is argument)] = like[0]
            free.remove(like[0])
    return places
