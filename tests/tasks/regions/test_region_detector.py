"""Detectors of two stages: samples, proposals, levels of a pyramid, losses and no NaN."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.reading import draw_scenes
from seqnets.errors import UserError
from seqnets.models.detector.anchors import anchor_boxes
from seqnets.models.detector.config import DetectorConfig
from seqnets.models.detector.pooling import pooled
from seqnets.models.detector.pyramid import Pyramid
from seqnets.models.detector.region_detector import RegionDetector, from_description
from seqnets.models.growth import grown
from seqnets.ops.regions import region_align
from seqnets.tasks.detector import DetectionLossConfig
from seqnets.tasks.detector.region_losses import region_losses, sample
from seqnets.tasks.region_task import region_rule

SMALL = RegionConfig(height=32)
BATCH = {
    "boxes": jnp.array([[[2.0, 3.0, 14.0, 15.0], [16.0, 10.0, 30.0, 31.0], [0, 0, 0, 0]], [[0, 0, 0, 0]] * 3]),
    "labels": jnp.array([[1, 3, -1], [-1, -1, -1]]),
}


@pytest.fixture(scope="module")
def scenes():
    return draw_scenes(8)


def detector(scenes, **shape):
    shape = {"width": 2, "head_features": 4, "grid": 3, "hidden_features": 8, "proposed": 8, "keep": 6, **shape}
    config = DetectorConfig(method="regions", **shape)
    return RegionDetector(config, scenes.classes, region_rule(SMALL, scenes), rngs=nnx.Rngs(0))


def test_anchors_are_torchvisions(shared_data):
    golden = np.load(shared_data / "detection_ops" / "golden.npz")["anchors"]
    many, one = anchor_boxes([(8, 12)], [[32, 64]], [0.5, 1, 2], (64, 96)), anchor_boxes([(4, 6)], [[128]], [1], (64, 96))
    np.testing.assert_array_equal(np.concatenate([many, one]), golden)


@pytest.mark.parametrize(("share", "expected"), [(0.0, (0, 6)), (0.5, (3, 3)), (1.0, (5, 1))])
def test_a_sample_has_at_most_its_share_of_positives_which_come_first(share, expected):
    positive = jnp.array([[False] * 7 + [True] * 5 + [False] * 3])
    negative = jnp.array([[True] * 7 + [False] * 8])
    counts = np.zeros(15)
    for seed in range(30):
        rows, there = (np.asarray(array[0]) for array in sample(jax.random.key(seed), positive, negative, 6, share))
        assert there.all()
        assert len(set(rows)) == 6
        is_positive = np.asarray(positive[0])[rows]
        assert (is_positive.sum(), (~is_positive).sum()) == expected
        assert (np.diff(is_positive.astype(int)) <= 0).all()
        counts[rows] += 1
    assert (counts[12:] == 0).all()
    drawn = counts[:7] if share < 1 else counts[7:12]
    assert drawn.min() > 0


def test_what_is_neither_and_padding_is_never_sampled():
    rows, there = sample(jax.random.key(0), jnp.array([[False, True, False]]), jnp.array([[True, False, False]]), 9, 0.5)
    assert there.tolist() == [[True, True, False]]
    assert sorted(rows[0, :2].tolist()) == [0, 1]


@pytest.mark.parametrize("pooling", ["align", "max", "spp", "position-sensitive"])
def test_losses_and_gradients_are_finite_also_without_things(scenes, pooling):
    model = detector(scenes, pooling=pooling, box_per_class=pooling != "position-sensitive")
    graphdef, state = nnx.split(model)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 32, 32, 3)), jnp.float32)

    @jax.jit
    @jax.value_and_grad
    def total(state, labels):
        model = nnx.merge(graphdef, state)
        config = DetectionLossConfig(anchor_samples=16, region_samples=8, proposals=8)
        losses = region_losses(model, model(x, train=True), {**BATCH, "labels": labels}, config, jax.random.key(0))
        assert sorted(losses) == ["anchors", "classes", "objectness", "offsets"]
        return sum(losses.values())

    for labels in (BATCH["labels"], jnp.full_like(BATCH["labels"], -1)):
        value, gradient = total(state, labels)
        assert value > 0
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_given_proposals_need_no_anchors(scenes):
    model = detector(scenes, proposals="given")
    output = model(jnp.zeros((2, 32, 32, 3)))
    assert sorted(output) == ["maps"]
    proposals = jnp.concatenate([BATCH["boxes"] + 1, jnp.zeros((2, 4, 4))], 1)
    batch = {**BATCH, "proposals": proposals}
    losses = region_losses(model, output, batch, DetectionLossConfig(), jax.random.key(0))
    assert sorted(losses) == ["classes", "offsets"]


def test_a_description_makes_the_same_model_and_classes_that_it_knows_stay(scenes):
    model = detector(scenes)
    twin = nnx.eval_shape(lambda: from_description(model.describe()))
    assert jax.tree.map(jnp.shape, nnx.state(twin)) == jax.tree.map(jnp.shape, nnx.state(model))
    larger = grown(model, labels=("dog", *reversed(scenes.classes)), rngs=nnx.Rngs(1))
    output = model(jnp.ones((1, 32, 32, 3)))
    old, new = (one.regions(output, BATCH["boxes"][:1]) for one in (model, larger))
    np.testing.assert_allclose(new["logits"][..., [0, 5, 4, 3, 2]], old["logits"], atol=1e-5)
    np.testing.assert_allclose(new["offsets"][:, :, [4, 3, 2, 1]], old["offsets"], atol=1e-5)
    with pytest.raises(UserError, match=r"sides must be above 0"):
        DetectorConfig(sides=())


def test_a_pyramid_is_torchs(scenes):
    torch = pytest.importorskip("torch")
    pyramid, rng = Pyramid([(7, 8, 2), (4, 4, 3), (2, 2, 5)], 4, rngs=nnx.Rngs(0)), np.random.default_rng(0)
    maps = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in ((7, 8, 2), (4, 4, 3), (2, 2, 5))]

    def convolved(layer, x):
        kernel, bias = (torch.tensor(np.asarray(leaf[...])) for leaf in (layer.kernel, layer.bias))
        return torch.nn.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=kernel.shape[0] // 2)

    above, expected = None, []
    for level in (2, 1, 0):
        x = convolved(pyramid.sides[level], torch.tensor(maps[level]).permute(0, 3, 1, 2))
        if above is not None:
            x = x + above.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, : x.shape[2], : x.shape[3]]
        above, expected = x, [convolved(pyramid.levels[level], x), *expected]
    for found, wanted in zip(pyramid([jnp.asarray(one) for one in maps]), expected):
        np.testing.assert_allclose(found, wanted.detach().permute(0, 2, 3, 1), atol=1e-5)


def test_regions_are_pooled_from_their_own_level():
    maps = [jnp.full((1, 16, 16, 1), 1.0), jnp.full((1, 8, 8, 1), 2.0)]
    boxes = jnp.array([[[0.0, 0.0, 20.0, 20.0], [0.0, 0.0, 60.0, 60.0], [0.0, 0.0, 0.0, 0.0]]])
    found = pooled(partial(region_align, size=2), maps, boxes, [1 / 4, 1 / 8], 7.0)
    assert found[0, :, 0, 0, 0].tolist() == [1.0, 2.0, 1.0]


def test_settings_that_do_not_fit_are_named(scenes):
    with pytest.raises(UserError, match="has 3 anchors, but the pyramid has 2 levels"):
        detector(scenes, pyramid=4, sides=(0.1, 0.2, 0.3))
    with pytest.raises(UserError, match="leave model"):
        DetectorConfig(pyramid=4, pooling="position-sensitive")
