"""What looking at pictures finds: gradients, hidden windows, patches, neighbors, cut-outs, against plain loops."""

import numpy as np
import pytest
from flax import nnx
from PIL import Image
from scipy.special import softmax

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.inspect import (
    Unit,
    activations,
    filters,
    grad_cam,
    nearest_neighbors,
    occlusion,
    receptive_field,
    saliency,
    segmentation,
    strongest_patches,
)
from seqnets.inspect.patches import box_of
from seqnets.models import create_model

RULE = Preprocessing(resize=None, crop=(15, 15), channels="bgr", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
RNG = np.random.default_rng(1)
PICTURES = RNG.integers(0, 256, (3, 15, 15, 3), np.uint8)


@pytest.fixture(scope="module")
def model():
    network = create_model("squeezenet1_1", classes=4, stages=[[(2, 4)]], rngs=nnx.Rngs(1))
    network.preprocessing, network.labels = RULE, ("cat", "dog", "hen", "pig")
    return network


def logits(model, x):
    return np.asarray(model(x)["logits"], np.float64)


def test_the_gradient_is_that_of_finite_differences(model):
    found = saliency(model, PICTURES[:1], "hen")
    x = RULE(PICTURES[0])[None]
    assert found.score == pytest.approx(logits(model, x)[:, 2], rel=1e-5)
    direction = RNG.standard_normal(x.shape).astype(np.float32)
    ahead, behind = (logits(model, x + step * direction)[0, 2] for step in (1e-2, -1e-2))
    assert (found.gradient * direction).sum() == pytest.approx((ahead - behind) / 2e-2, rel=0.02, abs=1e-4)
    np.testing.assert_array_equal(found.map, np.abs(found.gradient).max(-1))
    np.testing.assert_array_equal(found.pictures, PICTURES[:1])


def test_without_a_target_each_picture_gets_its_likeliest_class_and_noise_needs_its_seed(model):
    found = saliency(model, PICTURES, samples=2, seed=3)
    assert found.index.tolist() == logits(model, np.stack([RULE(picture) for picture in PICTURES])).argmax(-1).tolist()
    again, other = saliency(model, PICTURES, samples=2, seed=3), saliency(model, PICTURES, samples=2, seed=4)
    np.testing.assert_array_equal(found.gradient, again.gradient)
    assert np.abs(found.gradient - other.gradient).max() > 0


@pytest.mark.parametrize("score", ["probability", "logit"])
def test_occlusion_is_a_loop_over_windows(model, score):
    found = occlusion(model, PICTURES[:2], "dog", window=(6, 5), stride=7, filling="gray", score=score)
    assert (found.rows.tolist(), found.columns.tolist()) == ([0, 7, 9], [0, 7, 10])
    for number, picture in enumerate(PICTURES[:2]):
        for i, top in enumerate(found.rows):
            for j, left in enumerate(found.columns):
                x = RULE(picture)
                x[top : top + 6, left : left + 5] = RULE.normalize(np.full((6, 5, 3), 127.5))
                expected = logits(model, x[None])[0]
                expected = softmax(expected) if score == "probability" else expected
                assert found.grid[number, i, j] == pytest.approx(expected[1], rel=1e-4, abs=1e-6)
    falls = found.without[:, None, None] - found.grid
    np.testing.assert_allclose(found.map[:, 14, 0], falls[:, 2, 0], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found.map[:, 10, 0], falls[:, 1:, 0].mean(1), rtol=1e-4, atol=1e-7)


def test_grad_cam_is_the_weighted_sum_of_the_maps(model):
    found = grad_cam(model, PICTURES[:1], "pig", layer="maps.1")  # the convolution whose outputs are averaged after a ReLU
    maps = activations(model, PICTURES[:1], "maps.1")[0]
    weight = (maps[..., 3] > 0).mean() / maps[..., 3].size
    np.testing.assert_allclose(found.map.max(), max(weight * maps[..., 3].max(), 0), rtol=1e-4, atol=1e-7)
    with pytest.raises(UserError, match="'logits' has no map"):
        grad_cam(model, PICTURES[:1], layer="logits")


def test_patches_are_where_gradients_of_their_units_come_from(model):
    found = strongest_patches(model, PICTURES, "stage1.1", [0, 3], top=2, batch_size=2)
    maps = activations(model, PICTURES, "stage1.1")
    for channel, patches in found.items():
        best = maps[..., channel].reshape(3, -1).max(1)
        assert [patch.picture for patch in patches] == np.argsort(-best, kind="stable")[:2].tolist()
        for patch in patches:
            top, left, bottom, right = patch.box
            np.testing.assert_array_equal(patch.pixels, PICTURES[patch.picture][top:bottom, left:right])
            seen = np.argwhere(saliency(model, [PICTURES[patch.picture]], Unit("stage1.1", channel, patch.place)).map[0])
            if len(seen):
                assert (seen.min(0) >= (top, left)).all()
                assert (seen.max(0) < (bottom, right)).all()


def test_a_receptive_field_begins_where_the_arithmetic_says():
    network = create_model("resnet18", depths=(1,), features=2)
    sight = receptive_field(network, "stem", 32, 32)  # 7 x 7 by 2 with padding 3, then 3 x 3 by 2 with padding 1
    assert (sight.field, sight.jump, sight.start) == ((11, 11), (4, 4), (-5, -5))
    assert receptive_field(network, "stage1", 32, 32).start == (-13, -13)
    assert box_of(receptive_field(network, "logits", 32, 32), (0, 0), 32, 32) == (0, 0, 32, 32)


def test_filters_are_red_green_blue_whatever_the_network_takes(model):
    path, kernel = filters(model)
    np.testing.assert_array_equal(kernel, model.stem[0].kernel[...][:, :, ::-1])
    assert (path, kernel.shape) == ("stem.0", (3, 3, 3, 64))
    assert filters(model, "stage1")[0] == "stage1.1.expand1x1"  # the first by name
    with pytest.raises(UserError, match="holds no convolution"):
        filters(model, "logits")


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_neighbors_are_those_of_brute_force(metric):
    features, queries = RNG.standard_normal((30, 4, 6)), RNG.standard_normal((5, 6))
    rows = features.mean(1)
    if metric == "cosine":
        distances = 1 - queries @ rows.T / np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(rows, axis=1))
    else:
        distances = np.linalg.norm(queries[:, None] - rows, axis=-1)
    found = nearest_neighbors(features, queries, top=4, metric=metric)
    np.testing.assert_array_equal(found.rows, distances.argsort(1)[:, :4])
    np.testing.assert_allclose(found.distances, np.sort(distances, 1)[:, :4], rtol=1e-9)
    assert (nearest_neighbors(features, top=29).rows != np.arange(30)[:, None]).all()


def test_a_bright_disc_is_cut_out():
    row, column = np.mgrid[:60, :60]
    disc = (row - 20) ** 2 + (column - 30) ** 2 < 100
    noise = RNG.uniform(0, 0.2, (60, 60))
    found = segmentation(np.zeros((60, 60, 3), np.uint8), disc + noise, grow=0.915)
    assert (found.mask & disc).sum() / (found.mask | disc).sum() > 0.9
    with pytest.raises(UserError, match="rise from 0 to 1"):
        segmentation(np.zeros((60, 60, 3), np.uint8), noise, background=0.9)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda m: saliency(m, PICTURES, "dgo"), "no class 'dgo'; did you mean 'dog'"),
        (lambda m: saliency(m, PICTURES, 4), "numbered from 0 to 3"),
        (lambda m: saliency(m, PICTURES, Unit("stage1", 99)), "no channel 99; its channels are numbered from 0 to 7"),
        (lambda m: saliency(m, PICTURES, Unit("stage1", 0, (9, 9))), r"no unit at \(9, 9\); its map is 3 x 3"),
        (lambda m: saliency(m, PICTURES, Unit("stage7", 0)), "no layer 'stage7'; near it are stage1"),
        (lambda m: saliency(m, PICTURES, kind="guide"), "did you mean 'guided'"),
        (lambda m: saliency(m, []), "no picture to look at"),
        (lambda m: saliency(m, [b"GIF"]), "the image"),
        (lambda m: occlusion(m, PICTURES, window=99), "99 x 99 does not fit into a picture of 15 x 15"),
        (lambda m: occlusion(m, PICTURES, filling="pink"), "filling must be mean"),
        (lambda m: strongest_patches(m, PICTURES, "stage1", [8]), "no channel 8"),
        (lambda m: strongest_patches(m, [b"no"], "stage1"), "none of the pictures can be read"),
        (lambda m: nearest_neighbors(np.zeros((3, 2)), top=3), "there are 2 neighbors"),
    ],
)
def test_mistakes_are_one_sentence(model, mistake, said):
    with pytest.raises(UserError, match=said):
        mistake(model)


def test_pictures_of_several_sizes_need_a_rule_that_crops(model):
    model.preprocessing = Preprocessing(**vars(RULE) | {"crop": None})
    try:
        with pytest.raises(UserError, match="15 x 15 and 20 x 15"):
            saliency(model, [PICTURES[0], Image.new("RGB", (15, 20))])
    finally:
        model.preprocessing = RULE
