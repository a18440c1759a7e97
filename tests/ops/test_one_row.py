"""The product of one row by the native kernel: XLA's numbers, whatever the shape, the threads and the transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from numerics import assert_close
from seqnets.ops.backends import native
from seqnets.ops.linear import multiply
from seqnets.ops.native import build
from seqnets.ops.one_row import multiply_one_row

needs_kernels = pytest.mark.skipif(build.library() is None, reason="no C++ compiler here")

SHAPES = [(2048, 128), (4100, 65), (16_400, 16), (16_400, 17), (1, 270_001), (300, 1031), (512, 2048), (1000, 1300)]


def problem(features: int, columns: int):
    rng = np.random.default_rng([features, columns])
    return rng.standard_normal((1, features), np.float32), rng.standard_normal((features, columns), np.float32)


def takes_the_kernel(x, kernel) -> bool:
    return "seqnets_one_row" in jax.jit(multiply_one_row).lower(x, kernel).as_text()


@needs_kernels
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_exact_product(shape):
    x, kernel = problem(*shape)
    assert takes_the_kernel(x, kernel)
    exact = x.astype(np.float64) @ kernel.astype(np.float64)
    assert_close(np.asarray(multiply_one_row(x, kernel)) / shape[0] ** 0.5, exact / shape[0] ** 0.5)


@needs_kernels
@pytest.mark.parametrize("shape", [(4100, 65), (512, 2048), (1000, 1300)])
def test_is_the_same_to_the_last_bit_on_any_number_of_threads(shape):
    x, kernel = problem(*shape)
    try:
        found = []
        for threads in (1, 2, 3, 8, 40):
            native.set_threads(threads)
            found.append(np.asarray(multiply_one_row(x, kernel)))
    finally:
        native.set_threads(None)
    assert all(np.array_equal(found[0], other) for other in found[1:])


@needs_kernels
def test_numbers_that_are_not_finite_come_through():
    x, kernel = problem(4100, 65)
    kernel[3, 64], kernel[4, 0] = np.nan, np.inf
    product = np.asarray(multiply_one_row(x, kernel))
    assert np.isnan(product[0, 64])
    assert np.isinf(product[0, 0])
    assert np.isfinite(product[0, 1:64]).all()


@pytest.mark.parametrize(
    ("x", "kernel"),
    [
        (jnp.ones((2, 512)), jnp.ones((512, 1024))),
        (jnp.ones((1, 40_000)), jnp.ones((40_000, 8))),
        (jnp.ones((1, 64)), jnp.ones((64, 65))),
        (jnp.ones((1, 512)), jnp.ones((512, 1024), jnp.bfloat16)),
        (jnp.ones((1, 512), jnp.bfloat16), jnp.ones((512, 1024), jnp.bfloat16)),
    ],
    ids=["two rows", "few columns", "small", "mixed", "bfloat16"],
)
def test_everything_else_is_left_to_xla(x, kernel):
    assert not takes_the_kernel(x, kernel)
    found, expected = multiply_one_row(x, kernel), multiply(x, kernel)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@needs_kernels
def test_leading_axes_of_one_stay():
    x, kernel = problem(512, 600)
    for leading in ((), (1, 1, 1)):
        assert_close(multiply_one_row(x.reshape(*leading, 512), kernel), (x @ kernel).reshape(*leading, 600))


@needs_kernels
def test_derivatives_and_vmap_are_those_of_a_product():
    x, kernel = problem(512, 600)
    check_grads(lambda x: multiply_one_row(x, kernel), (x,), 2, modes=["fwd", "rev"], rtol=2e-2, atol=2e-2)
    found = jax.jit(jax.grad(lambda x, kernel: (multiply_one_row(x, kernel) ** 2).sum(), argnums=(0, 1)))(x, kernel)
    assert_close(found, (2 * (x @ kernel) @ kernel.T, 2 * x.T @ (x @ kernel)))
    rows = np.concatenate([x, 2 * x])[:, None]
    assert_close(jax.vmap(multiply_one_row, (0, None))(rows, kernel), rows @ kernel)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_it_is_lowered_for_another_platform_without_the_kernel(platform):
    traced = jax.jit(multiply_one_row).trace(*problem(512, 600))
    assert "seqnets_" not in traced.lower(lowering_platforms=(platform,)).as_text()
