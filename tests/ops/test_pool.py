import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from seqnets.errors import UserError
from seqnets.ops import pool

torch = pytest.importorskip("torch")
functional = torch.nn.functional

GRID = [(5, 2, 2, 0), (6, 2, 3, 1), (6, 3, 2, 0), (7, 3, 2, 1), (7, 3, 3, 1)]  # size, window, stride, padding


def images(size, channels=2, seed=0):
    return np.random.default_rng(seed).normal(size=(2, size, size + 1, channels)).astype(np.float32)


def to_torch(x):
    return torch.tensor(np.asarray(x)).permute(0, 3, 1, 2)


def from_torch(x):
    return x.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_max_and_its_indices_are_torchs(rounding):
    for size, window, stride, padding in GRID:
        x = images(size)
        theirs, places = functional.max_pool2d(
            to_torch(x), window, stride, padding, ceil_mode=rounding == "ceil", return_indices=True
        )
        options = {"stride": stride, "padding": padding, "rounding": rounding}
        ours, ours_places = pool.max_pool_with_indices(x, window, **options)
        np.testing.assert_array_equal(pool.max_pool(x, window, **options), from_torch(theirs))
        np.testing.assert_array_equal(ours, from_torch(theirs))
        np.testing.assert_array_equal(ours_places, from_torch(places))


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize("count_padding", [True, False])
def test_average_is_torchs(rounding, count_padding):
    for size, window, stride, padding in GRID:
        x = images(size)
        theirs = functional.avg_pool2d(
            to_torch(x), window, stride, padding, ceil_mode=rounding == "ceil", count_include_pad=count_padding
        )
        ours = pool.average_pool(x, window, stride=stride, padding=padding, rounding=rounding, count_padding=count_padding)
        np.testing.assert_allclose(ours, from_torch(theirs), rtol=1e-5, atol=1e-6)


def test_windows_that_are_not_square():
    x = images(7)
    ours = pool.max_pool(x, (3, 2), stride=(2, 1), padding=(1, 0))
    np.testing.assert_array_equal(ours, from_torch(functional.max_pool2d(to_torch(x), (3, 2), (2, 1), (1, 0))))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 7), (9, 4)])
def test_adaptive_average_is_torchs(size):
    x = images(7)
    theirs = functional.adaptive_avg_pool2d(to_torch(x), size)
    np.testing.assert_allclose(pool.adaptive_average_pool(x, size), from_torch(theirs), rtol=1e-5, atol=1e-6)


def test_global_pools_are_plain_reductions():
    x = images(5)
    np.testing.assert_allclose(pool.global_average_pool(x), x.astype(np.float64).mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(pool.global_max_pool(x), x.max((1, 2)))


@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 2)])
def test_unpooling_by_indices_is_torchs(window, stride):
    x = images(7)
    values, places = pool.max_pool_with_indices(x, window, stride=stride)
    theirs = functional.max_unpool2d(
        to_torch(values), to_torch(places).long(), window, stride, output_size=(x.shape[1], x.shape[2])
    )
    np.testing.assert_array_equal(pool.unpool_by_indices(values, places, x.shape[1:3]), from_torch(theirs))


def test_pooling_again_what_was_unpooled_changes_nothing():
    x = jnp.abs(images(6))
    values, places = pool.max_pool_with_indices(x, 2)
    np.testing.assert_array_equal(pool.max_pool(pool.unpool_by_indices(values, places, x.shape[1:3]), 2), values)


def test_nearest_and_bed_of_nails():
    x = images(3)
    np.testing.assert_array_equal(pool.unpool_nearest(x, (2, 3)), np.kron(x, np.ones((1, 2, 3, 1), np.float32)))
    nails = np.zeros((2, 6, 12, 2), np.float32)
    nails[:, ::2, ::3] = x
    np.testing.assert_array_equal(pool.unpool_bed_of_nails(x, (2, 3)), nails)


def test_gradients():
    x = images(5, channels=1)
    check_grads(lambda x: pool.max_pool(x, 3, stride=2, padding=1), (x,), 1, modes=["rev"], rtol=1e-2, eps=1e-4)
    check_grads(lambda x: pool.average_pool(x, 3, stride=2, rounding="ceil"), (x,), 1, modes=["rev"], rtol=1e-2)
    with_indices = jax.grad(lambda x: jnp.sum(pool.max_pool_with_indices(x, 2)[0] ** 2))(x)
    plain = jax.grad(lambda x: jnp.sum(pool.max_pool(x, 2) ** 2))(x)
    np.testing.assert_allclose(with_indices, plain, rtol=1e-6)


def test_bfloat16_averages_are_summed_in_float32():
    x = jnp.full((1, 32, 32, 1), 1.01, jnp.bfloat16)
    y = pool.average_pool(x, 32)
    assert y.dtype == jnp.bfloat16
    assert float(y[0, 0, 0, 0]) == float(jnp.bfloat16(1.01))


def test_impossible_pools_are_refused():
    with pytest.raises(UserError, match=r"\(2 - 3 \+ 0 \+ 0\)/3 \+ 1"):
        pool.max_pool(jnp.zeros((1, 2, 2, 1)), 3)
    with pytest.raises(UserError, match="floating images"):
        pool.average_pool(jnp.zeros((2, 2, 1)), 2)
    with pytest.raises(UserError, match="same pooling"):
        pool.unpool_by_indices(jnp.zeros((1, 2, 2, 1)), jnp.zeros((1, 1, 1, 1), jnp.int32), (4, 4))
