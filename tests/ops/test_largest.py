"""The maximum under a window has the values, and to the bit the gradient, of XLA's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.test_util import check_grads

from seqnets.ops.largest import largest

CASES = [
    # size, window, stride, sides
    ((9, 12), (3, 3), (2, 2), ((1, 1), (1, 1))),
    ((8, 8), (2, 2), (2, 2), ((0, 0), (0, 0))),
    ((7, 10), (3, 2), (1, 3), ((0, 1), (1, 0))),
    ((11, 9), (2, 3), (3, 4), ((0, 0), (2, 1))),
    ((6, 6), (5, 5), (1, 1), ((2, 2), (2, 2))),
    ((9, 9), (6, 5), (2, 1), ((1, 1), (0, 0))),  # more taps than are unrolled
]


def plain(x, window, stride, sides):
    return lax.reduce_window(x, -np.inf, lax.max, (1, *window, 1), (1, *stride, 1), ((0, 0), *sides, (0, 0)))


@pytest.mark.parametrize(("size", "window", "stride", "sides"), CASES)
def test_values_and_gradient_are_xlas(size, window, stride, sides):
    random = np.random.default_rng(0)
    both = jax.jit(lambda x, g: [pull(pool, x, g, window, stride, sides) for pool in (largest, plain)])
    for values in (random.normal(size=(2, *size, 3)), random.integers(0, 3, (2, *size, 3))):  # the second with many ties
        x = jnp.asarray(values, jnp.float32)
        shape = jax.eval_shape(lambda x: plain(x, window, stride, sides), x).shape
        g = jnp.asarray(random.integers(-9, 9, shape), jnp.float32)  # sums of whole numbers are exact in any order
        found, wanted = both(x, g)
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])


def pull(pool, x, g, window, stride, sides):
    y, back = jax.vjp(lambda x: pool(x, window, stride, sides), x)
    return y, back(g)[0]


def test_every_mode_of_differentiation():
    x = jax.random.permutation(jax.random.key(0), jnp.arange(50.0)).reshape(1, 5, 5, 2)
    square = jax.jit(lambda x: largest(x, (2, 2), (2, 2), ((1, 0), (0, 1))) ** 2)
    check_grads(square, (x,), order=2, modes=("fwd", "rev"), eps=1e-2, rtol=1e-2)
    each = jax.jit(jax.vmap(jax.grad(lambda x: largest(x[None], (2, 2), (2, 2), ((0, 0), (0, 0))).sum())))(x)
    assert float(each.sum()) == 8


def test_half_precision_stays_half():
    x = jnp.ones((1, 4, 4, 1), jnp.bfloat16)
    assert jax.grad(lambda x: largest(x, (2, 2), (2, 2), ((0, 0), (0, 0))).sum())(x).dtype == jnp.bfloat16
