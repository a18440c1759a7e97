"""Attention: the weight of every location for a query, and the weighted mean."""

import jax
import jax.numpy as jnp
from jax import Array


def additive_scores(query: Array, projected: Array, score_kernel: Array) -> Array:
    r"""Score every location as Bahdanau does: $e_{bl} = u \cdot \tanh(q_b + p_{bl})$.

    Args:
        query: `(B, A)`, the projected query.
        projected: `(B, L, A)`, the projected annotations.
        score_kernel: u, `(A,)`.

    Returns:
        `(B, L)` in the dtype of `projected`.

    Example:
        >>> additive_scores(jnp.zeros((1, 2)), jnp.zeros((1, 3, 2)), jnp.ones(2)).tolist()
        [[0.0, 0.0, 0.0]]

    References:
        Bahdanau, Cho, Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2014.
    """
    hidden = jnp.tanh(projected + query[:, None, :].astype(projected.dtype))
    return jnp.matmul(hidden, score_kernel.astype(projected.dtype))


def dot_scores(query: Array, projected: Array) -> Array:
    r"""Score every location by the scaled inner product: $e_{bl} = q_b \cdot p_{bl} / \sqrt{A}$.

    Args:
        query: `(B, A)`, the projected query.
        projected: `(B, L, A)`, the projected annotations.

    Returns:
        `(B, L)` in the dtype of `projected`.

    Example:
        >>> dot_scores(jnp.ones((1, 4)), jnp.ones((1, 2, 4))).tolist()
        [[2.0, 2.0]]

    References:
        Luong, Pham, Manning, "Effective Approaches to Attention-based Neural Machine Translation", 2015.
        Vaswani et al., "Attention Is All You Need", 2017 (the scale).
    """
    return jnp.einsum("ba,bla->bl", query.astype(projected.dtype), projected) * projected.shape[-1] ** -0.5


def masked_softmax(scores: Array, mask: Array | None = None) -> Array:
    """Turn scores into weights that sum to 1 over the last axis, in float32 at least.

    Args:
        scores: `(..., L)`.
        mask: booleans that broadcast to `scores`; False gives weight 0. A row without a True is all zeros, not NaN.

    Returns:
        `(..., L)`, float32 (float64 for float64 scores).

    Example:
        >>> masked_softmax(jnp.zeros((2, 2)), jnp.array([[True, False], [False, False]])).tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    return jax.nn.softmax(scores, axis=-1) if mask is None else _softmax_where(scores, jnp.broadcast_to(mask, scores.shape))


def weighted_sum(weights: Array, annotations: Array) -> Array:
    r"""Read the annotations with the weights: $z_b = \sum_l \alpha_{bl} a_{bl}$.

    Args:
        weights: `(B, L)`.
        annotations: `(B, L, D)`.

    Returns:
        `(B, D)` in the dtype of `annotations`.

    Example:
        >>> weighted_sum(jnp.array([[0.25, 0.75]]), jnp.array([[[0.0], [4.0]]])).tolist()
        [[3.0]]
    """
    return jnp.einsum("bl,bld->bd", weights.astype(annotations.dtype), annotations)


def _softmax_where(scores: Array, mask: Array) -> Array:
    # where everything is masked, a score of 0 in place of minus infinity keeps both the value and its gradient finite
    highest = jax.lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True, initial=-jnp.inf, where=mask))
    shifted = jnp.where(mask, scores - jnp.where(jnp.isfinite(highest), highest, 0), 0)
    shares = jnp.where(mask, jnp.exp(shifted), 0)
    total = jnp.sum(shares, axis=-1, keepdims=True)
    return shares / jnp.where(total > 0, total, 1)
