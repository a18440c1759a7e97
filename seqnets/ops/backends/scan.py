"""A scan whose backward pass is written by hand, for every recurrence at once.

Forward, each step also keeps its state and the results of its recurrent products. Backward, the reverse loop replays the
step's elementwise arithmetic around the kept results (no product is computed twice) and yields only the cotangents of the
products. Each kernel's gradient is then one large product over all steps and rows, outside the loop. Autodiff of a plain scan
adds a full-size weight gradient at every step instead.

Memory kept for the backward pass, per step and row, in numbers: the state, and gates * H for the products.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.backends import reference
from seqnets.ops.backends.replay import Static, kernel_gradients, step_back
from seqnets.ops.derivatives import differentiable
from seqnets.ops.linear import multiply
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights, hidden_of
from seqnets.ops.timestep import TimeInputs, advance


def run(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    """Run `recurrence` over time; see `seqnets.ops.over_time`."""
    return _of(recurrence, reverse)(weights, carry, inputs)


@cache  # JAX caches traces by the identity of functions
def _of(recurrence: Recurrence, reverse: bool) -> Callable:
    passes = (reference.run, _forward, _backward, _without_gradient)
    bound: list[Any] = [partial(part, recurrence, reverse) for part in passes]
    return differentiable(*bound, reads_results=False)


def _without_gradient(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    step = partial(advance, recurrence, weights.vectors, lambda k, a: multiply(a, weights.kernels[k]))
    last, outputs = jax.lax.scan(step, carry, inputs, reverse=reverse, unroll=_steps_a_slice(recurrence))
    return outputs, last


def _forward(recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs):
    order: list[int] = []  # the kernel that each product of a step used; filled while the scan is traced

    def step(carry: Carry, inputs: TimeInputs):
        lefts, products = [], []
        order.clear()

        def product(k: int, a: Array) -> Array:
            order.append(k)
            lefts.append(a)
            products.append(multiply(a, weights.kernels[k]))
            return products[-1]

        after, output = advance(recurrence, weights.vectors, product, carry, inputs)
        return after, (output, carry, lefts, products)

    last, (outputs, carries, lefts, products) = _scan(step, carry, inputs, reverse=reverse, unroll=_steps_a_slice(recurrence))
    return (outputs, last), (carries, lefts, products, Static(tuple(order)))


def _backward(recurrence: Recurrence, reverse: bool, arguments, _results, kept, cotangents):
    weights, _, inputs = arguments
    carries, lefts, products, order = kept
    d_outputs, d_last = cotangents
    transposed = tuple(kernel.T for kernel in weights.kernels)

    def pull_back(k: int, d_product: Array) -> Array:
        return multiply(d_product, transposed[k])

    def step(accumulated, time):
        d_after, d_vectors = accumulated
        inputs, carry, products, d_output = time
        before = (carry, weights.vectors, inputs)
        d_carry, d_projected, d_step_vectors, d_products = step_back(recurrence, pull_back, before, products, (d_after, d_output))
        d_vectors = jax.tree.map(jnp.add, d_vectors, d_step_vectors)
        return (d_carry, d_vectors), (d_projected, d_products)

    start = (d_last, jax.tree.map(jnp.zeros_like, weights.vectors))
    times = (inputs, carries, products, d_outputs)
    unroll = _written_out(hidden_of(d_last), steps=d_outputs.shape[0])
    (d_carry, d_vectors), (d_projected, d_products) = _scan(step, start, times, reverse=not reverse, unroll=unroll)
    d_kernels = kernel_gradients(weights.kernels, order.value, lefts, d_products)
    return RecurrentWeights(d_kernels, d_vectors), d_carry, TimeInputs(d_projected)


def _steps_a_slice(recurrence: Recurrence) -> int:
    """Return how many steps of the forward loop share a slice of the inputs.

    XLA's CPU compiler merges the slice into the arithmetic that reads it. If that reads two or three gates, it computes
    the slice's place again for every number, which keeps the loop from being vectorized: a GRU's forward pass took 2.5 times as
    long. A slice for two steps is computed separately. A single gate's place is computed once, and an LSTM's four gates are added
    before.
    """
    return 2 if recurrence.gates in (2, 3) else 1


def _written_out(hidden: Array, steps: int) -> bool:
    """Return whether the backward pass is unrolled.

    With one or two rows of few features, the loop itself takes a fifth of a training step on a CPU. Unrolling fewer steps is not
    worth its compilation time, and unrolling more would take too long to compile.
    """
    return hidden.size <= 128 and 16 <= steps <= 32


def _scan(step: Callable, carry: Any, inputs: Any, reverse: bool, unroll: int | bool) -> tuple[Any, Any]:
    """Scan, but keep an array that `step` returns several times only once: XLA would store each copy."""
    structure, places = None, []

    def step_once(carry: Any, inputs: Any) -> tuple[Any, list[Array]]:
        nonlocal structure, places
        carry, handed = step(carry, inputs)
        leaves, structure = jax.tree.flatten(handed)
        different = {id(leaf): leaf for leaf in leaves}
        places = [list(different).index(id(leaf)) for leaf in leaves]
        return carry, list(different.values())

    carry, different = jax.lax.scan(step_once, carry, inputs, reverse=reverse, unroll=unroll)
    return carry, jax.tree.unflatten(structure, [different[place] for place in places])
