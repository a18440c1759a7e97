"""One step of stacked recurrent layers, for a few rows, in one call of the native kernels.

With few rows a step takes as long as reading its weights. Called layer by layer, threads would synchronize at every product;
here they start once, and each weight is read once, in memory order.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from seqnets.errors import UserError
from seqnets.ops import arguments
from seqnets.ops.native.cells import CELLS, vectors_of
from seqnets.ops.native.library import library
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights

_FLOAT32 = np.dtype(np.float32)
_LANES = 16  # floats in the widest registers: units are padded to a multiple of at most this number


class LayerWeights(NamedTuple):
    """The weights of one layer.

    Attributes:
        kernel: the input kernel, `(H, gates * H)`; None for the lowest layer, which takes projected inputs.
        bias: `(gates * H,)`, or None for the lowest layer.
        recurrent: the weights that take part in every step.
    """

    kernel: Array | None
    bias: Array | None
    recurrent: RecurrentWeights


class PackedStack(NamedTuple):
    """Layers of one recurrence and one size, their kernels in the order in which the native step reads them."""

    layers: tuple[LayerWeights, ...]


def pack(layers: Sequence[LayerWeights]) -> PackedStack:
    """Lay out the kernels of layers for `step`, once.

    Args:
        layers: lowest first, all of one recurrence and H hidden features, in float32.

    Raises:
        UserError: a kernel is not for H hidden features, or not float32.
    """
    units, *_ = (*arguments.as_array("recurrent kernel", layers[0].recurrent.kernels[0]).shape, 0)

    def packed(layer: LayerWeights) -> LayerWeights:
        kernels = tuple(_packed(kernel, units) for kernel in layer.recurrent.kernels)
        vectors = {name: arguments.as_array(name, vector) for name, vector in layer.recurrent.vectors.items()}
        kernel = None if layer.kernel is None else _packed(layer.kernel, units)
        bias = None if layer.bias is None else arguments.as_array("bias", layer.bias)
        return LayerWeights(kernel, bias, RecurrentWeights(kernels, vectors))

    library()
    return PackedStack(tuple(map(packed, layers)))


def step(recurrence: Recurrence, stack: PackedStack, carries: Sequence[Carry], projected: Array) -> tuple[Carry, ...]:
    """Take one step in every layer; each reads the output of the one below.

    Args:
        recurrence: the recurrence of all layers, which the native backend must support.
        stack: the packed weights of the layers.
        carries: one per layer, leaves `(B, H)`.
        projected: the lowest layer's input, `(B, gates * H)`.

    Returns:
        The carries after the step.

    Raises:
        UserError: the arrays do not match, or are not float32.
    """
    projected = arguments.as_array("projected", projected)
    if projected.ndim != 2 or projected.shape[1] % recurrence.gates or not projected.shape[1]:
        raise UserError(f"projected inputs must have the shape (batch, {recurrence.gates} * hidden), not {projected.shape}")
    rows, hidden = projected.shape[0], projected.shape[1] // recurrence.gates
    expected, given = [], [projected]
    for number, (layer, carry) in enumerate(zip(stack.layers, arguments.entries(carries, len(stack.layers)))):
        state = arguments.state(recurrence, carry, rows, hidden)
        given += [*jax.tree.leaves(state), *_weights(recurrence, layer, number, hidden)]
        expected.append((jax.tree.map(jax.typeof, state), _scratch(recurrence, layer, projected)))
    for array in given:
        if array.dtype != _FLOAT32:
            raise UserError(f"a step of packed layers computes in float32 only, and found {array.dtype}")
    results, structure = jax.tree.flatten(expected)
    found = jax.ffi.ffi_call(f"seqnets_{recurrence.name}_step", results)(*given, layers=len(expected))
    return tuple(carry for carry, _ in jax.tree.unflatten(structure, found))


def _weights(recurrence: Recurrence, layer: LayerWeights, number: int, hidden: int) -> list[Array]:
    input_product = [jnp.zeros(0, jnp.float32) if array is None else array for array in (layer.kernel, layer.bias)]
    arrays = [*input_product, *layer.recurrent.kernels, *vectors_of(recurrence, layer.recurrent)]
    if [array.shape if array.size else (0,) for array in arrays] != _shapes(recurrence, hidden, lowest=number == 0):
        raise UserError(f"the packed weights of layer {number} are not for {hidden} hidden features of {recurrence.name}")
    return arrays


@cache
def _shapes(recurrence: Recurrence, hidden: int, lowest: bool) -> list[tuple[int, ...]]:
    """Return the shapes of a layer's input kernel and bias, its recurrent kernels and its vectors."""
    width = recurrence.gates * hidden
    own = ((0,), (0,)) if lowest else (_room(hidden, width), (width,))
    vectors = {name: (0,) if 0 in shape else (*shape[:-1], shape[-1] * hidden) for name, shape in recurrence.vectors}
    kernels = [_room(hidden, each * hidden) for each in recurrence.kernels or ()]
    return [*own, *kernels, *(vectors[name] for name in CELLS[recurrence.name].vectors)]


def _scratch(recurrence: Recurrence, layer: LayerWeights, projected: Array) -> list[jax.ShapeDtypeStruct]:
    """Return a layer's work arrays."""
    (batch, width), cell, kernels = projected.shape, CELLS[recurrence.name], len(layer.recurrent.kernels)
    hidden = width // recurrence.gates
    widths = [0 if layer.kernel is None else width, *cell.worked(hidden, kernels), *(0 for _ in cell.kept(hidden, kernels))]
    return [jax.ShapeDtypeStruct((batch, wide), jnp.float32) for wide in widths]


def _packed(kernel: Array, units: int) -> Array:
    kernel = arguments.as_array("kernel", kernel)
    if kernel.ndim != 2 or not units or kernel.shape[0] != units or kernel.shape[1] % units or kernel.dtype != jnp.float32:
        raise UserError(f"a kernel to pack must be ({units}, gates * {units}) in float32, not {kernel.shape} in {kernel.dtype}")
    room = jax.ShapeDtypeStruct(_room(*kernel.shape), jnp.float32)
    return jax.ffi.ffi_call("seqnets_pack", room)(kernel, units=units)


def _room(units: int, width: int) -> tuple[int]:
    return (width * (units + -units % _LANES),)
