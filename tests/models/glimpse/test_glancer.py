"""A glancer's places are drawn and learned as stated: REINFORCE's mean over all places is the gradient of the expected loss."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import stats

from seqnets.data.images.gray import gray_rule
from seqnets.models.glimpse import places
from seqnets.models.glimpse.glancer import Glancer, GlancerConfig
from seqnets.nn.cells import CELLS
from seqnets.tasks.glancer import GlanceLossConfig
from seqnets.tasks.glancer.task import glance_objective
from tests.numerics import assert_close

SMALL = {"cell": "gru", "hidden_features": 6, "glimpse_features": 5, "glimpse_size": 3, "scales": 2, "context": 3}
SERIES = np.array(list(itertools.product(range(9), range(9))))
KEY = jax.random.key(3)


def glancer(**settings):
    config = GlancerConfig(**{**SMALL, "glimpses": 2, **settings})
    model = Glancer(config, ("cat", "dog", "hen"), gray_rule((9, 9)), rngs=nnx.Rngs(0))
    model.locate.kernel[...] = jax.random.normal(jax.random.key(1), model.locate.kernel.shape)  # which begins with zeros
    return model


def pictures(count=1):
    return jnp.asarray(np.random.default_rng(1).random((count, 9, 9, 1)), jnp.float32)


def series_by_row(config, scores, key):
    # row n of the batch looks at the places of series n; the key says which glimpse it is
    numbers = jnp.stack([jax.random.key_data(jax.random.fold_in(jax.random.fold_in(KEY, 0), t)) for t in range(2)])
    cell = jnp.asarray(SERIES)[:, jnp.argmax((numbers == jax.random.key_data(key)[None]).all(-1))]
    logs = jax.nn.log_softmax(scores)
    place = (2 * jnp.stack(jnp.divmod(cell, config.grid), -1) + 1) / config.grid - 1
    return places.Choice(place, jnp.take_along_axis(logs, cell[:, None], -1)[:, 0], 0 * logs[:, 0])


@pytest.mark.parametrize(("context", "answers", "cost"), [(3, "every", "nats"), (0, "last", "wrong")])
def test_the_mean_over_all_places_is_the_gradient_of_the_expected_loss(monkeypatch, context, answers, cost):
    monkeypatch.setitem(places._CHOOSERS, "grid", series_by_row)
    graph, state = nnx.split(glancer(context=context, places="grid", grid=3))
    x, labels = jnp.broadcast_to(pictures(), (81, 9, 9, 1)), jnp.ones((81, 1), jnp.int32)
    config = GlanceLossConfig(answers=answers, cost=cost, baseline=0.0, entropy=0.0)

    def looked(state):
        glances = nnx.merge(graph, state).look(x, KEY)
        return glances, jnp.exp(glances.choices.log_prob.sum(1))

    def estimated(state):
        glances, share = looked(state)
        return jnp.sum(jax.lax.stop_gradient(share) * glance_objective(glances, labels, 3, config)[0])

    def expected(state):
        glances, share = looked(state)
        logs, weights = jax.nn.log_softmax(glances.logits), {"every": (0.5, 0.5), "last": (0.0, 1.0)}[answers]
        loss = -(logs[:, :, 1] * jnp.array([weights])).sum(1)
        wrong = (glances.logits.argmax(-1) != 1) @ jnp.array(weights)
        judged = loss if cost == "nats" else jax.lax.stop_gradient(wrong)
        return jnp.sum(jax.lax.stop_gradient(share) * loss + share * jax.lax.stop_gradient(judged))

    found, exact = jax.jit(jax.grad(estimated))(state), jax.jit(jax.grad(expected))(state)
    assert abs(looked(state)[1].sum() - 1) < 1e-5
    assert min(np.abs(exact[name]["kernel"][...]).max() for name in ("locate", "aim", "answer", "what")) > 1e-4
    assert_close(found, exact)


def test_no_gradient_reaches_the_places_or_the_context_from_the_answers():
    graph, state = nnx.split(glancer())
    gradient = jax.jit(jax.grad(lambda state: nnx.merge(graph, state).look(pictures(2), KEY).logits.sum()))(state)
    for name in ("locate", "aim", "overview", "looker", "expect"):
        assert all(not leaf.any() for leaf in jax.tree.leaves(gradient[name])), name
    assert np.abs(gradient["where"]["kernel"][...]).max() > 0


def test_places_have_the_probability_with_which_they_are_drawn():
    scores = jnp.asarray(np.random.default_rng(0).normal(size=(5, 2)), jnp.float32) / 9
    normal = places.chosen(GlancerConfig(places="normal", deviation=0.2), scores, KEY)
    expected = stats.norm(scores / np.sqrt(1 + scores**2), 0.2).logpdf(normal.place).sum(1)
    np.testing.assert_allclose(normal.log_prob, expected, rtol=1e-4)
    many = jnp.broadcast_to(jnp.array([[0.0, 1.0, 2.0, -1.0]]), (20_000, 4))
    grid = places.chosen(GlancerConfig(places="grid", grid=2), many, KEY)
    share = np.exp([0, 1, 2, -1]) / np.exp([0, 1, 2, -1]).sum()
    cell = np.round((grid.place[:, 0] + 0.5) * 2 + grid.place[:, 1] + 0.5).astype(int)
    np.testing.assert_allclose(np.bincount(cell) / 20_000, share, atol=0.01)
    np.testing.assert_allclose(np.exp(grid.log_prob), share[cell], rtol=1e-4)
    np.testing.assert_allclose(grid.entropy[0], stats.entropy(share), rtol=1e-4)
    far = places.chosen(GlancerConfig(places="random"), scores, KEY)
    assert not far.log_prob.any()
    assert np.abs(far.place).max() <= 1


def test_probabilities_are_the_mean_over_series_of_glimpses_that_depend_on_the_picture_alone():
    model, x = glancer(samples=3, objects=2), pictures(3)
    found, places_seen = jax.jit(model.answers)(x)
    marks = [jnp.sum(jnp.round(picture * 255)).astype(jnp.int32) for picture in x]
    keys = jax.random.split(jax.random.key(0), 3)
    series = [model.look(x[2:], jax.random.fold_in(key, marks[2])) for key in keys]
    expected = np.mean([jax.nn.softmax(glances.logits[0, 1::2]) for glances in series], axis=0)
    np.testing.assert_allclose(np.exp(found[2]), expected, rtol=1e-4)
    np.testing.assert_allclose(places_seen[2], series[0].choices.place[0], rtol=1e-4)
    np.testing.assert_allclose(jax.jit(model.answers)(x[::-1])[0][0], found[2], rtol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_looks(cell):
    model = glancer(cell=cell, layers=2, dropout=0.5, zoneout=0.1 if cell in ("lstm", "gru") else 0.0, remat=1)
    glances = jax.eval_shape(lambda x, key: model.look(x, key, train=True), pictures(2), KEY)
    assert glances.logits.shape == (2, 2, 3)
