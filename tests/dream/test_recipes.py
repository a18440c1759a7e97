"""The recipes on the embedded network and textures."""

import numpy as np
import pytest

import seqnets as sn
from seqnets.data.demo.shapes import draw_shapes
from seqnets.data.demo.textures import TEXTURES, draw_texture
from seqnets.dream.images import latent
from seqnets.dream.networks import network
from seqnets.dream.recipes import (
    class_visualization,
    deep_dream,
    difference,
    dream_video,
    facets,
    fooling,
    inversion,
    k_means,
    latent_synthesis,
    probabilities,
    recolored,
    style_transfer,
    texture,
)

RANDOM = network("random")


@pytest.fixture(scope="module")
def shapes():
    return network("shapes")


@pytest.fixture(scope="module")
def drawn():
    return draw_shapes(6, seed=3)


@pytest.mark.slow
def test_a_picture_of_every_class(shapes):
    found = class_visualization(shapes, range(6))
    assert probabilities(shapes, found.pictures).diagonal().min() > 0.9


@pytest.mark.slow
def test_a_picture_is_taken_for_another_class_by_a_change_of_stated_size(shapes, drawn):
    picture = drawn[0][4]
    found = fooling(shapes, picture, 0)
    assert found.stopped
    assert probabilities(shapes, found.pictures)[0, 0] >= 0.9
    assert 0 < np.abs(found.values).max() <= 64
    assert (difference(found.pictures[0], picture).astype(float) - 127.5)[16, 16, 0] == pytest.approx(
        np.clip(10.0 * (float(found.pictures[0, 16, 16, 0]) - float(picture[16, 16, 0])), -127.5, 127.5), abs=1
    )


@pytest.mark.slow
def test_facets_are_of_the_class_and_differ(shapes):
    images, labels = draw_shapes(120, seed=5)
    found = facets(shapes, images[labels == 3], 3, count=3)
    assert (probabilities(shapes, found.pictures).argmax(1) == 3).all()
    apart = [np.abs(found.raw[i] - found.raw[j]).mean() for i in range(3) for j in range(i)]
    assert min(apart) > 4


@pytest.mark.slow
def test_dreams_inversions_and_codes(shapes, drawn):
    picture = drawn[0][0]
    found = deep_dream(shapes, picture, "stage2", octaves=2, steps=4)
    assert found.objective[-1] > found.objective[0]
    frames = list(dream_video(shapes, picture, "stage2", frames=2, steps=2))
    assert [frame.shape for frame in frames] == [(32, 32, 3)] * 2
    back = inversion(shapes, picture, "stem", steps=150)
    assert np.abs(back.raw[0] - picture).mean() < 0.5 * np.abs(picture - picture.mean()).mean() + 15
    codes = latent(lambda z: 127.5 + 100 * np.tanh(1) * (z.reshape(-1, 4, 4, 3).repeat(8, 1).repeat(8, 2)), 48, batch=2)
    made = latent_synthesis(shapes, codes, [1, 2], steps=60)
    assert np.abs(made.values).max() <= 2.5
    assert made.objective[-1].sum() > made.objective[0].sum()


@pytest.mark.parametrize("name", TEXTURES)
def test_textures_are_seeded(name):
    assert (draw_texture(name, 24, 1) == draw_texture(name, 24, 1)).all()
    assert (draw_texture(name, 24, 1) != draw_texture(name, 24, 2)).any()


def test_a_texture_is_made_again():
    found = texture(RANDOM, draw_texture("bricks", 24), steps=20)
    assert found.objective[-1] > found.objective[0] / 2  # both negative


@pytest.mark.slow
def test_styles_are_painted_and_mixed():
    content = draw_shapes(1)[0][0]
    painted = style_transfer(RANDOM, content, [draw_texture("waves", 32), draw_texture("dots", 32)], mix=(0.5, 0.5), steps=5)
    assert painted.objective[-1] > painted.objective[0]
    with pytest.raises(sn.UserError, match="there are 1 styles but 2 shares"):
        style_transfer(RANDOM, content, [draw_texture("waves", 32)], mix=(0.5, 0.5))


def test_colors_are_kept_and_brightness_is_not():
    rng = np.random.default_rng(0)
    content, painted = rng.uniform(0, 255, (4, 4, 3)).astype(np.float32), rng.uniform(0, 255, (1, 4, 4, 3)).astype(np.float32)
    found, shades = recolored(painted, content), np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(found @ shades, painted @ shades, rtol=1e-4)
    np.testing.assert_allclose(found[0, ..., 0] - found[0, ..., 2], content[..., 0] - content[..., 2], atol=1e-3)


def test_k_means_finds_clouds_and_leaves_no_cluster_empty():
    rng = np.random.default_rng(0)
    clouds = np.concatenate([rng.normal(center, 0.1, (5, 2)) for center in (0, 5, 9)])
    found = k_means(clouds, 3)
    assert [len(set(found[k : k + 5])) for k in (0, 5, 10)] == [1, 1, 1]
    assert len(set(k_means(np.zeros((4, 2)), 3))) >= 2


@pytest.mark.parametrize(
    ("name", "said"),
    [("resnet5", "there is no network or run 'resnet5'; did you mean resnet"), ("scenes", "holds a Captioner")],
)
def test_networks_that_are_none(name, said):
    with pytest.raises(sn.UserError, match=said):
        network(name)
