"""The convolution with gradients of its own against JAX's, which were derived and are tested elsewhere."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from seqnets.ops.canonical_conv import LAYOUT, convolve, stamp

CASES = [
    (size, window, stride, padding, dilation)
    for size, window, stride, padding, dilation in itertools.product(
        [(7, 10)], [(3, 2), (1, 1), (4, 5)], [(1, 1), (2, 3), (4, 4)], [((0, 0), (0, 0)), ((1, 2), (0, 3))], [(1, 1), (2, 1)]
    )
]


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "dilation"),
    [*CASES[::2], *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES[1::2])],
)
def test_value_and_gradients_are_those_of_jax(size, window, stride, padding, dilation):
    draw = np.random.default_rng(0).standard_normal
    x, kernel = (jnp.asarray(draw(shape), jnp.float32) for shape in ((2, *size, 3), (*window, 3, 4)))

    def theirs(x, kernel):
        return lax.conv_general_dilated(x, kernel, stride, padding, rhs_dilation=dilation, dimension_numbers=LAYOUT)

    expected, pull_theirs = jax.vjp(theirs, x, kernel)
    found, pull = jax.vjp(lambda x, kernel: convolve(x, kernel, stride, padding, dilation), x, kernel)
    np.testing.assert_array_equal(found, expected)
    d_y = jnp.asarray(draw(expected.shape), jnp.float32)
    for ours, right in zip(pull(d_y), pull_theirs(d_y)):
        np.testing.assert_allclose(ours, right, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("window", "stride", "cut", "dilation"), [
    ((4, 3), (2, 1), ((1, 1), (0, 2)), (1, 1)),
    ((3, 3), (2, 3), ((1, 0), (0, -1)), (1, 2)),
    ((1, 2), (1, 1), ((0, 0), (0, 0)), (2, 1)),
])  # fmt: skip
def test_stamps_and_their_gradients_are_those_of_jax(window, stride, cut, dilation):
    draw = np.random.default_rng(0).standard_normal
    x, kernel = (jnp.asarray(draw(shape), jnp.float32) for shape in ((2, 4, 5, 3), (*window, 3, 2)))

    def theirs(x, kernel):
        sides = [(d * (k - 1) - low, d * (k - 1) - high) for d, k, (low, high) in zip(dilation, window, cut)]
        options = {"lhs_dilation": stride, "rhs_dilation": dilation, "dimension_numbers": LAYOUT}
        return lax.conv_general_dilated(x, jnp.flip(kernel, (0, 1)), (1, 1), sides, **options)

    expected, pull_theirs = jax.vjp(theirs, x, kernel)
    found, pull = jax.vjp(lambda x, kernel: stamp(x, kernel, stride, cut, dilation), x, kernel)
    np.testing.assert_array_equal(found, expected)
    d_y = jnp.asarray(draw(expected.shape), jnp.float32)
    for ours, right in zip(pull(d_y), pull_theirs(d_y)):
        np.testing.assert_allclose(ours, right, rtol=1e-5, atol=1e-4)
