"""Attention layers: a query looks at annotations, whose projection is computed once for all queries."""

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.typing import DTypeLike

from seqnets.errors import UserError
from seqnets.nn.cells.base import check_sizes
from seqnets.nn.initializers import input_kernel
from seqnets.ops.attention import additive_scores, dot_scores, masked_softmax, weighted_sum
from seqnets.ops.linear import affine


class AdditiveAttention(nnx.Module):
    r"""Attention with a hidden layer (Bahdanau's).

    $$ e_l = u \cdot \tanh(W_a a_l + W_q q + b), \qquad \alpha = \text{softmax}(e), \qquad z = \sum_l \alpha_l a_l $$

    Args:
        query_features: size of a query, Q.
        annotation_features: size of an annotation, D.
        features: size of the hidden layer, A.
        dtype: of the products; the weights are always float32.
        rngs: source of the initial weights (stream `params`).

    Raises:
        UserError: a size is below one, or the annotations have another number of features.

    Example:
        >>> attend = AdditiveAttention(4, 3, features=8, rngs=nnx.Rngs(0))
        >>> annotations = jnp.ones((2, 5, 3))
        >>> context, weights = attend(jnp.zeros((2, 4)), attend.project(annotations), annotations)
        >>> context.shape, weights.shape
        ((2, 3), (2, 5))

    References:
        Bahdanau, Cho, Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2014.
        Xu et al., "Show, Attend and Tell", 2015. Its scalar added to every score is left out: the softmax cancels it.
    """

    def __init__(
        self, query_features: int, annotation_features: int, *, features: int, dtype: DTypeLike = jnp.float32, rngs: nnx.Rngs
    ):
        check_sizes(query_features=query_features, annotation_features=annotation_features, features=features)
        self.annotation_features = annotation_features
        self.dtype = jnp.dtype(dtype)
        self.query_kernel = nnx.Param(input_kernel(rngs.params(), (query_features, features)))
        self.annotation_kernel = nnx.Param(input_kernel(rngs.params(), (annotation_features, features)))
        self.annotation_bias = nnx.Param(jnp.zeros(features, jnp.float32))
        self.score_kernel = nnx.Param(input_kernel(rngs.params(), (features, 1)).reshape(features))

    def project(self, annotations: Array, mask: Array | None = None) -> Array:
        """Return W_a a + b, to be computed once for a set of annotations: `(B, L, D)` -> `(B, L, A)`.

        Args:
            annotations: `(B, L, D)`.
            mask: `(B, L)` booleans; where False, the annotation has no effect, not even on gradients.
        """
        _check_annotations(annotations, self.annotation_features)
        return affine(_shown(annotations, mask).astype(self.dtype), self.annotation_kernel[...], self.annotation_bias[...])

    def __call__(self, query: Array, projected: Array, annotations: Array, mask: Array | None = None) -> tuple[Array, Array]:
        """Attend to the annotations.

        Args:
            query: `(B, Q)`.
            projected: `(B, L, A)`, from `project`.
            annotations: `(B, L, D)`.
            mask: `(B, L)` booleans; False hides a location.

        Returns:
            The context `(B, D)` and the weights `(B, L)`, float32.
        """
        asked = affine(query.astype(self.dtype), self.query_kernel[...])
        weights = masked_softmax(additive_scores(asked, _shown(projected, mask), self.score_kernel[...]), mask)
        return weighted_sum(weights, _shown(annotations, mask)), weights


class DotAttention(nnx.Module):
    r"""Attention by inner products (Luong's).

    $$ e_l = (W_q q) \cdot (W_a a_l) / \sqrt{A}, \qquad \alpha = \text{softmax}(e), \qquad z = \sum_l \alpha_l a_l $$

    Cheaper than `AdditiveAttention`: no tanh over all locations at every step.

    Args:
        query_features: size of a query, Q.
        annotation_features: size of an annotation, D.
        features: size of the space where they are compared, A.
        dtype: of the products; the weights are always float32.
        rngs: source of the initial weights (stream `params`).

    Raises:
        UserError: a size is below one, or the annotations have another number of features.

    Example:
        >>> attend = DotAttention(4, 3, features=8, rngs=nnx.Rngs(0))
        >>> annotations = jnp.ones((2, 5, 3))
        >>> attend(jnp.zeros((2, 4)), attend.project(annotations), annotations)[0].shape
        (2, 3)

    References:
        Luong, Pham, Manning, "Effective Approaches to Attention-based Neural Machine Translation", 2015.
        Vaswani et al., "Attention Is All You Need", 2017.
    """

    def __init__(
        self, query_features: int, annotation_features: int, *, features: int, dtype: DTypeLike = jnp.float32, rngs: nnx.Rngs
    ):
        check_sizes(query_features=query_features, annotation_features=annotation_features, features=features)
        self.annotation_features = annotation_features
        self.dtype = jnp.dtype(dtype)
        self.query_kernel = nnx.Param(input_kernel(rngs.params(), (query_features, features)))
        self.annotation_kernel = nnx.Param(input_kernel(rngs.params(), (annotation_features, features)))

    def project(self, annotations: Array, mask: Array | None = None) -> Array:
        """Return W_a a, to be computed once for a set of annotations; arguments as for `AdditiveAttention.project`."""
        _check_annotations(annotations, self.annotation_features)
        return affine(_shown(annotations, mask).astype(self.dtype), self.annotation_kernel[...])

    def __call__(self, query: Array, projected: Array, annotations: Array, mask: Array | None = None) -> tuple[Array, Array]:
        """Attend to the annotations; arguments and result as for `AdditiveAttention`."""
        asked = affine(query.astype(self.dtype), self.query_kernel[...])
        weights = masked_softmax(dot_scores(asked, _shown(projected, mask)), mask)
        return weighted_sum(weights, _shown(annotations, mask)), weights


ATTENTIONS = {"additive": AdditiveAttention, "dot": DotAttention}


def _shown(array: Array, mask: Array | None) -> Array:
    """Zero hidden locations: a weight of 0 times NaN would be NaN."""
    return array if mask is None else jnp.where(mask[..., None], array, 0)


def _check_annotations(annotations: Array, features: int) -> None:
    if annotations.ndim != 3 or annotations.shape[-1] != features:
        raise UserError(f"annotations have shape {annotations.shape}; this attention takes [B, L, {features}]")
