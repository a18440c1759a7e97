"""The gradient of max pooling inside a compiled network, where XLA may compute the same numbers twice."""

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.nn import BatchNorm
from seqnets.ops.conv import conv2d
from seqnets.ops.maxima import _reduced, largest

WINDOW = ((3, 3), (2, 2), ((1, 1), (1, 1)))


def slope_through(pool, dtype):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(8, 9, 9, 3)), dtype)
    first, second = (jnp.asarray(0.2 * rng.normal(size=(3, 3, *shape)), dtype) for shape in ((3, 16), (16, 64)))
    weights = jnp.asarray(rng.normal(size=(8, 3, 3, 64)), dtype)

    def loss(first):
        y = jax.nn.relu(BatchNorm(16)(conv2d(x, first, padding=1), train=True))
        return (weights * conv2d(pool(y, *WINDOW), second, stride=2, padding=1)).sum()

    return np.asarray(jax.jit(jax.grad(loss))(first))


def test_no_gradient_is_lost_between_a_normalization_and_a_pool():
    with jax.enable_x64(True):
        exact = slope_through(_reduced, jnp.float64)
    np.testing.assert_allclose(slope_through(largest, jnp.float32), exact, rtol=1e-4, atol=1e-3)
