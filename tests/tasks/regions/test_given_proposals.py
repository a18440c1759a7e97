"""Detectors of given proposals: warped, pooled by grids or maxima; machines and ridge regression afterwards; no proposals."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import seqnets as sn
from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.reading import draw_scenes
from seqnets.decode.detection import detect
from seqnets.errors import UserError
from seqnets.models.detector.config import DetectorConfig, preset
from seqnets.models.detector.region_detector import RegionDetector, from_description, given
from seqnets.named_arrays import host_arrays
from seqnets.ops.regions import warp_regions
from seqnets.tasks.detector import DetectionLossConfig, DetectorRunConfig, proposed
from seqnets.tasks.detector.machines import ridge, saved_with_machines, support_vectors, with_machines
from seqnets.tasks.detector.task import DetectorTask
from seqnets.tasks.region_task import region_rule

SMALL = RegionConfig(height=32, augment="none")


def with_shifted_truths(scenes):
    """Give each picture its things, a little shifted, and some ground; the first picture has nothing."""
    rng = np.random.default_rng(0)

    def proposed(place, example):
        near = [example.boxes + rng.uniform(-3, 3, example.boxes.shape) for _ in range(3)]
        ground = rng.uniform(0, 30, (6, 2))
        boxes = np.clip(np.concatenate([*near, np.concatenate([ground, ground + 25], 1)]), 0, 64).astype(np.float32)
        return replace(example, proposals=boxes[: 0 if place == 0 else 12])

    return scenes.mapped(lambda examples: [proposed(place, one) for place, one in enumerate(examples)])


@pytest.fixture(scope="module")
def scenes():
    return with_shifted_truths(draw_scenes(12))


def task_of(scenes, **shape):
    shape = {"width": 2, "hidden_features": 16, "proposed": 12, "keep": 6, "crop": 16, **shape}
    config = DetectorConfig(method="regions", proposals="given", **shape)
    model = RegionDetector(config, scenes.classes, region_rule(SMALL, scenes), rngs=nnx.Rngs(0))
    return DetectorTask(model, scenes, SMALL, loss=DetectionLossConfig(region_samples=8))


@pytest.fixture(scope="module")
def warped(scenes):
    return task_of(scenes, pooling="warp", scorer="softmax")


def test_warped_parts_are_torchs_grid_samples():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(1, 12, 16, 3)).astype(np.float32)
    box, size, context = np.array([4.5, 3.0, 10.0, 8.0], np.float32), 10, 2
    margin = (box[2:] - box[:2]) * context / (size - 2 * context)
    low, high = box[:2] - margin, box[2:] + margin
    steps = (np.arange(size) + 0.5) / size
    at = [(low[axis] + (high[axis] - low[axis]) * steps) / side * 2 - 1 for axis, side in enumerate((16, 12))]
    grid = torch.tensor(np.stack(np.meshgrid(*at), -1)[None], dtype=torch.float32)
    expected = torch.nn.functional.grid_sample(torch.tensor(x).permute(0, 3, 1, 2), grid, align_corners=False)
    found = warp_regions(jnp.asarray(x), jnp.asarray(box)[None, None], size, context=context, samples=1)[0, 0]
    np.testing.assert_allclose(found, expected[0].permute(1, 2, 0).numpy(), atol=1e-5)


@pytest.mark.parametrize("pooling", ["warp", "spp"])
def test_losses_are_finite_also_without_proposals_or_things(scenes, pooling):
    task = task_of(scenes, pooling=pooling)
    batch = task.batches(4, 0).batch(0)
    graphdef, state = nnx.split(task.model)

    @jax.jit
    @jax.value_and_grad
    def total(state, batch):
        return task.losses(nnx.merge(graphdef, state), batch, jax.random.key(0))[0]

    blank = {"proposals": np.zeros_like(batch["proposals"]), "labels": np.full_like(batch["labels"], -1)}
    for changed in ({}, {"proposals": blank["proposals"]}, {"labels": blank["labels"]}, blank):
        value, gradient = total(state, {**batch, **changed})
        assert value > 0 or changed is blank
        assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_a_picture_without_proposals_has_no_detections(warped, scenes):
    figures, detections = warped.measure(warped.model, "validation")
    assert len(detections[0].scores) == 0
    assert any(len(found.scores) for found in detections)
    assert all(np.isfinite(value) for value in figures.values())


def test_parts_of_one_picture_do_not_depend_on_the_others(warped):
    model = warped.model
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 32, 32, 3)), jnp.float32)
    boxes = jnp.asarray([[[0.0, 0.0, 9.0, 9.0], [3.0, 2.0, 30.0, 20.0]], [[5.0, 5.0, 20.0, 25.0], [0.0, 0.0, 0.0, 0.0]]])
    both, one = model.regions(model(x), boxes), model.regions(model(x[1:]), boxes[1:, :1])
    np.testing.assert_allclose(both["logits"][1, :1], one["logits"][0], atol=1e-5)
    twin = nnx.eval_shape(lambda: from_description(model.describe()))
    assert jax.tree.map(jnp.shape, nnx.state(twin)) == jax.tree.map(jnp.shape, nnx.state(model))


@pytest.mark.parametrize("cost", [1e-3, 1.0, 100.0])
def test_machines_are_scikit_learns(cost):
    svm = pytest.importorskip("sklearn.svm")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    signs = np.where(x[:, 0] + rng.normal(size=200) > 0.5, 1, -1)
    expected = svm.LinearSVC(C=cost, dual=False, tol=1e-12, intercept_scaling=10, max_iter=10_000).fit(x, signs)
    weights, bias = support_vectors(x, signs, cost)
    np.testing.assert_allclose(weights, expected.coef_[0], atol=1e-6)
    assert bias == pytest.approx(expected.intercept_[0], abs=1e-6)


def test_ridge_regression_is_scikit_learns():
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)) + 3, rng.normal(size=(60, 4))
    expected, (weights, bias) = linear.Ridge(1000.0).fit(x, y), ridge(x, y, 1000.0)
    np.testing.assert_allclose(weights.T, expected.coef_, atol=1e-12)
    np.testing.assert_allclose(bias, expected.intercept_, atol=1e-12)


def test_machines_take_the_place_of_the_predictions_and_find_what_they_were_shown(warped):
    before = jax.tree.map(np.asarray, nnx.state(warped.model))
    changed = with_machines(warped, warped.model)
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.asarray, nnx.state(warped.model)))
    assert (changed.config.scorer, warped.model.config.scorer) == ("svm", "softmax")
    batch = warped.batches(12, 0).batch(0)
    output = changed(changed.preprocessing.normalize(batch["images"]))
    margins = np.asarray(changed.regions(output, jnp.asarray(batch["boxes"]))["logits"])[..., 1:]
    rows = batch["labels"] >= 0
    wanted = batch["labels"][rows]
    right = np.mean(margins[rows].argmax(-1) == wanted)
    assert right > max(np.bincount(wanted)) / len(wanted)
    boxes, scores = changed.candidates(output, given(batch["proposals"]))
    assert jnp.isfinite(boxes).all()
    assert (scores[0] >= 0).all()
    with pytest.raises(UserError, match=r"needs given proposals"):
        with_machines(warped, RegionDetector(DetectorConfig(method="regions", width=2), changed.labels, changed.preprocessing,
                                             rngs=nnx.Rngs(0)))  # fmt: skip


@pytest.mark.slow
def test_a_resumed_run_is_the_uninterrupted_one_and_so_are_its_machines(scenes, tmp_path):
    task = task_of(scenes, pooling="spp", spp_grids=(1, 2))

    def train(steps, directory=None):
        config = sn.TrainConfig(steps=steps, batch_size=4, evaluate_every=2, save_every=2, schedule="constant", warmup_steps=0)
        return sn.fit(task, config, directory=directory, progress=None)

    whole, _, resumed = train(4), train(2, tmp_path / "run"), train(4, tmp_path / "run")
    for name, array in host_arrays(nnx.state(whole.model)).items():
        np.testing.assert_array_equal(host_arrays(nnx.state(resumed.model))[name], array)
    for _ in range(2):  # those of an earlier command are replaced
        saved = saved_with_machines(task, resumed)
    again = sn.load(tmp_path / "run" / "svm").model
    assert again.config == saved.config
    for name, array in host_arrays(nnx.state(saved)).items():
        np.testing.assert_array_equal(host_arrays(nnx.state(again))[name], array)


def test_a_new_photograph_gets_its_own_proposals(warped, monkeypatch):
    seen = []
    monkeypatch.setattr("seqnets.decode.detection.propose", lambda image, count: seen.append((image.shape, count)) or
                        np.array([[0, 0, 40, 30]], np.float32))  # fmt: skip
    (found,) = detect(warped.model, [np.zeros((30, 40, 3), np.uint8)])
    assert seen == [((30, 40, 3), 12)]
    assert all(thing.box[0] >= 0 and thing.box[2] <= 40.01 for thing in found.things)


def test_settings_that_do_not_fit_are_explained(scenes):
    task = task_of(scenes, pooling="position-sensitive")
    assert preset("rcnn")["model"]["pooling"] == "warp"
    with pytest.raises(UserError, match=r"set --model.proposals given"):
        DetectorConfig(method="regions", pooling="warp")
    with pytest.raises(UserError, match=r"leaves nothing of model.crop 4"):
        DetectorConfig(crop=4)
    config = DetectorRunConfig(data=RegionConfig(proposals="boxes.json"))
    with pytest.raises(UserError, match="the model finds regions by itself; add --preset fast-rcnn"):
        proposed(config, scenes, config.model, lambda sentence: None)
    with pytest.raises(UserError, match="svm needs given proposals"):
        DetectorTask(task.model, scenes, SMALL, loss=DetectionLossConfig(svm=True))
