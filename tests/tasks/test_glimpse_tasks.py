"""Glancers and drawers as tasks: what they learn from, what counts, and resuming to the same bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.images.config import ScatterConfig
from seqnets.data.images.gray import GrayPictures, GraySet, binarized, gray_rule
from seqnets.data.images.scattered import Scattered, ScatteredBatches
from seqnets.errors import UserError
from seqnets.models.glimpse.drawer import Drawer, DrawerConfig
from seqnets.models.glimpse.glancer import END, Glancer, GlancerConfig, Glances
from seqnets.models.glimpse.places import Choice
from seqnets.named_arrays import named_arrays
from seqnets.tasks.drawer.task import DrawerTask
from seqnets.tasks.glancer import GlanceLossConfig
from seqnets.tasks.glancer.task import GlancerTask, counts, glance_objective


def bars(count, seed):
    # bars from left to right are of class 0, bars from top to bottom of class 1
    draw, labels = np.random.default_rng(seed), np.arange(count, dtype=np.int32) % 2
    pixels = np.zeros((count, 8, 8, 1), np.uint8)
    for picture, label in zip(pixels, labels):
        at = draw.integers(1, 7)
        picture[(slice(at, at + 1), slice(0, 8)) if label == 0 else (slice(0, 8), slice(at, at + 1))] = 255
    return GrayPictures(pixels, labels)


SET = GraySet({"train": bars(64, 0), "validation": bars(32, 1)}, ("across", "down"), gray_rule((8, 8)))
CANVAS = ScatterConfig(canvas=16, clutter=1, piece=3)


def glancer_task(objects=1, **settings):
    config = GlancerConfig(cell="gru", hidden_features=8, glimpse_features=8, glimpse_size=4, scales=2, context=4, grid=4,
                           glimpses=2, samples=2, objects=objects, **settings)  # fmt: skip
    labels = (*SET.classes, END) if objects > 1 else SET.classes
    return GlancerTask(Glancer(config, labels, gray_rule((16, 16)), rngs=nnx.Rngs(0)), SET, CANVAS)


def drawer_task():
    config = DrawerConfig(hidden_features=8, latent_features=2, steps=3, read_points=3, write_points=3)
    return DrawerTask(Drawer(config, SET.rule, rngs=nnx.Rngs(0)), SET)


def fit(task, steps, directory=None):
    config = sn.TrainConfig(steps=steps, batch_size=16, learning_rate=0.01, evaluate_every=3, schedule="constant", log_every=1)
    return sn.fit(task, config, directory=directory, progress=None)


@pytest.mark.parametrize("make", [glancer_task, pytest.param(drawer_task, marks=pytest.mark.slow)])
def test_a_run_that_goes_on_is_the_run_that_was_never_interrupted(make, tmp_path):
    whole = fit(make(), 6, tmp_path / "whole")
    fit(make(), 3, tmp_path / "parts")
    parts = fit(make(), 6, tmp_path / "parts")
    assert whole.metrics == parts.metrics
    one, other = (named_arrays(nnx.state(run.model)) for run in (whole, sn.load(tmp_path / "parts")))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.slow
def test_a_glancer_learns_two_things_in_order_and_then_the_end():
    run = sn.fit(glancer_task(objects=2), sn.TrainConfig(steps=1500, batch_size=64, evaluate_every=0), progress=None)
    assert run.metrics[-1]["validation_accuracy"] > 0.7


def test_a_canvas_has_the_pictures_side_by_side_and_pieces_of_others():
    scattered = Scattered(SET.splits["train"], ScatterConfig(canvas=16, clutter=0), objects=2, end=2)
    batch = scattered.rows(np.arange(40), seed=1, epoch=np.arange(40))
    for canvas, labels in zip(batch["image"][..., 0], batch["labels"]):
        things = [label for label in labels if label != 2]
        assert labels[0] == things[0]
        assert (canvas > 0).sum() == 8 * len(things)
        if len(things) == 2:
            assert [(half > 0).sum() for half in np.split(canvas, 2, 1)] == [8, 8]
    assert {2, 1} == {int((labels != 2).sum()) for labels in batch["labels"]}
    with_clutter = Scattered(SET.splits["train"], CANVAS).rows(np.arange(20), seed=1, epoch=0)
    assert (with_clutter["image"] > 0).sum() > 20 * 8


def test_batches_depend_on_the_step_alone_and_take_every_picture_once_an_epoch():
    rows = Scattered(SET.splits["train"], CANVAS)
    batches = ScatteredBatches(rows, 16, seed=0, rows=slice(None))
    first, again, part = batches.batch(2), batches.batch(2), ScatteredBatches(rows, 16, 0, slice(4, 8)).batch(2)
    np.testing.assert_array_equal(first["image"], again["image"])
    np.testing.assert_array_equal(first["image"][4:8], part["image"])
    assert sum(batches.batch(step)["labels"].sum() for step in range(4)) == 32
    assert (batches.batch(0)["image"] != batches.batch(4)["image"]).any()


def test_what_comes_after_the_end_does_not_count():
    labels = jnp.array([[0, 2, 2], [1, 0, 1], [2, 2, 2]])
    assert np.asarray(counts(labels, 3)).sum(1).tolist() == [2, 3, 1]
    assert counts(np.array([[0], [1]]), 2).all()
    draw = np.random.default_rng(0)
    logits, log_prob, expected = (jnp.asarray(draw.normal(size=size), jnp.float32) for size in ((3, 6, 3), (3, 6), (3, 6)))
    glances = Glances(logits, Choice(jnp.zeros((3, 6, 2)), log_prob, jnp.ones((3, 6))), expected)
    config = GlanceLossConfig(answers="last", score_rate=0.5, baseline=0.3, entropy=0.1)
    found, figures = glance_objective(glances, labels, 3, config)
    probabilities, right = np.asarray(jax.nn.log_softmax(logits), float), []
    for n, count in enumerate([2, 3, 1]):
        cost = np.zeros(6)
        for k in range(count):  # every second glimpse is the last at a thing
            cost[2 * k + 1] = -probabilities[n, 2 * k + 1, labels[n, k]]
        right.append(all(probabilities[n, 2 * k + 1].argmax() == labels[n, k] for k in range(count)))
        later = np.array([cost[t:].sum() for t in range(6)])
        score = ((later - np.asarray(expected[n])) * np.asarray(log_prob[n])).sum()
        total = cost.sum() + 0.5 * score + 0.3 * ((later - np.asarray(expected[n])) ** 2).mean() - 0.1 * 6
        np.testing.assert_allclose(found[n], total, rtol=1e-4)
    assert abs(figures["accuracy"] - np.mean(right)) < 1e-6


def test_black_and_white_is_drawn_once_and_for_all():
    gray = np.full((200, 200), 64, np.uint8)
    assert set(np.unique(binarized(gray))) == {0, 255}
    assert abs((binarized(gray) > 0).mean() - 64 / 255) < 0.01
    np.testing.assert_array_equal(binarized(gray), binarized(gray))
    assert (binarized(gray) != binarized(gray, 1)).any()
    np.testing.assert_array_equal(binarized(SET.splits["train"].pixels), SET.splits["train"].pixels)
    assert drawer_task().fingerprint() == drawer_task().fingerprint()


def test_pictures_that_do_not_fit_are_refused():
    pictures = SET.splits["train"]
    for config, objects, part in [
        (ScatterConfig(canvas=7), 1, "raise it"),
        (ScatterConfig(canvas=15), 2, "do not fit side by side"),
        (ScatterConfig(canvas=16, piece=9), 1, "data.piece 9 is larger"),
        (ScatterConfig(canvas=0), 2, "give a canvas"),
    ]:
        with pytest.raises(UserError, match=part):
            Scattered(pictures, config, objects)
    with pytest.raises(UserError, match="labels"):
        GlancerTask(
            Glancer(GlancerConfig(hidden_features=4, glimpse_features=4), ("a",), SET.rule, rngs=nnx.Rngs(0)), SET, CANVAS
        )
    with pytest.raises(UserError, match="the pictures are 8 x 8"):
        DrawerTask(Drawer(DrawerConfig(hidden_features=4), gray_rule((9, 9)), rngs=nnx.Rngs(0)), SET)
