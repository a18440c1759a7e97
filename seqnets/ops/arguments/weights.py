"""Projected inputs and weights of a recurrence as arguments."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from seqnets.errors import UserError
from seqnets.ops.arguments.arrays import as_array, broadcast, broadcasts, counted
from seqnets.ops.arguments.states import entries
from seqnets.ops.recurrent import Recurrence, RecurrentWeights, Vectors

_OF_LAYER_NORM = {"cell_scale": (1,), "cell_bias": (1,)}  # the vectors of an LSTM with layer norm, in units of H


def hidden_features(recurrence: Recurrence, projected: Array) -> int:
    """Return H of the projected inputs `(T, B, gates * H)`.

    Args:
        recurrence: which one.
        projected: the argument.

    Raises:
        UserError: they have another shape, or are not floating-point numbers.

    Example:
        >>> from seqnets.ops.recurrent import LSTM
        >>> hidden_features(LSTM, jnp.zeros((7, 2, 20)))
        5
    """
    gates = recurrence.gates
    if projected.ndim != 3 or projected.shape[-1] % gates or not projected.shape[-1]:
        raise UserError(f"projected inputs must have the shape (time, batch, {gates} * hidden), not {projected.shape}")
    if not jnp.issubdtype(projected.dtype, jnp.floating):
        raise UserError(f"projected inputs must be floating-point numbers, not {projected.dtype}")
    return projected.shape[-1] // gates


def weights_of(recurrence: Recurrence, weights: RecurrentWeights, hidden: int, precision: Any) -> RecurrentWeights:
    """Return the weights of a recurrence of H hidden features; vectors may broadcast.

    Args:
        recurrence: which one; if it does not state its kernels, nothing is checked.
        weights: the argument.
        hidden: H.
        precision: the dtype of the state.

    Raises:
        UserError: the recurrence reads other weights, or other shapes.

    Example:
        >>> from seqnets.ops.recurrent import LSTM
        >>> weights_of(LSTM, RecurrentWeights((jnp.zeros((4, 16)),), {}), 5, jnp.float32)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: recurrent kernel 1 must have the shape (5, 20), not (4, 16)
    """
    widths = recurrence.kernels
    if widths is None:
        return weights
    if len(weights.kernels) != len(widths):
        raise UserError(f"{recurrence.name} has {counted(len(widths), 'recurrent kernel')}, not {len(weights.kernels)}")
    kernels = tuple(as_array("recurrent kernels", kernel) for kernel in weights.kernels)
    for number, (kernel, width) in enumerate(zip(kernels, widths), start=1):
        if kernel.shape != (hidden, width * hidden):
            raise UserError(f"recurrent kernel {number} must have the shape {(hidden, width * hidden)}, not {kernel.shape}")
        if not jnp.issubdtype(kernel.dtype, jnp.floating):
            raise UserError(f"recurrent kernel {number} must hold floating-point numbers, not {kernel.dtype}")
    return RecurrentWeights(kernels, _vectors_of(recurrence, weights.vectors, hidden, precision))


def _vectors_of(recurrence: Recurrence, vectors: Vectors, hidden: int, precision: Any) -> Vectors:
    shapes = dict(recurrence.vectors)
    if _OF_LAYER_NORM.keys() & vectors.keys():
        shapes |= _OF_LAYER_NORM
    checked = dict(vectors)
    for name, shape in shapes.items():
        shape = (*shape[:-1], shape[-1] * hidden)
        if name in vectors:
            checked[name] = _vector(name, vectors[name], shape, precision)
        elif 0 not in shape:
            raise UserError(f"{recurrence.name} needs the vector {name!r} of the shape {shape}, which is missing")
    if recurrence.layer_norm and recurrence.kernels is not None:
        name, widths = "recurrent_scale", [(width * hidden,) for width in recurrence.kernels]
        scales = entries(vectors.get(name, ()), len(widths), name=name, whole=recurrence.name, part="kernel")
        checked[name] = tuple(_vector(name, *each, precision) for each in zip(scales, widths))
    return checked


def _vector(name: str, vector: Any, shape: tuple[int, ...], precision: Any) -> Array:
    vector = as_array(name, vector)
    if not broadcasts(vector.shape, shape):
        raise UserError(f"{name} must have the shape {shape}, not {vector.shape}")
    if not jnp.issubdtype(vector.dtype, jnp.floating):
        raise UserError(f"{name} must hold floating-point numbers, not {vector.dtype}")
    if jnp.result_type(vector.dtype, precision) != precision:
        raise UserError(f"{name} is {vector.dtype} and the carry {precision}; give the carry in {vector.dtype}")
    return broadcast(vector, shape)
