"""The arguments and results specific to each recurrence's C++ functions, and the gradients of its weights."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from seqnets.ops.recurrent import Recurrence, RecurrentWeights, Vectors

Widths = Callable[[int, int], list[int]]  # (hidden features, number of kernels) -> last axes of arrays (T, B, ...)
HiddenGradient = Callable[[Array], Array]  # d_products of a kernel that multiplies the hidden state -> that kernel's gradient
Learn = Callable[[HiddenGradient, list[Array], list[Array]], RecurrentWeights]


def _nothing(hidden: int, kernels: int) -> list[int]:
    del hidden, kernels
    return []


@dataclass(frozen=True)
class Cell:
    """A recurrence of the native backend.

    Attributes:
        learn: `(hidden_gradient, kept, d_products) -> gradients of the weights`.
        worked: work arrays of the forward pass; they have a single step if there is no backward pass.
        kept: arrays that it writes only for the backward pass.
        added: gradients that the backward pass yields besides that of the projected input.
        vectors: names of the vectors that the forward pass reads.
    """

    learn: Learn
    worked: Widths = _nothing
    kept: Widths = _nothing
    added: Widths = _nothing
    vectors: tuple[str, ...] = ()


def gradient(lefts: Array, d_products: Array) -> Array:
    """Compute a kernel's gradient, the sum over steps and rows of lefts^T d_products.

    Args:
        lefts: `(T, B, H)`, or without T.
        d_products: `(T, B, G)`, or without T.

    Returns:
        `(H, G)`.

    Example:
        >>> gradient(jnp.ones((2, 1, 1)), jnp.ones((2, 1, 3))).tolist()
        [[2.0, 2.0, 2.0]]
    """
    return lefts.reshape(-1, lefts.shape[-1]).T @ d_products.reshape(-1, d_products.shape[-1])


def _one_kernel(hidden_gradient: HiddenGradient, kept: list[Array], d_products: list[Array]) -> RecurrentWeights:
    del kept
    return RecurrentWeights((hidden_gradient(d_products[0]),), {})


def _gru_reset_after(hidden_gradient: HiddenGradient, kept: list[Array], d_products: list[Array]) -> RecurrentWeights:
    del kept
    d_product = d_products[1]
    d_bias = d_product[..., 2 * d_product.shape[-1] // 3 :].sum((0, 1))
    return RecurrentWeights((hidden_gradient(d_product),), {"recurrent_bias": d_bias})


def _gru_reset_before(hidden_gradient: HiddenGradient, kept: list[Array], d_products: list[Array]) -> RecurrentWeights:
    reset_hidden, d = kept[1], d_products[0]
    d_gates, d_candidate = jnp.split(d, [2 * reset_hidden.shape[-1]], axis=-1)
    return RecurrentWeights((hidden_gradient(d_gates), gradient(reset_hidden, d_candidate)), {})


def _highway(hidden_gradient: HiddenGradient, kept: list[Array], d_products: list[Array]) -> RecurrentWeights:
    deeper = d_products[1:]
    d_kernels = [gradient(state, d) for state, d in zip(kept, deeper)]
    d_biases = [d.sum((0, 1)) for d in deeper]
    vectors: Vectors = {"depth_bias": jnp.stack(d_biases)} if deeper else {}
    return RecurrentWeights((hidden_gradient(d_products[0]), *d_kernels), vectors)


CELLS = {
    "vanilla_tanh": Cell(_one_kernel),
    "vanilla_relu": Cell(_one_kernel),
    "lstm": Cell(_one_kernel, kept=lambda hidden, kernels: [4 * hidden]),
    "gru_reset_after": Cell(
        _gru_reset_after,
        kept=lambda hidden, kernels: [3 * hidden, hidden],
        added=lambda hidden, kernels: [3 * hidden],
        vectors=("recurrent_bias",),
    ),
    "gru_reset_before": Cell(_gru_reset_before, worked=lambda hidden, kernels: [3 * hidden, hidden]),
    "highway": Cell(
        _highway,
        worked=lambda hidden, kernels: [hidden] * (kernels - 1),
        kept=lambda hidden, kernels: [2 * hidden] * kernels,
        added=lambda hidden, kernels: [2 * hidden] * (kernels - 1),
        vectors=("depth_bias",),
    ),
}


def vectors_of(recurrence: Recurrence, weights: RecurrentWeights) -> list[Array]:
    """Return the vectors that a recurrence's C++ kernels read, in their order, with empty arrays for missing ones."""
    return [weights.vectors.get(name, jnp.zeros(0, jnp.float32)) for name in CELLS[recurrence.name].vectors]
