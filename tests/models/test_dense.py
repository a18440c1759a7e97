"""Encoders, decoders and heads of class maps, boxes and joints."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.dense.decoder import Decoder, enlarged, fitted
from seqnets.models.dense.encoder import FeatureEncoder
from seqnets.models.dense.localizer import Localizer, LocalizerConfig, corners, peaks, shares
from seqnets.models.dense.localizer import from_description as localizer_of
from seqnets.models.dense.plans import PLANS
from seqnets.models.dense.segmenter import Segmenter, SegmenterConfig
from seqnets.models.dense.segmenter import from_description as segmenter_of
from seqnets.models.growth import grown
from seqnets.models.registry import create_model
from seqnets.nn.initializers import bilinear_kernel
from seqnets.ops.conv import conv_transpose2d

RULE = Preprocessing(resize=(20, 24), crop=None)
MAPS = [("fine", (9, 12, 2)), ("middle", (5, 6, 3)), ("coarse", (2, 3, 4))]


def features(seed=0):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.normal(size=(1, *shape)), jnp.float32) for name, shape in MAPS}


@pytest.mark.parametrize(
    ("name", "up"),
    [*((name, plan.up) for name, plan in PLANS.items() if name != "fcn16s"), *(("unet", up) for up in ("nearest", "unpool"))],
)
def test_every_decoder_fills_the_picture_whatever_the_sizes(name, up):
    plan = replace(PLANS[name], up=up)
    graphdef, state = nnx.split(nnx.eval_shape(lambda: Decoder(MAPS, plan, 5, (18, 23), rngs=nnx.Rngs(0))))
    found = jax.eval_shape(lambda state: nnx.merge(graphdef, state)(features(), train=True), state)
    assert (found.shape, found.dtype) == ((1, 18, 23, 5), jnp.float32)


def test_an_fcn_refuses_the_places_of_a_pooling():
    with pytest.raises(UserError, match=r"give another --model\.up"):
        Decoder(MAPS, replace(PLANS["fcn8s"], up="unpool"), 5, (18, 23), rngs=nnx.Rngs(0))


@pytest.mark.parametrize("stride", [2, 3])
def test_a_transposed_convolution_begins_as_bilinear_enlargement(stride):
    torch = pytest.importorskip("torch")
    x = features()["middle"]
    side = 2 * stride - stride % 2
    kernel = bilinear_kernel(jax.random.key(0), (side, side, 1, 3))
    found = conv_transpose2d(x, kernel, stride=stride, padding=stride // 2, groups=3)
    image = torch.tensor(np.asarray(x)).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(image, scale_factor=stride, mode="bilinear").permute(0, 2, 3, 1).numpy()
    inside = slice(stride, -stride)
    np.testing.assert_allclose(found[:, inside, inside], expected[:, inside, inside], atol=1e-5)


def test_an_fcn_adds_enlarged_scores():
    decoder = Decoder(MAPS, replace(PLANS["fcn8s"], deepens=False), 2, (18, 24), rngs=nnx.Rngs(0))
    rng = np.random.default_rng(1)
    for layer in (decoder.score, *(step.side for step in decoder.steps)):
        layer.kernel.set_value(jnp.asarray(rng.normal(size=layer.kernel.shape), jnp.float32))
    given = features()
    x = decoder.score(given["coarse"])
    for step in decoder.steps:
        x = fitted(step.transposed(x), step.size) + step.side(given[step.name])
    np.testing.assert_allclose(decoder(given), fitted(decoder.enlarge(x), (18, 24)), atol=1e-5)


def test_unpooling_puts_values_where_the_encoder_had_its_largest():
    finer = jnp.asarray(np.random.default_rng(0).permutation(24).reshape(1, 4, 6, 1), jnp.float32)
    found = np.asarray(enlarged(jnp.ones((1, 2, 3, 1)), finer, "unpool", (2, 2)))[0, :, :, 0]
    blocks, values = (array.reshape(2, 2, 3, 2) for array in (found, np.asarray(finer)[0, :, :, 0]))
    np.testing.assert_array_equal(blocks == 1, values == values.max((1, 3), keepdims=True))


@pytest.mark.parametrize(("network", "count"), [("squeezenet1_1", 4), ("resnet20", 3), ("vgg11", 5)])
def test_an_encoder_keeps_the_last_map_of_every_resolution(network, count):
    encoder = nnx.eval_shape(lambda: FeatureEncoder(create_model(network, in_channels=3), (64, 96)))
    assert len(encoder.feature_maps) == count
    heights = [shape[0] for _, shape in encoder.feature_maps]
    assert heights == sorted(set(heights), reverse=True)
    assert not {"logits", "pool", "maps"} & set(encoder.stage_names)


def test_pictures_that_are_too_small_are_refused():
    with pytest.raises(UserError, match="has no map for pictures of 1 x 1"):
        Segmenter(SegmenterConfig(width=2), ("a", "b"), Preprocessing(resize=(1, 1), crop=None), rngs=nnx.Rngs(0))


@pytest.mark.parametrize("model", [
    Segmenter(SegmenterConfig(width=2, decoder="fcn8s"), ("a", "b"), RULE, rngs=nnx.Rngs(0)),
    Localizer(LocalizerConfig(width=2, hidden_features=0, box_per_class=True), ("a", "b"), RULE, rngs=nnx.Rngs(0)),
    Localizer(LocalizerConfig(width=2, head="heatmaps"), ("a", "b"), RULE, rngs=nnx.Rngs(0)),
], ids=["segmenter", "boxes", "heatmaps"])  # fmt: skip
def test_a_description_makes_the_same_model(model):
    make = segmenter_of if isinstance(model, Segmenter) else localizer_of
    twin = nnx.eval_shape(lambda: make(model.describe()))
    assert jax.tree.map(jnp.shape, nnx.state(twin)) == jax.tree.map(jnp.shape, nnx.state(model))
    assert (twin.labels, twin.preprocessing, twin.config) == (model.labels, model.preprocessing, model.config)


def test_classes_that_a_segmenter_knows_keep_their_scores():
    model = Segmenter(SegmenterConfig(width=2, decoder="fcn16s"), ("road", "car"), RULE, rngs=nnx.Rngs(0))
    model.decoder.score.kernel.set_value(jax.random.normal(jax.random.key(0), model.decoder.score.kernel.shape))
    larger = grown(model, labels=("car", "tree", "road"), rngs=nnx.Rngs(1))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 20, 24, 3)), jnp.float32)
    np.testing.assert_allclose(larger(x)[..., [2, 0]], model(x), atol=1e-5)


def test_the_peak_of_a_bump_is_found_between_cells():
    rows, columns = jnp.meshgrid(jnp.arange(12.0), jnp.arange(10.0), indexing="ij")
    bump = jnp.exp(-((columns - 6.3) ** 2 + (rows - 4.8) ** 2) / 2)[None, :, :, None]
    x, y, heat = peaks(bump)[0, 0]
    assert (float(10 * x - 0.5), float(12 * y - 0.5)) == (pytest.approx(6.3, abs=0.05), pytest.approx(4.8, abs=0.05))
    assert 0.9 < heat <= 1


def test_shares_and_corners_are_inverse():
    boxes = jnp.array([[1.0, 2.0, 7.0, 9.0], [0.0, 0.0, 24.0, 20.0]])
    np.testing.assert_allclose(corners(shares(boxes, (20, 24)), (20, 24)), boxes, atol=1e-5)
    np.testing.assert_allclose(shares(boxes, (20, 24))[1], [0.5, 0.5, 1, 1], atol=1e-6)
