import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.errors import UserError
from seqnets.models.cnn.fractalnet import Fractal, _shares
from seqnets.models.cnn.lenet import lenet
from seqnets.models.cnn.residual import PadFeatures
from seqnets.models.cnn.sliding import sliding
from seqnets.nn.batch_norm import BatchNorm
from seqnets.nn.chain import Chain, apply
from seqnets.nn.conv import Conv, ConvTranspose, LocallyConnected
from seqnets.nn.convert import conv_to_dense, dense_to_conv, slide
from seqnets.nn.dense import Dense
from seqnets.nn.pool import AdaptiveAveragePool, GlobalAveragePool
from seqnets.nn.stochastic_depth import Dropout, StochasticDepth
from seqnets.ops.local_response import local_response_norm


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_batch_norm_is_torchs_in_training_and_inference():
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.BatchNorm2d(3), BatchNorm(3, rngs=nnx.Rngs(0))
    for seed in range(3):
        x = 2 * normal(4, 5, 6, 3, seed=seed) + 1
        expected = theirs(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).detach()
        np.testing.assert_allclose(ours(x, train=True), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.mean[...], theirs.running_mean, rtol=1e-5)
    np.testing.assert_allclose(ours.var[...], theirs.running_var, rtol=1e-5)
    expected = theirs.eval()(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).detach()
    np.testing.assert_allclose(ours(x), expected, rtol=1e-4, atol=1e-5)


def test_a_frozen_batch_norm_keeps_its_statistics():
    norm = BatchNorm(2, rngs=nnx.Rngs(0))
    norm.frozen = True
    x = 3 * normal(4, 2, 2, 2) + 1
    np.testing.assert_array_equal(norm(x, train=True), norm(x))
    np.testing.assert_array_equal(norm.mean[...], [0, 0])


def test_batch_norm_measures_in_float32():
    x = (100 + normal(64, 8, 8, 1)).astype(jnp.bfloat16)
    norm = BatchNorm(1, rngs=nnx.Rngs(0))
    y = norm(x, train=True)
    assert y.dtype == jnp.bfloat16
    wide = np.asarray(x, np.float64)
    np.testing.assert_allclose(y.astype(np.float32), (wide - wide.mean()) / np.sqrt(wide.var() + 1e-5), rtol=0.01, atol=0.01)


def test_local_response_norm_is_torchs():
    torch = pytest.importorskip("torch")
    x = 5 * normal(2, 3, 3, 8)
    for size in (3, 4, 5):
        theirs = torch.nn.functional.local_response_norm(torch.tensor(x).permute(0, 3, 1, 2), size, 0.5, 0.75, 2.0)
        ours = local_response_norm(x, size, alpha=0.5, beta=0.75, offset=2.0)
        np.testing.assert_allclose(ours, theirs.permute(0, 2, 3, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conv(3, 4, 3, use_bias=False, rngs=nnx.Rngs(0)),
        lambda: ConvTranspose(3, 4, 3, use_bias=False, rngs=nnx.Rngs(0)),
        lambda: LocallyConnected(3, 4, 3, image_size=8, use_bias=False, rngs=nnx.Rngs(0)),
        lambda: Dense(3, 4, use_bias=False, rngs=nnx.Rngs(0)),
    ],
    ids=["conv", "transposed", "local", "dense"],
)
def test_bias_can_be_left_out(make):
    layer = make()
    assert layer.bias is None
    assert not jnp.any(layer(jnp.zeros((1, 8, 8, 3))))


def test_he_initialization_keeps_the_variance_through_relu():
    x = normal(8, 16, 16, 64)
    for seed in range(3):
        x = jax.nn.relu(Conv(64, 64, 3, padding="SAME", rngs=nnx.Rngs(seed))(x))
    assert 0.2 < float(jnp.mean(x**2)) < 5


def test_chain_gives_each_layer_its_own_key():
    chain = Chain([Dropout(0.5), Dropout(0.5)])
    y = chain(jnp.ones(4000), key=jax.random.key(0))
    assert set(np.unique(y)) == {0.0, 4.0}
    assert 0.2 < np.mean(y > 0) < 0.3


def test_stochastic_depth_keeps_the_mean_and_drops_whole_images():
    x = jnp.ones((2000, 2, 2, 1))
    y = StochasticDepth(0.25)(x, key=jax.random.key(0))
    assert abs(float(y.mean()) - 1) < 0.05
    assert abs(float((y[:, 0, 0, 0] == 0).mean()) - 0.25) < 0.05
    assert StochasticDepth(0.25)(x) is x


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2.0])
@pytest.mark.parametrize("layer", [Dropout, StochasticDepth])
def test_rates_are_checked(layer, rate):
    with pytest.raises(UserError, match="rate"):
        layer(rate)


def test_the_padded_shortcut_is_the_one_of_the_cifar_networks():
    torch = pytest.importorskip("torch")
    x = normal(2, 6, 6, 4)
    theirs = torch.nn.functional.pad(torch.tensor(x).permute(0, 3, 1, 2)[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))
    np.testing.assert_array_equal(PadFeatures(4, 2)(x), theirs.permute(0, 2, 3, 1))


def fractal_paths(x):
    """All columns of a fractal walked by hand, and what it gives itself: everything, only column 2, only column 0."""
    fractal, key = Fractal(2, 4, 3, rngs=nnx.Rngs(0)), jax.random.key(0)
    first, second = fractal.long
    half = (first.short(x) + first.long[1].short(first.long[0].short(x))) / 2
    columns = [fractal.short(x), second.short(half), second.long[1].short(second.long[0].short(half))]
    alone = first.long[1].short(first.long[0].short(x))
    longest = second.long[1].short(second.long[0].short(alone))
    kept = [fractal(x, key=key, column=jnp.array(column)) for column in (2, 0)]
    return {"columns": columns, "longest": longest, "all": fractal(x), "kept": kept}


def test_a_fractal_is_the_mean_of_its_columns_and_global_drop_path_leaves_one():
    paths = jax.jit(fractal_paths)(normal(1, 4, 4, 2))
    np.testing.assert_allclose(paths["all"], sum(paths["columns"]) / 3, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(paths["kept"][0], paths["columns"][0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(paths["kept"][1], paths["longest"], rtol=1e-5, atol=1e-6)


def test_local_drop_path_always_leaves_a_column():
    draw = jax.jit(jax.vmap(lambda key: _shares(key, jnp.array(-1), 3, 0.9)))
    shares = draw(jax.random.split(jax.random.key(0), 500))
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    assert (shares == 1).any(0).all()


def test_dense_and_convolution_are_the_same_map():
    dense = Dense(3 * 2 * 4, 5, rngs=nnx.Rngs(0))
    dense.bias = nnx.Param(jnp.arange(5.0))
    x = normal(2, 3, 2, 4)
    conv = dense_to_conv(dense, (3, 2))
    np.testing.assert_allclose(conv(x)[:, 0, 0], dense(x.reshape(2, -1)), rtol=1e-5, atol=1e-5)
    back = conv_to_dense(conv)
    np.testing.assert_array_equal(back.kernel[...], dense.kernel[...])
    np.testing.assert_array_equal(back.bias[...], dense.bias[...])


def test_conversions_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="not 3 x 3 x a whole number"):
        dense_to_conv(Dense(10, 2, rngs=nnx.Rngs(0)), (3, 3))
    with pytest.raises(UserError, match="padding 1 is not a dense layer"):
        conv_to_dense(Conv(3, 2, 3, padding=1, rngs=nnx.Rngs(0)))
    with pytest.raises(UserError, match="cannot slide"):
        slide(AdaptiveAveragePool(2), jax.ShapeDtypeStruct((1, 5, 5, 1), jnp.float32))


def crops(image, size, stride, rows, columns):
    starts = [(stride * i, stride * j) for i in range(rows) for j in range(columns)]
    return np.concatenate([image[:, top : top + size, left : left + size] for top, left in starts])


def test_a_slid_classifier_scores_every_crop():
    image = normal(1, 40, 44, 1)

    @jax.jit
    def both(image, cut):
        model = lenet(padding=0, rngs=nnx.Rngs(0))
        return sliding(model, (32, 32))(image)["logits"], model(cut)["logits"]

    scores, one_by_one = both(image, crops(image, 32, 4, 3, 4))
    assert scores.shape == (1, 3, 4, 10)
    np.testing.assert_allclose(scores.reshape(12, 10), one_by_one, rtol=1e-4, atol=1e-5)


def test_a_slid_average_scores_every_window():
    image = normal(1, 8, 7, 3)

    @jax.jit
    def both(image, cut):
        chain = Chain([Conv(3, 4, 3, rngs=nnx.Rngs(0)), GlobalAveragePool(), Dense(4, 5, rngs=nnx.Rngs(1))])
        wide, _ = slide(chain, jax.ShapeDtypeStruct((1, 6, 6, 3), jnp.float32))
        return apply(wide, image), chain(cut)

    scores, one_by_one = both(image, crops(image, 6, 1, 3, 2))
    np.testing.assert_allclose(scores.reshape(6, 5), one_by_one, rtol=1e-4, atol=1e-5)
