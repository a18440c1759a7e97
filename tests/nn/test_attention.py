"""Attention against loops in float64, and its gradients against finite differences."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.test_util import check_grads

from seqnets.errors import UserError
from seqnets.nn import AdditiveAttention, DotAttention
from seqnets.ops.attention import masked_softmax

B, L, Q, D, A = 3, 5, 4, 6, 7


def softmax_loop(scores, mask):
    weights = [math.exp(score) if shown else 0.0 for score, shown in zip(scores, mask)]
    total = sum(weights)
    return [weight / total if total else 0.0 for weight in weights]


def score_loop(layer, query, annotation):
    kernels = {name: np.asarray(getattr(layer, name)[...], np.float64) for name in ("query_kernel", "annotation_kernel")}
    total = 0.0
    for a in range(A):
        asked = sum(kernels["query_kernel"][i, a] * query[i] for i in range(Q))
        offered = sum(kernels["annotation_kernel"][i, a] * annotation[i] for i in range(D))
        if isinstance(layer, AdditiveAttention):
            bias, u = float(layer.annotation_bias[...][a]), float(layer.score_kernel[...][a])
            total += u * math.tanh(asked + offered + bias)
        else:
            total += asked * offered / math.sqrt(A)
    return total


def attention_loop(layer, query, annotations, mask):
    contexts, weights = np.zeros((B, D)), np.zeros((B, L))
    for b in range(B):
        weights[b] = softmax_loop([score_loop(layer, query[b], annotations[b, i]) for i in range(L)], mask[b])
        for i in range(L):
            contexts[b] += weights[b, i] * annotations[b, i]
    return contexts, weights


@pytest.fixture(params=[AdditiveAttention, DotAttention])
def layer(request):
    made = request.param(Q, D, features=A, rngs=nnx.Rngs(0))
    if isinstance(made, AdditiveAttention):
        made.annotation_bias[...] = jnp.linspace(-1, 1, A)
    return made


@pytest.fixture
def inputs():
    rng = np.random.default_rng(1)
    return rng.normal(size=(B, Q)), rng.normal(size=(B, L, D))


@pytest.mark.parametrize("hidden", [False, True])
def test_attention_is_the_loop_over_locations(layer, inputs, hidden):
    query, annotations = inputs
    mask = np.ones((B, L), bool)
    if hidden:
        mask[0, 1:3] = False
        mask[2] = False  # nothing to look at: no weight, no context, and no NaN
    x, a = jnp.asarray(query, jnp.float32), jnp.asarray(annotations, jnp.float32)
    context, weights = layer(x, layer.project(a), a, jnp.asarray(mask) if hidden else None)
    expected_context, expected_weights = attention_loop(layer, query, annotations, mask)
    np.testing.assert_allclose(weights, expected_weights, atol=2e-6)
    np.testing.assert_allclose(context, expected_context, atol=5e-6)


def test_gradients_are_those_of_finite_differences(layer, inputs):
    graphdef, params = nnx.split(layer, nnx.Param)
    query, annotations = (jnp.asarray(x, jnp.float32) for x in inputs)
    mask = jnp.ones((B, L), bool).at[0, 1:3].set(False).at[2].set(False)

    def look(params, query, annotations):
        attend = nnx.merge(graphdef, params)
        return attend(query, attend.project(annotations), annotations, mask)

    check_grads(look, (params, query, annotations), order=1, modes=["rev"], atol=2e-2, rtol=2e-2, eps=1e-2)


def test_weights_are_float32_and_exact_where_products_are_bfloat16(inputs):
    layer = DotAttention(Q, D, features=A, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    query, annotations = (jnp.asarray(x, jnp.float32) for x in inputs)
    projected = layer.project(annotations)
    _, weights = layer(query, projected, annotations)
    assert projected.dtype == jnp.bfloat16
    assert weights.dtype == jnp.float32
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)


def test_softmax_of_large_scores_is_finite():
    scores = jnp.array([[1e30, 0.0, -1e30], [1000.0, 999.0, 5000.0]])
    weights = masked_softmax(scores, jnp.array([[True, True, True], [True, True, False]]))
    np.testing.assert_allclose(weights, [[1, 0, 0], [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1)), 0]], atol=1e-6)


def test_a_row_without_locations_has_a_finite_gradient():
    gradient = jax.grad(lambda scores: masked_softmax(scores, jnp.zeros((1, 3), bool)).sum())(jnp.ones((1, 3)))
    assert gradient.tolist() == [[0.0, 0.0, 0.0]]


def test_annotations_of_another_size_are_refused(layer):
    with pytest.raises(UserError, match=r"annotations have shape \(2, 3, 5\).*\[B, L, 6\]"):
        layer.project(jnp.ones((2, 3, 5)))
