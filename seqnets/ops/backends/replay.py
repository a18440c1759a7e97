"""A backward step that reuses the kept products, and the weight gradients after the last step.

A step reaches its recurrent kernels only through `product(k, a)`. If the results were kept, the step's elementwise arithmetic is
replayed around them, and only the cotangents of the products come out. Each kernel's gradient is then one large product over
all steps and rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.recurrent import Carry, Recurrence, Vectors
from seqnets.ops.timestep import TimeInputs, advance


def step_back(
    recurrence: Recurrence,
    pull_back: Callable[[int, Any], Array],
    before: tuple[Carry, Vectors, TimeInputs],
    products: Sequence[Any],
    cotangents: tuple[Carry, Array],
) -> tuple[Carry, Any, Vectors, list[Any]]:
    """Return the cotangents of the carry, the projected input, the vectors and the products of one step.

    Args:
        recurrence: the arithmetic.
        pull_back: `pull_back(k, d) = d @ kernels[k].T`.
        before: the arguments of the step: the carry, the vectors, its inputs.
        products: the results of its products, in the order in which it takes them.
        cotangents: of the carry after it and of its output.
    """
    carry, vectors, inputs = before

    def replayed(carry: Carry, projected: Any, vectors: Vectors, taps: Sequence[Any]):
        kept = iter(zip(products, taps))
        return advance(
            recurrence, vectors, lambda k, a: _replay(pull_back, k, a, *next(kept)), carry, inputs._replace(projected=projected)
        )

    taps = jax.tree.map(jnp.zeros_like, list(products))
    return jax.vjp(replayed, carry, inputs.projected, vectors, taps)[1](cotangents)


def _replay(pull_back: Callable[[int, Any], Array], k: int, a: Array, product: Any, tap: Any) -> Any:
    """Replace a @ kernels[k]: return the kept result, and pass its cotangent out through `tap`."""

    @jax.custom_vjp
    def stand_in(a: Array, product: Any, tap: Any) -> Any:
        del a, tap
        return product

    stand_in.defvjp(
        lambda a, product, tap: (product, None),
        lambda _, d_product: (pull_back(k, d_product), None, d_product),
    )
    return stand_in(a, product, tap)


def kernel_gradients(
    kernels: Sequence[Array], order: Sequence[int], lefts: Sequence[Array], d_products: Sequence[Array]
) -> tuple[Array, ...]:
    """Return the gradient of every kernel.

    Args:
        kernels: `(H, G)` each.
        order: the kernel that each product of a step used.
        lefts: `(T, B, H)`: the left factor of each product.
        d_products: `(T, B, G)`: the cotangent of each product.

    Example:
        >>> ones = jnp.ones((2, 1, 1))
        >>> kernel_gradients([jnp.zeros((1, 3))], [0], [ones], [jnp.ones((2, 1, 3))])[0].tolist()
        [[2.0, 2.0, 2.0]]
    """
    gradients = [jnp.zeros_like(kernel) for kernel in kernels]
    for k, left, d_product in zip(order, lefts, d_products):
        flat_left = left.reshape(-1, left.shape[-1]).astype(kernels[k].dtype)
        flat_d = d_product.reshape(-1, d_product.shape[-1]).astype(kernels[k].dtype)
        gradients[k] += jnp.matmul(flat_left.T, flat_d, preferred_element_type=left.dtype).astype(kernels[k].dtype)
    return tuple(gradients)


@jax.tree_util.register_static
class Static:
    """A Python value that passes through JAX as static structure."""

    def __init__(self, value: Any):
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and self.value == other.value
