"""Objectives and canvases against loops, and against what torch gave on real photographs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqnets as sn
from seqnets.dream.images import as_bytes, change_of, fourier, octave_sizes, pixels
from seqnets.dream.objectives import (
    channel,
    features_like,
    gram,
    gram_like,
    layer_energy,
    log_probability,
    logit,
    norm,
    total_variation,
    unit,
)
from seqnets.dream.optimize import fit_image, watched

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 4, 5))
PICTURE = rng.uniform(0, 255, (2, 5, 6, 3))
LOGITS = rng.normal(size=(2, 7))


def gram_by_loop(x):
    found = np.zeros((len(x), x.shape[-1], x.shape[-1]))
    for b, i, j in np.ndindex(x.shape[:3]):
        found[b] += np.outer(x[b, i, j], x[b, i, j]) / (x.shape[1] * x.shape[2])
    return found


def variation_by_loop(x, beta):
    found = np.zeros(len(x))
    for b, i, j, c in np.ndindex(len(x), x.shape[1] - 1, x.shape[2] - 1, x.shape[3]):
        found[b] += ((x[b, i, j + 1, c] - x[b, i, j, c]) ** 2 + (x[b, i + 1, j, c] - x[b, i, j, c]) ** 2) ** (beta / 2)
    return found


CASES = {
    "unit in the middle": (unit("a", 3), X[:, 1, 2, 3]),
    "unit": (unit("a", 3, (2, 0)), X[:, 2, 0, 3]),
    "channel": (channel("a", 2), X[..., 2].mean((1, 2))),
    "energy": (layer_energy("a"), (X**2).sum((1, 2, 3)) / 2),
    "logit": (logit(4), LOGITS[:, 4]),
    "logits": (logit([4, 1]), LOGITS[[0, 1], [4, 1]]),
    "log p": (log_probability(4), LOGITS[:, 4] - np.log(np.exp(LOGITS).sum(1))),
    "features": (features_like("a", Y), ((X - Y) ** 2).sum((1, 2, 3)) / (Y**2).sum((1, 2, 3))),
    "gram": (gram_like("a", gram_by_loop(Y)), ((gram_by_loop(X) - gram_by_loop(Y)) ** 2).sum((1, 2)) / 100),
    "norm": (norm(6, (1.0, 2.0, 3.0)), (np.abs(PICTURE - [1, 2, 3]) ** 6).sum((1, 2, 3))),
    **{f"variation {beta}": (total_variation(beta), variation_by_loop(PICTURE, beta)) for beta in (1, 2, 3)},
}


def value(objective):
    features = {"a": jnp.asarray(X, jnp.float32), "logits": jnp.asarray(LOGITS, jnp.float32)}
    return np.asarray(objective(jnp.asarray(PICTURE, jnp.float32), features))


@pytest.mark.parametrize("case", CASES)
def test_each_is_what_a_loop_gives(case):
    objective, expected = CASES[case]
    np.testing.assert_allclose(value(objective), expected, rtol=2e-5)


def test_they_add_subtract_and_scale():
    one, other = CASES["unit"], CASES["norm"]
    found = 3 * one[0] - other[0] * 0.5 + sum([one[0], other[0]])
    np.testing.assert_allclose(value(found), 4 * one[1] + 0.5 * other[1], rtol=2e-5)
    assert found.layers == ("a",)
    assert len(jax.tree.leaves(one[0])) == 3  # the weight, the channel, the position: new ones compile nothing


def test_gram_does_not_depend_on_the_size_of_a_texture():
    tile = jnp.asarray(X[:1], jnp.float32)
    np.testing.assert_allclose(gram(tile), gram(jnp.tile(tile, (1, 2, 3, 1))), rtol=1e-5)


def test_waves_make_bounded_pictures_of_any_size():
    for shape in ((1, 8, 9, 3), (2, 5, 4, 1)):
        canvas = fourier(shape, seed=1)
        assert canvas.pictures().shape == shape
        far = canvas.picture(1000 * canvas.values)
        assert 0 <= float(far.min()) < 20 < 235 < float(far.max()) <= 255


def test_canvases_begin_as_they_are_given():
    np.testing.assert_allclose(change_of(PICTURE).pictures(), PICTURE, rtol=1e-6)
    assert (as_bytes(pixels(PICTURE[0]).pictures())[0] == np.rint(PICTURE[0])).all()
    with pytest.raises(sn.UserError, match=r"pictures must be \[H, W, C\]"):
        pixels(np.zeros((4, 4)))
    assert octave_sizes((40, 60), 3, 2.0) == [(20, 30), (40, 60)]


@pytest.fixture(scope="module")
def seen(shared_data):
    """SqueezeNet, a photograph and the next one as pictures, and what torch gave for the first."""
    expected = json.loads((shared_data / "looking_inside" / "expected.json").read_text())["photos"]["00"]
    model = sn.create_model("squeezenet1_1", weights=next((shared_data / "weights" / "squeezenet1_1").glob("*.npz")))
    paths = sorted((shared_data / "images" / "imagenet_samples").iterdir())[:2]
    photos = np.stack([model.preprocessing.pixels(path)[..., ::-1] for path in paths]).astype(np.float32)
    return model, photos, expected


LAYERS = {"conv1": "stem", "fire3": "stage1.2", "fire4": "stage2.1", "fire5": "stage2", "fire7": "stage3.2"}
NEW_RUNS_OF_THE_SAME_PROGRAM = pytest.mark.slow  # each compiles the gradient of a network at 227 pixels


def test_losses_of_features_and_styles_are_torchs(seen):
    model, photos, expected = seen
    features = watched(model, list(LAYERS.values()))(jnp.asarray(photos))
    one, other = ({name: features[layer][k : k + 1] for name, layer in LAYERS.items()} for k in (0, 1))
    assert float(features_like("a", other["fire4"])(photos[:1], {"a": one["fire4"]})[0]) == pytest.approx(
        expected["inversion"]["value"], rel=1e-4
    )
    for name in ("conv1", "fire3", "fire5", "fire7"):
        found, wanted = gram(one[name]), expected["style"][name]
        positions = one[name].shape[1] * one[name].shape[2]
        assert float(jnp.trace(found[0])) * positions == pytest.approx(wanted["gram_trace"], rel=1e-4)
        loss = gram_like("a", gram(other[name]))(photos[:1], {"a": one[name]})
        assert float(loss[0]) == pytest.approx(wanted["loss"], rel=1e-4)


@NEW_RUNS_OF_THE_SAME_PROGRAM
def test_deep_dream_and_class_visualization_climb_as_torchs(seen):
    model, photos, expected = seen
    from seqnets.dream.moves import Clip
    from seqnets.dream.recipes import mean_color

    dream = fit_image(model, layer_energy("stage2"), pixels(photos[0]), steps=6, step=1.5, rule="l1", moves=(Clip(),))
    np.testing.assert_allclose(dream.objective[:, 0], expected["deep_dream_fire5"]["objectives"], rtol=1e-3)
    mean = np.broadcast_to(np.float32(mean_color(model)), photos[0].shape)
    objective = logit(expected["class"]) - 3e-7 * norm(2, mean_color(model))
    found = fit_image(model, objective, pixels(mean), steps=31, step=150.0, rule="l2")
    wanted = expected["class_visualization"]["logits"]
    np.testing.assert_allclose(found.objective[:2, 0], wanted[:2], rtol=2e-3)  # theirs is without the norm
    assert found.objective[-1, 0] > 0.9 * wanted[-1]  # a path of 30 steps is chaotic: a rounding changes a max pooling


@NEW_RUNS_OF_THE_SAME_PROGRAM
def test_fooling_takes_torchs_number_of_steps(seen):
    model, photos, expected = seen
    wanted = expected["fooling"]
    found = fit_image(
        model, logit(wanted["target"]), change_of(photos[0]), steps=wanted["steps_needed"] + 1, step=100.0, rule="l2"
    )
    np.testing.assert_allclose(found.objective[:4, 0], wanted["target_logits"][:4], rtol=1e-3)
    assert np.linalg.norm(found.values) < 1.3 * wanted["change_l2"]
