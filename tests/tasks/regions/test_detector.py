"""Detectors: default boxes, losses by loops, figures, exact shapes and no NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.data.regions.config import RegionConfig
from seqnets.data.regions.examples import RegionExample, RegionSet
from seqnets.data.regions.reading import draw_scenes
from seqnets.errors import UserError
from seqnets.models.dense.encoder import size_of
from seqnets.models.detector.default_boxes import default_boxes
from seqnets.models.detector.detector import Detector, DetectorConfig, cell_corners, cell_parts, from_description
from seqnets.models.growth import grown
from seqnets.ops.boxes import encode_boxes
from seqnets.tasks.detector import DetectionLossConfig
from seqnets.tasks.detector.losses import grid_losses, hardest, multibox_losses
from seqnets.tasks.detector.task import DetectorTask
from seqnets.tasks.region_task import region_rule

SMALL = RegionConfig(height=32)
TRUTH = jnp.array([[[2.0, 3.0, 14.0, 15.0], [16.0, 10.0, 30.0, 31.0], [0, 0, 0, 0]], [[0, 0, 0, 0]] * 3])
LABELS = jnp.array([[1, 3, -1], [-1, -1, -1]])


@pytest.fixture(scope="module")
def scenes():
    return draw_scenes(8)


def detector(scenes, **shape):
    config = DetectorConfig(width=2, head_features=0, **shape)
    return Detector(config, scenes.classes, region_rule(SMALL, scenes), rngs=nnx.Rngs(0))


def overlap(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def smooth(off):
    return np.where(np.abs(off) < 1, 0.5 * off**2, np.abs(off) - 0.5)


def test_default_boxes_are_torchvisions(shared_data):
    golden = np.load(shared_data / "detection_ops" / "golden.npz")["ssd_default_boxes"]
    found = default_boxes([(8, 8), (4, 4)], [0.2, 0.5, 0.9], [[2], [2, 3]], (64, 64))
    np.testing.assert_allclose(found, golden, atol=1e-4)


def test_multibox_losses_are_those_of_a_loop(scenes):
    model = detector(scenes)
    defaults = np.asarray(model.default_boxes(), float)
    rng = np.random.default_rng(0)
    output = {"logits": jnp.asarray(rng.normal(size=(2, len(defaults), 5)), jnp.float32),
              "offsets": jnp.asarray(rng.normal(size=(2, len(defaults), 4)), jnp.float32)}  # fmt: skip
    found = jax.jit(lambda output: multibox_losses(model, output, TRUTH, LABELS, DetectionLossConfig(negatives=3.0)))(output)
    nats_of = -np.asarray(jax.nn.log_softmax(output["logits"]), float)
    classes, offsets, count = 0.0, 0.0, 0
    for row in range(2):
        truths = [(np.asarray(box), int(label)) for box, label in zip(TRUTH[row], LABELS[row]) if label >= 0]
        shares = np.array([[overlap(box, truth) for truth, _ in truths] for box in defaults]).reshape(len(defaults), -1)
        owner = np.full(len(defaults), -1)
        if truths:
            owner = np.where(shares.max(1) >= 0.5, shares.argmax(1), -1)
            for number in range(len(truths)):
                owner[shares[:, number].argmax()] = number
        positive = np.flatnonzero(owner >= 0)
        for place in positive:
            box, label = truths[owner[place]]
            classes += nats_of[row, place, label + 1]
            wanted = np.asarray(encode_boxes(jnp.asarray(box), jnp.asarray(defaults[place], jnp.float32), (10.0, 10.0, 5.0, 5.0)))
            offsets += smooth(np.asarray(output["offsets"][row, place]) - wanted).sum()
        negatives = np.delete(nats_of[row, :, 0], positive)
        classes += np.sort(negatives)[::-1][: 3 * max(len(positive), 1)].sum()
        count += len(positive)
    assert float(found["classes"]) == pytest.approx(classes / count, rel=1e-4)
    assert float(found["offsets"]) == pytest.approx(offsets / count, rel=1e-4)


def test_grid_losses_are_those_of_a_loop(scenes):
    model = detector(scenes, method="yolo")
    rows, columns = model.grids[0]
    cells = jnp.asarray(np.random.default_rng(0).uniform(0.1, 0.9, (2, rows, columns, 14)), jnp.float32)
    found = jax.jit(lambda cells: grid_losses(model, {"cells": cells}, TRUTH, LABELS, DetectionLossConfig()))(cells)
    boxes, confidences, classes = (np.asarray(part, float) for part in cell_parts(cells, 2))
    corners = np.asarray(cell_corners(jnp.asarray(boxes, jnp.float32), (32, 32)), float)
    sums, responsible = dict.fromkeys(found, 0.0), set()
    for box, label in zip(np.asarray(TRUTH[0], float)[:2], LABELS[0]):
        x, y = (box[0] + box[2]) / 64 * columns, (box[1] + box[3]) / 64 * rows
        row, column = int(y), int(x)
        shares = [overlap(corners[0, row, column, p], box) for p in range(2)]
        best = int(np.argmax(shares))
        responsible.add((0, row, column, best))
        target = np.array([x - column, y - row, np.sqrt((box[2] - box[0]) / 32), np.sqrt((box[3] - box[1]) / 32)])
        sums["offsets"] += ((boxes[0, row, column, best] - target) ** 2).sum()
        sums["confidence"] += (confidences[0, row, column, best] - shares[best]) ** 2
        sums["classes"] += ((classes[0, row, column] - np.eye(4)[int(label)]) ** 2).sum()
    sums["empty"] = sum(value**2 for place, value in np.ndenumerate(confidences) if place not in responsible)
    for name, value in sums.items():
        assert float(found[name]) == pytest.approx(value / 2, rel=1e-4), name


@pytest.mark.parametrize("method", ["ssd", "yolo"])
def test_pictures_without_things_have_a_loss_and_finite_gradients(scenes, method):
    model = detector(scenes, method=method)
    shape = jax.eval_shape(lambda: model(jnp.zeros((2, 32, 32, 3))))
    output = {name: jnp.full(array.shape, 0.1) for name, array in shape.items()}
    losses = {"ssd": multibox_losses, "yolo": grid_losses}[method]

    def total(output, labels):
        return sum(losses(model, output, TRUTH, labels, DetectionLossConfig()).values())

    for labels in (LABELS, jnp.full_like(LABELS, -1)):
        value, gradient = jax.jit(jax.value_and_grad(total))(output, labels)
        assert value > 0
        assert all(jnp.isfinite(array).all() for array in gradient.values())


def test_hard_negatives_are_the_largest_losses():
    losses, positive = jnp.array([[0.9, 0.1, 0.8, 0.7, 0.2]]), jnp.array([[True, False, False, False, False]])
    assert hardest(losses, positive, 2.0).tolist() == [[False, False, True, True, False]]
    assert hardest(losses, jnp.zeros_like(positive), 1.0).tolist() == [[True, False, False, False, False]]


@pytest.mark.parametrize("method", ["ssd", "yolo"])
def test_perfect_predictions_are_found_with_full_figures(scenes, method):
    model = detector(scenes, method=method, least_score=0.5)
    task = DetectorTask(model, scenes, SMALL)
    batch = task.pictures("validation").record(0)
    boxes, labels = (jnp.asarray(batch[name])[None] for name in ("boxes", "labels"))
    if method == "ssd":
        from seqnets.ops.boxes import match

        defaults = model.default_boxes()[None]
        found = match(defaults, boxes, keep_best="own", is_truth=labels >= 0)
        truth = jnp.take_along_axis(boxes, jnp.maximum(found, 0)[..., None], 1)
        kind = jnp.where(found >= 0, jnp.take_along_axis(labels, jnp.maximum(found, 0), 1) + 1, 0)
        output = {"offsets": encode_boxes(truth, defaults, (10.0, 10.0, 5.0, 5.0)), "logits": 20 * jax.nn.one_hot(kind, 5)}
    else:
        from seqnets.tasks.detector.losses import grid_targets

        targets, kinds, there = grid_targets(boxes, labels, size_of(model.preprocessing), model.grids[0])
        one = jnp.concatenate([targets, there[..., None]], -1)
        output = {"cells": jnp.concatenate([one, 0 * one, jax.nn.one_hot(kinds, 4)], -1)}
    detected = jax.jit(model.detect)(output)
    there = np.asarray(detected.scores[0]) > 0
    expected = np.asarray(boxes[0])[np.asarray(labels[0]) >= 0]
    assert there.sum() == len(expected)
    shares = [[overlap(one, other) for other in expected] for one in np.asarray(detected.boxes[0])[there]]
    assert np.min(np.max(shares, 1)) > 0.98


def test_a_split_is_measured_in_original_pixels_with_crowds_and_empty_pictures(scenes):
    crowd = np.array([True] * len(scenes.splits["train"][0].labels))
    examples = [RegionExample(np.zeros((40, 64, 3), np.uint8), "empty", (40, 64)), *scenes.splits["validation"][:2]]
    examples.append(RegionExample(examples[1].image, "crowd", (64, 64), *(getattr(scenes.splits["train"][0], name)
                    for name in ("boxes", "labels")), crowd, scenes.splits["train"][0].areas))  # fmt: skip
    regions = RegionSet("x", {"train": scenes.splits["train"], "validation": tuple(examples)}, scenes.classes)
    task = DetectorTask(detector(scenes, keep=7), regions, SMALL)
    figures, found = task.measure(task.model, "validation")
    assert sorted(figures) == ["AP", "AP50", "AP75", "AR100"]
    assert [len(one.scores) <= 7 for one in found] == [True] * 4
    assert max(one.boxes[:, 2].max(initial=0) for one in found) > 32


@pytest.mark.parametrize("method", ["ssd", "yolo"])
def test_classes_that_a_detector_knows_keep_their_scores(scenes, method):
    model = detector(scenes, method=method)
    larger = grown(model, labels=("dog", *reversed(scenes.classes)), rngs=nnx.Rngs(1))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 32, 32, 3)), jnp.float32)
    old, new = (next(reversed(one(x).values())) for one in (model, larger))
    np.testing.assert_allclose(new[..., [-1, -2, -3, -4]], old[..., -4:], atol=1e-5)
    np.testing.assert_allclose(new[..., :-5], old[..., :-4], atol=1e-5)


def test_a_description_makes_the_same_detector_and_mistakes_are_named(scenes):
    model = detector(scenes, method="yolo", boxes_per_cell=3)
    twin = nnx.eval_shape(lambda: from_description(model.describe()))
    assert jax.tree.map(jnp.shape, nnx.state(twin)) == jax.tree.map(jnp.shape, nnx.state(model))
    with pytest.raises(UserError, match=r"least_scale 0\.5 is above"):
        DetectorConfig(least_scale=0.5, most_scale=0.2)
    with pytest.raises(UserError, match=r"ratios must be above 0"):
        DetectorConfig(ratios=(0.0,))
