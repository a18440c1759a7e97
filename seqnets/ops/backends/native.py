"""Kernels in C++ for the CPU, called through XLA's foreign-function interface, with a backward pass of their own.

Forward, each thread takes its rows of the batch through all steps without waiting for another; the recurrent kernel is regrouped
once a call, and gates are computed while their products are in the first cache. Backward, the kernels yield the gradients of the
products alone; each weight gradient is then one large product over all steps and rows, which is XLA's.

Memory kept for the backward pass, per step and row, in numbers: the activated gates and, for the LSTM, the cell.
"""

import ctypes
import os
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.native import build
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights, hidden_of
from seqnets.ops.timestep import TimeInputs

Masks = tuple[Array, Array]


def refusal(
    recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs, *, platform: str | None = None
) -> str | None:
    """Say why this backend cannot run such a call, or None if it can.

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
    if recurrence.name != "lstm":
        return f"it has no kernel for {recurrence.name}"
    if inputs.projected.shape[0] == 0:
        return "it needs at least one step"
    return None if _targets() else "its kernels could not be compiled here"


def set_threads(threads: int | None) -> None:
    """Let later calls use at most so many threads; None: as many as XLA's own pool has.

    The environment variable `SEQNETS_THREADS` sets the same at the start. Results do not depend on it, to the last bit.

    Example:
        >>> set_threads(1)
        >>> set_threads(None)
    """
    if library := _targets():
        library.seqnets_set_threads(ctypes.c_int64(threads or 0))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def run(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    """Run `recurrence` over time; see `seqnets.ops.sequence.sequence`."""
    outputs, last, _ = _call(reverse, weights, carry, inputs, training=False)
    return outputs, last


def _forward(recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs):
    outputs, last, kept = _call(reverse, weights, carry, inputs, training=True)
    return (outputs, last), (weights, carry, _masks(inputs), outputs, kept)


def _call(reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs, training: bool):
    steps, batch, _ = inputs.projected.shape
    hidden = hidden_of(carry).shape[-1]
    masks = _masks(inputs)
    state = _shapes(jax.tree.leaves(carry))
    widths = [4 * hidden, hidden] + [hidden] * bool(masks[0].size) if training else []
    kept = [jax.ShapeDtypeStruct((steps, batch, width), jnp.float32) for width in widths]
    outputs = jax.ShapeDtypeStruct((steps, batch, hidden), jnp.float32)
    outputs, *rest = _ffi(
        "seqnets_lstm_forward",
        [outputs, *state, *kept],
        reverse,
        inputs.projected,
        *masks,
        *jax.tree.leaves(carry),
        *weights.kernels,
    )
    last = jax.tree.unflatten(jax.tree.structure(carry), rest[: len(state)])
    return outputs, last, rest[len(state) :]


def _backward(recurrence: Recurrence, reverse: bool, residuals, cotangents):
    weights, carry, masks, outputs, kept = residuals
    d_outputs, d_last = cotangents
    gates, memories, *hiddens = kept
    d_projected, *d_first = _ffi(
        "seqnets_lstm_backward",
        _shapes([gates, *jax.tree.leaves(d_last)]),
        reverse,
        d_outputs,
        *masks,
        *jax.tree.leaves(d_last),
        *weights.kernels,
        gates,
        memories,
    )
    d_carry = jax.tree.unflatten(jax.tree.structure(d_last), d_first)
    if hiddens:
        d_kernel = _gradient(hiddens[0], d_projected)
    else:
        d_kernel = _gradient_of_shifted(reverse, hidden_of(carry), outputs, d_projected)
    return RecurrentWeights((d_kernel,), {}), d_carry, TimeInputs(d_projected)


run.defvjp(_forward, _backward)


def _gradient(lefts: Array, d_products: Array) -> Array:
    return lefts.reshape(-1, lefts.shape[-1]).T @ d_products.reshape(-1, d_products.shape[-1])


def _gradient_of_shifted(reverse: bool, first: Array, outputs: Array, d_products: Array) -> Array:
    if reverse:
        return _gradient(outputs[1:], d_products[:-1]) + _gradient(first, d_products[-1])
    return _gradient(outputs[:-1], d_products[1:]) + _gradient(first, d_products[0])


def _masks(inputs: TimeInputs) -> Masks:
    """Give both masks, or two empty ones."""
    shape = inputs.projected.shape[:2]
    if inputs.resets is None and inputs.valid is None:
        return jnp.zeros((0, 0), bool), jnp.zeros((0, 0), bool)
    resets = jnp.zeros(shape, bool) if inputs.resets is None else inputs.resets.astype(bool)
    valid = jnp.ones(shape, bool) if inputs.valid is None else inputs.valid.astype(bool)
    return resets, valid


def _shapes(arrays) -> list[Any]:
    return [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays]


def _ffi(target: str, results: list[Any], reverse: bool, *arguments: Array) -> list[Array]:
    return list(jax.ffi.ffi_call(target, results, vmap_method="sequential")(*arguments, reverse=reverse))


@cache
def _targets() -> ctypes.CDLL | None:
    library = build.library()
    if library is None:
        return None
    for name in ("seqnets_lstm_forward", "seqnets_lstm_backward"):
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")
    library.seqnets_set_threads(ctypes.c_int64(int(os.environ.get("SEQNETS_THREADS", 0))))
    return library
