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


@pytest.mark.parametrize(("size", "window", "stride", "padding"), GRID)
def test_of_equal_values_the_first_gets_the_gradient_as_torchs(size, window, stride, padding):
    x = np.floor(images(size)).astype(np.float32)  # a few whole numbers: most windows hold their largest twice
    leaf = to_torch(x).requires_grad_()
    pooled = functional.max_pool2d(leaf, window, stride, padding)
    weights = np.random.default_rng(1).normal(size=pooled.shape).astype(np.float32)
    (pooled * torch.tensor(weights)).sum().backward()
    ours = jax.grad(lambda x: jnp.sum(pool.max_pool(x, window, stride=stride, padding=padding) * weights.transpose(0, 2, 3, 1)))(
        x
    )
    np.testing.assert_allclose(ours, from_torch(leaf.grad), rtol=1e-6, atol=1e-6)


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


@pytest.mark.parametrize("low", [-np.inf, -1.0])
def test_a_window_of_nothing_but_the_lowest_points_into_the_image_as_torchs(low):
    x = np.full((1, 4, 5, 2), -np.inf, np.float32)
    x[0, 2:, 2:, 1] = low
    for window, stride, padding in [(3, 2, 1), (2, 2, 1), (3, 3, (1, 0))]:
        theirs, places = functional.max_pool2d(to_torch(x), window, stride, padding, return_indices=True)
        values, ours = pool.max_pool_with_indices(x, window, stride=stride, padding=padding)
        np.testing.assert_array_equal(values, from_torch(theirs))
        np.testing.assert_array_equal(ours, from_torch(places))
        pool.unpool_by_indices(values, ours, (4, 5))


def test_nan_wins_and_is_found():
    x = images(5)
    x[0, 1, 1, 0] = np.nan
    theirs, places = functional.max_pool2d(to_torch(x), 3, 2, 1, return_indices=True)
    values, ours = pool.max_pool_with_indices(x, 3, stride=2, padding=1)
    np.testing.assert_array_equal(values, from_torch(theirs))
    np.testing.assert_array_equal(ours, from_torch(places))


@pytest.mark.parametrize(("shape", "window", "stride", "padding"), [
    ((1, 2, 6, 1), (4, 1), None, 0), ((2, 2, 6, 2), (4, 3), (3, 2), 0), ((2, 3, 3, 1), 4, 4, 0),
    ((1, 1, 5, 1), (5, 2), 3, (1, 1)),
])  # fmt: skip
def test_ceil_lets_a_window_be_larger_than_the_image_as_torch_does(shape, window, stride, padding):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    options = {"stride": stride, "padding": padding, "rounding": "ceil"}
    theirs, places = functional.max_pool2d(to_torch(x), window, stride, padding, ceil_mode=True, return_indices=True)
    np.testing.assert_array_equal(pool.max_pool(x, window, **options), from_torch(theirs))
    values, ours = pool.max_pool_with_indices(x, window, **options)
    np.testing.assert_array_equal(values, from_torch(theirs))
    np.testing.assert_array_equal(ours, from_torch(places))
    for counted in (True, False):
        mean = functional.avg_pool2d(to_torch(x), window, stride, padding, ceil_mode=True, count_include_pad=counted)
        found = pool.average_pool(x, window, **options, count_padding=counted)
        np.testing.assert_allclose(found, from_torch(mean), rtol=1e-5, atol=1e-6)


POOLS = [pool.max_pool, pool.max_pool_with_indices, pool.average_pool]


@pytest.mark.parametrize("function", POOLS)
@pytest.mark.parametrize(("options", "message"), [
    ({"window": 2, "stride": 0}, "stride must be at least 1, not 0"),
    ({"window": 2, "stride": 0, "padding": "SAME"}, "stride must be at least 1, not 0"),
    ({"window": (0, 2)}, "window must be at least 1, not 0"),
    ({"window": 2, "stride": -1}, "stride must be at least 1, not -1"),
    ({"window": 2, "padding": 2}, "padding 2 is too large: a window of 2 rows would see only padding; give less than 2"),
    ({"window": (3, 1), "padding": (1, 1)}, r"padding \(1, 1\) is too large: a window of 1 columns"),
    ({"window": 2.5}, r"give a whole number, or two of them for \(height, width\), not 2.5"),
    ({"window": (2, 2, 2)}, r"give a whole number, or two"),
    ({"window": 4, "stride": 1, "rounding": "ceil"}, "a window of 4 does not fit into 3"),
])  # fmt: skip
def test_windows_without_a_meaning_are_refused(function, options, message):
    with pytest.raises(UserError, match=message):
        function(jnp.ones((1, 3, 3, 1)), **options)


def test_whole_numbers_of_numpy_are_numbers():
    x = images(6)
    np.testing.assert_array_equal(pool.max_pool(x, np.int64(2)), pool.max_pool(x, 2))


@pytest.mark.parametrize(("place", "size"), [(9, (3, 3)), (-1, (3, 3)), (8, (2, 4)), (0, (0, 2))])
def test_unpooling_refuses_to_lose_a_value(place, size):
    with pytest.raises(UserError, match=r"lies outside an image|size must be at least 1"):
        pool.unpool_by_indices(jnp.ones((1, 1, 1, 1)), jnp.full((1, 1, 1, 1), place), size)


def test_sizes_and_factors_below_one_are_refused():
    for call in (
        lambda x: pool.unpool_nearest(x, 0),
        lambda x: pool.unpool_bed_of_nails(x, (1, 0)),
        lambda x: pool.adaptive_average_pool(x, 0),
    ):
        with pytest.raises(UserError, match="must be at least 1, not 0"):
            call(jnp.ones((1, 2, 2, 1)))
