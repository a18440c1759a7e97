"""The loop: rules, moves, seeds, frames, and its ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqnets as sn
from seqnets.dream.images import latent, noise, pixels
from seqnets.dream.moves import Blur, CenterBias, Clip, DropSmallGradients, DropSmallPixels, Jitter, Scale
from seqnets.dream.objectives import Objective, Term, channel, layer_energy, norm, unit
from seqnets.dream.optimize import RULES, _climb, fit_image

START = noise((2, 6, 8, 3), seed=1)


def itself(x):
    return {"x": x}


def weighed(x):
    return {"x": x * jnp.arange(1.0, 4.0).reshape(1, 1, 1, 3)}


def test_every_rule_finds_the_nearest_point():
    # the maximum of -|x - 100|^2 is at 100
    for rule, step in {"plain": 0.1, "l1": 2.0, "l2": 20.0, "signed": 2.0, "adam": 4.0, "lbfgs": 1.0}.items():
        found = fit_image(itself, -norm(2, 100.0), START, steps=60, step=step, rule=rule)
        assert found.objective[-1].sum() > 0.05 * found.objective[0].sum(), rule
        assert np.abs(found.raw - 100).mean() < 6, rule
    assert len(RULES) == 6


def test_steps_of_the_normalized_rules_have_their_size_for_every_picture():
    objective = channel("x", 0) + 5 * channel("x", 2)
    once = {rule: fit_image(weighed, objective, START, steps=1, step=3.0, rule=rule) for rule in ("l1", "l2", "signed")}
    moved = {rule: found.raw - START.values for rule, found in once.items()}
    for one in range(2):
        assert np.abs(moved["l1"][one]).mean() == pytest.approx(3, rel=1e-4)
        assert np.linalg.norm(moved["l2"][one]) == pytest.approx(3, rel=1e-4)
        assert np.unique(np.rint(moved["signed"][one])).tolist() == [0, 3]


def test_the_same_seed_gives_the_same_picture_and_a_picture_does_not_depend_on_its_companions():
    options = {"steps": 5, "step": 2.0, "rule": "l2", "moves": (Jitter(3), Scale(0.9, 1.1))}
    objective = unit("x", 1, (2, 2)) + 1e-3 * layer_energy("x")
    one, again, other = (fit_image(weighed, objective, START, seed=seed, **options) for seed in (3, 3, 4))
    assert (one.raw == again.raw).all()
    assert not np.allclose(one.raw, other.raw)
    alone = fit_image(weighed, objective, pixels(START.values[1]), seed=3, **options)
    np.testing.assert_allclose(alone.raw[0], one.raw[1], rtol=1e-4, atol=1e-3)


def test_new_weights_targets_and_numbers_of_steps_compile_nothing():
    fit_image(itself, channel("x", 0), START, steps=3, rule="signed")
    before = _climb._cache_size()
    fit_image(itself, 7 * channel("x", 2), START, steps=9, rule="signed", seed=8)
    assert _climb._cache_size() == before


def test_frames_come_as_asked_and_may_stop_it():
    heard, options = [], {"rule": "signed", "every": 3}
    fit_image(itself, channel("x", 0), START, steps=7, frame=lambda step, x: heard.append((step, x.dtype)), **options)
    assert heard == [(step, np.uint8) for step in (0, 3, 6, 7)]
    found = fit_image(itself, channel("x", 0), START, steps=9, frame=lambda step, x: step == 6, **options)
    assert (len(found.objective), found.stopped) == (6, "stopped by its caller")


def test_a_constant_objective_says_so():
    with pytest.raises(sn.UserError, match="the objective is constant around the first picture: its gradient is 0 everywhere"):
        fit_image(lambda x: {"x": jax.nn.relu(x - 1000)}, channel("x", 0), START, steps=3)


def test_numbers_that_are_not_finite_stop_it_with_the_last_good_picture():
    black = pixels(np.zeros((3, 3, 3)))
    found = fit_image(lambda x: {"x": jnp.log(60 - x)}, -channel("x", 0), black, steps=99, step=7.0, rule="signed")
    assert found.stopped.startswith("after 9 steps there were numbers that are not finite")
    assert np.isfinite(found.raw).all()
    assert (found.raw[..., 0] == 56).all()
    assert len(found.objective) == 9


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rule": "best"}, "rule must be one of plain"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"step": -1.0}, "step must be above 0"),
    ],
)
def test_wrong_options(options, said):
    with pytest.raises(sn.UserError, match=said):
        fit_image(itself, channel("x", 0), START, **{"steps": 2, **options})


def test_a_linear_generator_has_a_known_best_code():
    # max w G z - |z|^2 / 2 is at z = G^T w; the term reads the code itself through the picture
    matrix = np.random.default_rng(0).normal(size=(4, 2 * 2 * 3)).astype(np.float32)
    canvas = latent(lambda z: (z @ matrix).reshape(-1, 2, 2, 3), 4, seed=2)
    code = np.linalg.pinv(matrix)

    def features(x):
        return {"sum": x.reshape(len(x), -1), "code": x.reshape(len(x), -1) @ code}

    total = Objective((Term(1.0, (), "sum", lambda x: x.sum(1)), Term(-1.0, (), "code", lambda x: (x**2).sum(1) / 2)))
    found = fit_image(features, total, canvas, steps=30, rule="lbfgs")
    np.testing.assert_allclose(found.values[0], matrix.sum(1), rtol=1e-3, atol=1e-3)


def test_moves():
    x = jnp.asarray(np.random.default_rng(1).uniform(0, 255, (1, 12, 12, 3)), jnp.float32)
    rolled = Jitter(4).view(x, jax.random.key(0))
    assert sorted(np.ravel(rolled)) == sorted(np.ravel(x))
    assert not (rolled == x).all()
    np.testing.assert_allclose(Scale(1.0, 1.0).view(x, jax.random.key(0)), x, rtol=1e-4)
    assert (Clip(10, 20).after(x, jnp.int32(1)) == jnp.clip(x, 10, 20)).all()
    blur = Blur(every=4, sigma=1.0)
    assert (blur.after(x, jnp.int32(3)) == x).all()
    assert float(blur.after(x, jnp.int32(4)).std()) < 0.6 * float(x.std())
    np.testing.assert_allclose(blur.blurred(jnp.full((1, 5, 5, 1), 7.0)), 7.0, rtol=1e-6)
    dropped = DropSmallPixels(0.25, (127.5,) * 3).after(x, jnp.int32(1))
    assert int((dropped == 127.5).all(-1).sum()) == 36
    kept = DropSmallGradients(0.5).gradient(x, x)
    assert int((kept == 0).all(-1).sum()) == 72
    bell = CenterBias().gradient(jnp.ones((1, 9, 9, 1)), x)[0, :, :, 0]
    assert float(bell[4, 4]) == 1.0 > float(bell[0, 4]) > float(bell[0, 0])
