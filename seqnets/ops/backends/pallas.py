"""One kernel for all steps on a GPU: each block takes its rows of the batch through time, and nothing is launched in between.

The arithmetic is that of `seqnets.ops.recurrent`, traced into the kernel, and so is its backward pass. State and gates stay in
registers. The recurrent kernel is read again at every step, from the cache next to the multiprocessor where it fits, which is
why the hidden size is bounded.

Written for Triton through Pallas. Results are checked in Pallas's interpreter, and the kernels compile for an H100; no time has
been taken on a GPU yet. JAX 0.12 announces that Pallas will lose Triton; without it this backend refuses, and scan does the work.

Memory kept for the backward pass, per step and row, in numbers: the state, what each product multiplied, and gates * H for the
products.
"""

import warnings
from functools import cache, partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.backends import tiles
from seqnets.ops.backends.replay import Static, kernel_gradients, step_back
from seqnets.ops.linear import multiply
from seqnets.ops.platform import default_platform
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights, hidden_of
from seqnets.ops.timestep import TimeInputs, advance

MOST_UNITS = 128


class _Given(NamedTuple):
    """What both kernels read; inside of them, references cut to the block's rows."""

    kernels: tuple[Any, ...]  # (gates, H, H) each
    vectors: dict[str, Any]  # (gates, H) or (L, gates, H)
    inputs: TimeInputs  # projected (T, B, gates, H), masks (T, B), zoneout (T, B, H)


class _Kept(NamedTuple):
    """What the forward kernel keeps of every step."""

    carries: Carry  # (T, B, H)
    lefts: tuple[Any, ...]  # (T, B, H): what each product multiplied
    products: tuple[Any, ...]  # (T, B, gates, H)


_GIVEN: Any = _Given(None, None, 1)  # pyright: ignore[reportArgumentType]  # the axes of the rows


def refusal(
    recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs, *, platform: str | None = None
) -> str | None:
    """Say why this backend cannot run such a call, or None if it can.

    Example:
        >>> from seqnets.ops.recurrent import VANILLA
        >>> wide = jnp.zeros((1, 200))
        >>> weights = RecurrentWeights((jnp.zeros((200, 200)),), {})
        >>> refusal(VANILLA["tanh"], weights, wide, TimeInputs(wide[None]), platform="cuda")
        'it takes at most 128 hidden features, and found 200'
    """
    if (platform or default_platform()) != "cuda":
        return f"it runs on NVIDIA GPUs only, and JAX's default is {platform or default_platform()}"
    if recurrence.layer_norm or "cell_scale" in weights.vectors:
        return "it has no layer normalization"
    if not weights.kernels:
        return f"{recurrence.name} has no recurrent product"
    state = hidden_of(carry)
    if state.dtype != jnp.float32 or {kernel.dtype for kernel in weights.kernels} - {jnp.dtype("float32"), jnp.dtype("bfloat16")}:
        return "it computes with a float32 state and float32 or bfloat16 products only"
    if state.shape[-1] > MOST_UNITS:
        return f"it takes at most {MOST_UNITS} hidden features, and found {state.shape[-1]}"
    if 0 in inputs.projected.shape:
        return "it needs at least one step and one row"
    leaves, structure = jax.tree.flatten((weights, carry, inputs))
    return _lowering_failure(recurrence, structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves))


@cache
def _lowering_failure(recurrence: Recurrence, structure: Any, shapes: tuple) -> str | None:
    """Lower both kernels for such arrays once, and return what went wrong, if anything did."""

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Triton in Pallas
            jax.jit(forward_and_backward).trace(*arguments).lower(lowering_platforms=("cuda",))
    except Exception as failure:  # whatever kind: this JAX cannot write the kernel down, and others can do its work
        return f"this JAX cannot lower it ({str(failure).splitlines()[0]})"
    return None


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 5))
def run(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs, interpret: bool = False
) -> tuple[Array, Carry]:
    """Run `recurrence` over time; see `seqnets.ops.sequence.sequence`. With `interpret`, on any device, slowly."""
    outputs, last, _ = _call_forward(recurrence, reverse, weights, carry, inputs, interpret, keep=False)
    return outputs, last


def _forward(recurrence, reverse, weights, carry, inputs, interpret):
    outputs, last, kept = _call_forward(recurrence, reverse, weights, carry, inputs, interpret, keep=True)
    return (outputs, last), (weights, inputs, kept)


def _call_forward(recurrence, reverse, weights, carry, inputs, interpret, keep: bool):
    given, order = _laid_out(weights, inputs, hidden_of(carry)), _order(recurrence, weights, carry, inputs)
    (steps, rows, _, units), (batch, hidden) = given.inputs.projected.shape, hidden_of(carry).shape

    def array(*shape: int, of: Array | None = None):
        return tiles.resized(hidden_of(carry) if of is None else of, (*shape, units))

    kept = _Kept(
        jax.tree.map(lambda leaf: array(steps, rows), carry),
        tuple(array(steps, rows) for _ in order),
        tuple(array(steps, rows, given.kernels[k].shape[0]) for k in order),
    )
    results = (array(steps, rows, of=inputs.projected), jax.tree.map(lambda leaf: array(rows), carry), kept if keep else ())
    outputs, last, kept = tiles.call(
        partial(_forward_kernel, recurrence, reverse),
        (rows, units),
        (given, _padded(carry, 0)),
        (_GIVEN, 0),
        results,
        (1, 0, 1),
        interpret,
    )
    last = jax.tree.map(lambda leaf: leaf[:batch, :hidden], last)
    return outputs[:, :batch, :hidden], last, (kept, Static(order))


def _forward_kernel(recurrence: Recurrence, reverse: bool, given: _Given, first, outputs, last, kept):
    vectors, steps = _vectors(given), outputs.shape[0]

    def step(k, carry):
        t = steps - 1 - k if reverse else k
        lefts, products = [], []

        def product(index: int, a: Array):
            kernel = given.kernels[index]
            lefts.append(a)
            products.append(tiles.gates(kernel.shape[0], lambda gate: multiply(a, kernel[gate])))
            return products[-1]

        after, output = advance(recurrence, vectors, product, carry, _at(given.inputs, t))
        tiles.write_leaves(outputs, t, output)
        if kept:
            tiles.write_leaves((kept.carries, kept.lefts), t, (carry, lefts))
            tiles.write(kept.products, t, products)
        return after

    tiles.write_leaves(last, ..., jax.lax.fori_loop(0, steps, step, _whole(first)))


def _backward(recurrence, reverse, interpret, residuals, cotangents):
    weights, inputs, (kept, order) = residuals
    d_outputs, d_last = cotangents
    given, (batch, hidden) = _laid_out(weights, inputs, hidden_of(d_last)), hidden_of(d_last).shape
    d_last, d_outputs = _padded(d_last, 0), _padded(d_outputs, 1)
    rows, units = hidden_of(d_last).shape
    d_vectors = jax.tree.map(lambda leaf: tiles.resized(leaf, (rows // tiles.ROWS, *leaf.shape)), given.vectors)
    alike = jax.tree.map(lambda leaf: tiles.resized(leaf, leaf.shape), (given.inputs.projected, d_last, kept.products))
    d_projected, d_carry, d_vectors, d_products = tiles.call(
        partial(_backward_kernel, recurrence, reverse),
        (rows, units),
        (given, kept._replace(lefts=()), d_outputs, d_last),
        (_GIVEN, 1, 1, 0),
        (*alike[:2], d_vectors, alike[2]),
        (1, 0, tiles.EACH_BLOCK, 1),
        interpret,
    )
    d_projected, *d_products = [tiles.together(d[:, :batch], hidden) for d in (d_projected, *d_products)]
    lefts = [left[:, :batch, :hidden] for left in kept.lefts]
    d_kernels = kernel_gradients(weights.kernels, order.value, lefts, d_products)
    d_vectors = {name: _summed(d_vectors[name], vector, hidden) for name, vector in weights.vectors.items()}
    d_carry = jax.tree.map(lambda leaf: leaf[:batch, :hidden], d_carry)
    return RecurrentWeights(d_kernels, d_vectors), d_carry, TimeInputs(d_projected)


def _backward_kernel(recurrence, reverse, given: _Given, kept: _Kept, d_outputs, d_last, *results):
    d_projected, d_carry, d_vectors, d_products = results
    vectors, steps = _vectors(given), d_outputs.shape[0]

    def pull_back(k: int, d_product: Any) -> Array:
        return reduce(jnp.add, [multiply(part, given.kernels[k][g].T) for g, part in enumerate(tiles.parts_of(d_product))])

    def step(k, accumulated):
        t = k if reverse else steps - 1 - k
        d_after, d_sum = accumulated
        carry, products = jax.tree.map(lambda ref: ref[t], kept.carries), [tiles.read(ref, t) for ref in kept.products]
        before = (carry, vectors, _at(given.inputs, t))
        d_before, d_input, d_step, d_results = step_back(recurrence, pull_back, before, products, (d_after, d_outputs[t]))
        tiles.write((d_projected, *d_products), t, (d_input, *d_results))
        return d_before, jax.tree.map(jnp.add, d_sum, d_step)

    start = (_whole(d_last), jax.tree.map(jnp.zeros_like, vectors))
    d_first, d_sum = jax.lax.fori_loop(0, steps, step, start)
    tiles.write_leaves(d_carry, ..., d_first)
    for name, ref in d_vectors.items():
        tiles.write_vector(ref, d_sum[name])


run.defvjp(_forward, _backward)


def _order(recurrence: Recurrence, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs) -> tuple[int, ...]:
    """Which kernel each product of a step uses."""
    order: list[int] = []

    def product(k: int, a: Array) -> Array:
        order.append(k)
        return multiply(a, weights.kernels[k])

    first = TimeInputs(inputs.projected[0])
    jax.eval_shape(lambda carry, first: advance(recurrence, weights.vectors, product, carry, first), carry, first)
    return tuple(order)


def _laid_out(weights: RecurrentWeights, inputs: TimeInputs, hidden: Array) -> _Given:
    units = hidden.shape[-1]
    resets, valid = [None if mask is None else tiles.heightened(mask.astype(jnp.int32), 1) for mask in inputs[1:3]]
    return _Given(
        tuple(tiles.kernel_apart(kernel, units) for kernel in weights.kernels),
        {name: tiles.apart(vector, units) if vector.size else () for name, vector in weights.vectors.items()},
        TimeInputs(tiles.heightened(tiles.apart(inputs.projected, units), 1), resets, valid, _padded(inputs.zoneout, 1)),
    )


def _padded(tree: Any, rows: int) -> Any:
    return jax.tree.map(lambda leaf: tiles.heightened(tiles.widened(leaf), rows), tree)


def _whole(refs: Any) -> Any:
    return jax.tree.map(lambda ref: ref[...], refs)


def _vectors(given: _Given) -> dict[str, Any]:
    return {name: tiles.read_vector(ref) for name, ref in given.vectors.items()}


def _at(inputs: TimeInputs, step: Any) -> TimeInputs:
    resets, valid = [None if mask is None else mask[step] != 0 for mask in inputs[1:3]]
    return TimeInputs(tiles.read(inputs.projected, step), resets, valid, jax.tree.map(lambda ref: ref[step], inputs.zoneout))


def _summed(d_vector: Any, vector: Array, units: int) -> Array:
    """Add up what the blocks found."""
    return tiles.together(d_vector.sum(0), units).reshape(vector.shape) if vector.size else jnp.zeros_like(vector)
