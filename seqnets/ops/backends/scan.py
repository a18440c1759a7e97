"""A scan whose backward pass is written by hand, for every recurrence at once.

Forward, each step also keeps its state and the results of its recurrent products. Backward, the reverse loop replays the
step's elementwise arithmetic around the kept results (no product is computed twice) and yields only the cotangents of the
products. Each kernel's gradient is then one large product over all steps and rows, outside the loop. Autodiff of a plain scan
adds a full-size weight gradient at every step instead.

Memory kept for the backward pass, per step and row, in numbers: the state, and gates * H for the products.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.linear import multiply
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights
from seqnets.ops.timestep import TimeInputs, advance


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def run(
    recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs
) -> tuple[Array, Carry]:
    """Run `recurrence` over time; see `seqnets.ops.sequence.sequence`."""
    step = partial(advance, recurrence, weights.vectors, lambda k, a: multiply(a, weights.kernels[k]))
    last, outputs = jax.lax.scan(step, carry, inputs, reverse=reverse)
    return outputs, last


def _forward(recurrence: Recurrence, reverse: bool, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs):
    order: list[int] = []  # which kernel each product of a step used; filled while the scan is traced

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

    last, (outputs, carries, lefts, products) = jax.lax.scan(step, carry, inputs, reverse=reverse)
    return (outputs, last), (weights, inputs, carries, lefts, products, _Static(tuple(order)))


def _backward(recurrence: Recurrence, reverse: bool, residuals, cotangents):
    weights, inputs, carries, lefts, products, order = residuals
    d_outputs, d_last = cotangents
    transposed = tuple(kernel.T for kernel in weights.kernels)

    def step(accumulated, time):
        d_after, d_vectors = accumulated
        inputs, carry, products, d_output = time

        def replayed(carry: Carry, projected: Array, vectors, taps):
            pairs = iter(zip(products, taps))
            return advance(
                recurrence,
                vectors,
                lambda k, a: _replay(a, transposed[k], *next(pairs)),
                carry,
                inputs._replace(projected=projected),
            )

        taps = [jnp.zeros_like(y) for y in products]
        _, pull_back = jax.vjp(replayed, carry, inputs.projected, weights.vectors, taps)
        d_carry, d_projected, d_step_vectors, d_products = pull_back((d_after, d_output))
        d_vectors = jax.tree.map(jnp.add, d_vectors, d_step_vectors)
        return (d_carry, d_vectors), (d_projected, d_products)

    start = (d_last, jax.tree.map(jnp.zeros_like, weights.vectors))
    times = (inputs, carries, products, d_outputs)
    (d_carry, d_vectors), (d_projected, d_products) = jax.lax.scan(step, start, times, reverse=not reverse)
    d_kernels = _kernel_gradients(weights.kernels, order.value, lefts, d_products)
    return RecurrentWeights(d_kernels, d_vectors), d_carry, TimeInputs(d_projected)


run.defvjp(_forward, _backward)


@jax.custom_vjp
def _replay(a: Array, transposed: Array, kept: Array, tap: Array) -> Array:
    """Stand in for a @ kernel: answer with the kept result, and let the cotangent out through `tap`."""
    del a, transposed, tap
    return kept


def _replay_forward(a: Array, transposed: Array, kept: Array, tap: Array):
    del a, tap
    return kept, transposed


def _replay_backward(transposed: Array, d_product: Array):
    return multiply(d_product, transposed), None, None, d_product


_replay.defvjp(_replay_forward, _replay_backward)


def _kernel_gradients(kernels, order, lefts, d_products) -> tuple[Array, ...]:
    gradients = [jnp.zeros_like(kernel) for kernel in kernels]
    for k, left, d_product in zip(order, lefts, d_products):
        flat_left = left.reshape(-1, left.shape[-1]).astype(kernels[k].dtype)
        flat_d = d_product.reshape(-1, d_product.shape[-1]).astype(kernels[k].dtype)
        gradients[k] += jnp.matmul(flat_left.T, flat_d, preferred_element_type=left.dtype).astype(kernels[k].dtype)
    return tuple(gradients)


@jax.tree_util.register_static
class _Static:
    """A Python value that travels through JAX as structure."""

    def __init__(self, value: Any):
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self.value == other.value
