"""Rewired functions keep their values, and every ReLU in them follows the rule, wherever a network calls it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.models import Taps, create_model
from seqnets.models.rewiring import RULES, rewired

RNG = np.random.default_rng(0)
KERNELS = [RNG.standard_normal(shape).astype(np.float32) for shape in ((5, 8), (8, 6), (6, 3))]
X = RNG.standard_normal((4, 5)).astype(np.float32)


def scores(x, relu=jax.nn.relu):
    for kernel in KERNELS[:2]:
        x = relu(x @ kernel)
    return x @ KERNELS[2]


def gradient_by_hand(passes, ceiling=np.inf):
    inputs, x = [], X.astype(np.float64)
    for kernel in KERNELS[:2]:
        inputs.append(x @ kernel)
        x = np.clip(inputs[-1], 0, ceiling)
    gradient = np.broadcast_to(KERNELS[2][:, 1], (4, 6))
    for kernel, before in zip(KERNELS[1::-1], inputs[::-1]):
        gradient = (gradient * passes((before > 0) & (before < ceiling), gradient)) @ kernel.T
    return gradient


@pytest.mark.parametrize(("relu", "ceiling"), [(jax.nn.relu, np.inf), (jax.nn.relu6, 6.0)])
@pytest.mark.parametrize(
    ("rule", "passes"), [("guided", lambda active, gradient: active & (gradient > 0)), ("deconvolution", lambda _, g: g > 0)]
)
def test_rules_equal_a_backward_pass_by_hand(rule, passes, relu, ceiling):
    function = rewired(lambda x: scores(x, relu), rule)
    np.testing.assert_allclose(function(X), scores(X, relu), rtol=1e-4)
    found = jax.jit(jax.grad(lambda x: function(x)[:, 1].sum()))(X)
    np.testing.assert_allclose(found, gradient_by_hand(passes, ceiling), rtol=1e-5, atol=1e-5)


def test_a_dead_example_gets_a_redirected_gradient_and_a_living_one_its_own():
    x, up = jnp.array([[-1.0, -2.0, -3.0], [1.0, -2.0, 3.0]]), jnp.array([[1.0, -1.0, 2.0]])
    function = rewired(lambda x: jnp.sum(up * jax.nn.relu(x)), "redirected")
    assert jax.grad(function)(x).tolist() == [[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]]


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("resnet18", {"depths": (1,), "features": 4}),
        ("densenet121", {"depths": (1,), "growth": 4, "features": 8}),
        ("squeezenet1_1", {"stages": [[(2, 4)]]}),
    ],
)
def test_in_every_family_the_plain_rule_gives_the_plain_gradient(network, options):
    taps = Taps(create_model(network, classes=3, **options), "logits")
    x = jnp.asarray(RNG.standard_normal((1, 16, 16, 3)), jnp.float32)

    def function(x):
        return taps.compute(taps.state, x)["logits"][0, 1]

    def plain(x, passes, gradient):
        return jnp.where(passes, gradient, 0)

    kinds = (function, rewired(function, plain), rewired(function))
    (own, gradient), (value, same), (_, other) = jax.jit(lambda x: [jax.value_and_grad(kind)(x) for kind in kinds])(x)
    np.testing.assert_allclose(value, own, rtol=1e-6)
    np.testing.assert_allclose(same, gradient, rtol=1e-5, atol=1e-7)
    assert np.abs(other - gradient).max() > 1e-6


def test_a_function_without_relus_and_an_unknown_rule_are_refused():
    with pytest.raises(UserError, match="has no ReLU"):
        rewired(jnp.sin)(1.0)
    with pytest.raises(UserError, match="did you mean 'guided'"):
        rewired(scores, "guide")
    assert list(RULES) == ["guided", "deconvolution", "redirected"]


def test_a_relu_in_a_loop_is_not_passed_over():
    def looped(x):
        return jax.lax.fori_loop(0, 3, lambda _, y: jax.nn.relu(y - 1), x)

    with pytest.raises(UserError, match="inside a scan"):
        rewired(looped)(jnp.ones(3))


def test_a_relu_under_checkpoint_and_jit_is_found():
    function = rewired(jax.checkpoint(jax.jit(scores)))
    found = jax.grad(lambda x: function(x)[:, 1].sum())(X)
    expected = gradient_by_hand(lambda active, gradient: active & (gradient > 0))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
