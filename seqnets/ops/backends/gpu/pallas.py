"""One kernel for all steps on a Hopper GPU: each block takes its rows of the batch through time without another launch.

The arithmetic is that of `seqnets.ops.recurrent`, traced into the kernel, and so is its backward pass. State and gates stay in
registers, the recurrent kernels in the multiprocessor's memory, which bounds the hidden size. The matrix units multiply bfloat16
numbers and add in float32. For a float32 kernel each factor is the sum of two such numbers, and a product is computed as three,
with an error of 1e-5.

Written for Mosaic through Pallas. On an H100, results and gradients are within 4e-6 of the reference for float32 products
(`scripts/check_gpu.py`); without a GPU, Pallas's interpreter of such kernels checks them.

Memory kept for the backward pass, per step and row, in numbers: the state, the left factor of each product, and gates * H for the
products.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops import self_check
from seqnets.ops.backends import reference
from seqnets.ops.backends.gpu import tiles
from seqnets.ops.backends.gpu.plainly import plainly
from seqnets.ops.backends.replay import Static, kernel_gradients, step_back
from seqnets.ops.derivatives import differentiable
from seqnets.ops.linear import multiply
from seqnets.ops.platform import default_platform
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights, hidden_of
from seqnets.ops.timestep import TimeInputs, advance

HOPPER = "9.0"


class _Given(NamedTuple):
    """The inputs of both kernels, in tiles."""

    vectors: dict[str, Any]
    inputs: TimeInputs


class _Kept(NamedTuple):
    """The results of every step that the forward kernel keeps, in tiles."""

    carries: Carry
    lefts: tuple[Any, ...]  # the left factor of each product
    products: tuple[Any, ...]


def refusal(
    recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs, *, platform: str | None = None
) -> str | None:
    """Return the reason why this backend cannot run such a call, or None if it can.

    Example:
        >>> from seqnets.ops.recurrent import VANILLA
        >>> wide = jnp.zeros((1, 300))
        >>> weights = RecurrentWeights((jnp.zeros((300, 300)),), {})
        >>> refusal(VANILLA["tanh"], weights, wide, TimeInputs(wide[None]), platform="cuda")
        'its recurrent kernels of 300 features need 420 KB of a multiprocessor, which has 226'
    """
    if (platform or default_platform()) != "cuda":
        return f"it runs on NVIDIA GPUs only, and JAX's default is {platform or default_platform()}"
    if (found := _compute_capability()) not in (None, HOPPER):
        return f"it needs a Hopper GPU, of compute capability {HOPPER}, and found {found}"
    if recurrence.layer_norm or "cell_scale" in weights.vectors:
        return "it has no layer normalization"
    if not weights.kernels:
        return f"{recurrence.name} has no recurrent product"
    state = hidden_of(carry)
    if state.dtype != jnp.float32 or {kernel.dtype for kernel in weights.kernels} - {jnp.dtype("float32"), jnp.dtype("bfloat16")}:
        return "it computes with a float32 state and float32 or bfloat16 products only"
    if (needed := tiles.shared_bytes(weights.kernels, state.shape[-1], _pieces(weights))) > tiles.SHARED_BYTES:
        room = f"{-(-needed // 1024)} KB of a multiprocessor, which has {tiles.SHARED_BYTES // 1024}"
        return f"its recurrent kernels of {state.shape[-1]} features need {room}"
    if 0 in inputs.projected.shape:
        return "it needs at least one step and one row"
    leaves, structure = jax.tree.flatten((weights, carry, inputs))
    failure = _lowering_failure(recurrence, structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves))
    return failure or self_check.refusal("pallas", recurrence)


def _compute_capability() -> str | None:
    return getattr(jax.local_devices()[0], "compute_capability", None)


@cache
def _lowering_failure(recurrence: Recurrence, structure: Any, shapes: tuple) -> str | None:
    """Lower both kernels for such arrays once, and return the error, if there was one."""

    def forward_and_backward(weights, carry, inputs):
        results, pull_back = jax.vjp(
            lambda weights, carry, projected: run(recurrence, False, weights, carry, inputs._replace(projected=projected)),
            weights,
            carry,
            inputs.projected,
        )
        return pull_back(results)

    arguments: Any = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*leaf) for leaf in shapes])
    try:
        jax.jit(forward_and_backward).trace(*arguments).lower(lowering_platforms=("cuda",))
    except Exception as failure:  # of any kind: this JAX cannot lower the kernel, and another backend can take its place
        return f"this JAX cannot lower it ({str(failure).splitlines()[0]})"
    return None


def run(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs, interpret: Any = None
) -> tuple[Array, Carry]:
    """Run `recurrence` over time; see `seqnets.ops.over_time`. With `interpret` it runs slowly on any device."""
    return _of(recurrence, reverse, interpret)(weights, carry, inputs)


@cache  # JAX caches traces by the identity of functions
def _of(recurrence: Recurrence, reverse: bool, interpret: Any) -> Callable:
    options = (recurrence, reverse, interpret)
    passes: list[Any] = [partial(part, *options) for part in (_forward, _backward, _without_gradient)]
    if interpret is not None:
        return _interpreted(*passes)
    return differentiable(partial(reference.run, recurrence, reverse), *passes)


def _interpreted(forward: Callable, backward: Callable, primal: Callable) -> Callable:
    """Give only the first derivative: the interpreter's callbacks are ordered, which a linear map cannot be."""

    def forward_rule(*arguments):
        results, kept = forward(*arguments)
        return results, (arguments, results, kept)

    run = jax.custom_vjp(primal)
    run.defvjp(forward_rule, lambda residuals, cotangents: backward(*residuals, cotangents))
    return run


def _without_gradient(recurrence, reverse, interpret, weights, carry, inputs):
    outputs, last, _ = _call_forward(recurrence, reverse, interpret, weights, carry, inputs, keep=False)
    return outputs, last


def _forward(recurrence, reverse, interpret, weights, carry, inputs):
    outputs, last, kept = _call_forward(recurrence, reverse, interpret, weights, carry, inputs, keep=True)
    return (outputs, last), kept


def _call_forward(recurrence, reverse, interpret, weights, carry, inputs, keep: bool):
    from seqnets.ops.backends.gpu import warpgroup  # Pallas takes a third of a second to import, and most runs do not need it

    rows, units = hidden_of(carry).shape
    given, order, steps = _laid_out(weights, inputs, units), _order(recurrence, weights, carry, inputs), len(inputs.projected)
    first = jax.tree.map(lambda leaf: tiles.tiled(leaf, units), carry)
    blocks, parts, _, *tile = hidden_of(first).shape

    def array(gates: int = 1, dtype: Any = jnp.float32):
        return jax.ShapeDtypeStruct((steps, blocks, parts, gates, *tile), dtype)

    products = tuple(array(weights.kernels[k].shape[-1] // units) for k in order)
    kept = _Kept(jax.tree.map(lambda _: array(), carry), tuple(array() for _ in order), products)
    results = (array(dtype=inputs.projected.dtype), first, kept if keep else ())
    count = _pieces(weights)
    kernels = [tiles.tiled_kernel(kernel, units, count) for kernel in weights.kernels]
    kernel = partial(_forward_kernel, recurrence, reverse)
    outputs, last, kept = warpgroup.call(kernel, (given, first), kernels, count, results, interpret)
    last = jax.tree.map(lambda leaf: tiles.untiled(leaf, rows, units), last)
    return tiles.untiled(outputs, rows, units), last, (kept, Static(order))


def _forward_kernel(recurrence: Recurrence, reverse: bool, group, given, results):
    (given, first), (outputs, last, kept) = given, results
    steps = outputs.shape[0]

    def step(t, vectors, carry, inputs):
        count = 0

        def product(index: int, a: Array):
            nonlocal count
            result = group.multiply(index, [a])
            if kept:  # immediately, because registers are scarce
                group.write((kept.lefts[count], kept.products[count]), (a, result), t)
            count += 1
            return result

        if kept:
            group.write(kept.carries, carry, t)
        return advance(recurrence, vectors, product, carry, inputs)

    def kth_step(k, carry):
        t = steps - 1 - k if reverse else k
        after, output = plainly(partial(step, t), _vectors(group, given), carry, _at(group, given.inputs, t))
        group.write(outputs, output, t)
        return after

    group.write(last, jax.lax.fori_loop(0, steps, kth_step, group.read(first)))


def _backward(recurrence, reverse, interpret, arguments, results, kept, cotangents):
    from seqnets.ops.backends.gpu import warpgroup

    del results
    (weights, _, inputs), (kept, order) = arguments, kept
    d_outputs, d_last = cotangents
    rows, units = hidden_of(d_last).shape
    given = _laid_out(weights, inputs, units)
    d_outputs, d_last = jax.tree.map(lambda leaf: tiles.tiled(leaf, units), (d_outputs, d_last))
    blocks = d_outputs.shape[1]
    d_vectors = {
        name: jax.ShapeDtypeStruct((*vector.shape[:-5], blocks, *vector.shape[-4:]), vector.dtype)
        for name, vector in given.vectors.items()
    }
    d_projected, d_carry, d_vectors, d_products = warpgroup.call(
        partial(_backward_kernel, recurrence, reverse),
        (given, kept._replace(lefts=()), d_outputs, d_last),
        [tiles.tiled_kernel(kernel.T, units, _pieces(weights)) for kernel in weights.kernels],
        _pieces(weights),
        (given.inputs.projected, d_last, d_vectors, kept.products),
        interpret,
    )
    d_projected, d_carry, d_products, lefts = jax.tree.map(
        lambda leaf: tiles.untiled(leaf, rows, units), (d_projected, d_carry, d_products, kept.lefts)
    )
    d_kernels = kernel_gradients(weights.kernels, order.value, lefts, d_products)
    d_vectors = {name: _summed(d_vectors.get(name), vector, units) for name, vector in weights.vectors.items()}
    return RecurrentWeights(d_kernels, d_vectors), d_carry, TimeInputs(d_projected)


def _backward_kernel(recurrence, reverse, group, given, results):
    (given, kept, d_outputs, d_last), (d_projected, d_carry, d_vectors, d_products) = given, results
    steps = d_outputs.shape[0]

    def pull_back(index: int, d_product: Any) -> Array:
        return group.multiply(index, tiles.parts_of(d_product))

    def step(k, accumulated):
        t = k if reverse else steps - 1 - k
        d_after, d_sum = accumulated
        before = (group.read(kept.carries, t), _vectors(group, given), _at(group, given.inputs, t))
        cotangents = (d_after, group.read(d_outputs, t))
        back = partial(step_back, recurrence, pull_back)
        d_before, d_input, d_step, d_results = plainly(back, before, group.read(kept.products, t), cotangents)
        group.write((d_projected, d_products), (d_input, tuple(d_results)), t)
        return d_before, jax.tree.map(jnp.add, d_sum, d_step)

    zeros = jax.tree.map(lambda _: group.zeros(), _vectors(group, given))
    d_first, d_sum = jax.lax.fori_loop(0, steps, step, (group.read(d_last), zeros))
    group.write(d_carry, d_first)
    for name, ref in d_vectors.items():
        for where, part in _layers(ref, d_sum[name]):
            group.write(ref, part, *where)


def _pieces(weights: RecurrentWeights) -> int:
    return max(tiles.pieces_of(kernel.dtype) for kernel in weights.kernels)


def _order(recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs) -> tuple[int, ...]:
    """Which kernel each product of a step uses."""
    order: list[int] = []

    def product(k: int, a: Array) -> Array:
        order.append(k)
        return multiply(a, weights.kernels[k])

    first = TimeInputs(inputs.projected[0])
    jax.eval_shape(lambda carry, first: advance(recurrence, weights.vectors, product, carry, first), carry, first)
    return tuple(order)


def _laid_out(weights: RecurrentWeights, inputs: TimeInputs, units: int) -> _Given:
    def in_full(vector: Array) -> Array:
        return tiles.tiled(jnp.broadcast_to(vector[..., None, :], (*vector.shape[:-1], tiles.ROWS, vector.shape[-1])), units)

    resets, valid = [None if mask is None else tiles.tiled_mask(mask) for mask in inputs[1:3]]
    zoneout = jax.tree.map(lambda leaf: tiles.tiled(leaf, units), inputs.zoneout)
    return _Given(
        {name: in_full(vector) for name, vector in weights.vectors.items() if vector.size},
        TimeInputs(tiles.tiled(inputs.projected, units), resets, valid, zoneout),
    )


def _vectors(group, given: _Given) -> dict[str, Any]:
    def whole(ref) -> Any:
        return group.read(ref) if len(ref.shape) == 5 else tuple(group.read(ref, k) for k in range(ref.shape[0]))

    return {name: whole(ref) for name, ref in given.vectors.items()}


def _layers(ref: Any, vector: Any) -> list[tuple[tuple[int, ...], Any]]:
    """Pair the parts of a vector with their places in its array: one, or one per layer."""
    return [((), vector)] if len(ref.shape) == 5 else [((k,), part) for k, part in enumerate(vector)]


def _at(group, inputs: TimeInputs, step: Any) -> TimeInputs:
    resets, valid = [None if mask is None else group.read_mask(mask, step) for mask in inputs[1:3]]
    return TimeInputs(group.read(inputs.projected, step), resets, valid, group.read(inputs.zoneout, step))


def _summed(d_vector: Any, vector: Array, units: int) -> Array:
    """Sum the results of the rows."""
    if not vector.size:
        return jnp.zeros_like(vector)
    return tiles.untiled(d_vector, d_vector.shape[-5] * tiles.ROWS, units).sum(-2)
