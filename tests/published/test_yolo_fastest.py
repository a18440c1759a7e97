"""Yolo-fastest 1.1 with darknet's weights: its numbers, its detections, and COCO's figures."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oracles.published_networks import darknet, run
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.metrics.coco_detections import score_detections
from seqnets.models.detector.detector import cell_corners
from seqnets.ops.suppression import suppress

RULE = Preprocessing(resize=(320, 320), crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
ANCHORS = np.array([[115, 73, 119, 199, 242, 238], [12, 18, 37, 49, 52, 132]]).reshape(2, 3, 2)  # of the coarse and the fine head
CANDIDATES = 4000


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "yolo_fastest"


@pytest.fixture(scope="module")
def network(folder):
    return run(darknet, folder, "yolo-fastest-1.1.layers.json")


@pytest.fixture(scope="module")
def expected(folder):
    return json.loads((folder / "yolo-fastest-1.1_expected.json").read_text())


@pytest.fixture(scope="module")
def heads_of_dog(folder, network):
    return network(RULE(folder / "dog_320.png")[None])


@partial(jax.jit, static_argnames=("keep", "least"))
def detect(heads, limits, *, keep, least):
    """Boxes as shares of the picture, classes and scores."""
    found = []
    for head, anchors in zip(heads, ANCHORS):
        cells = head.reshape(*head.shape[:3], 3, 85)
        sides = jnp.exp(cells[..., 2:4]) * (anchors / 320).reshape(1, 1, 1, 3, 2)
        boxes = cell_corners(jnp.concatenate([jax.nn.sigmoid(cells[..., :2]), jnp.sqrt(sides)], -1), (1, 1))
        scores = jax.nn.sigmoid(cells[..., 4:5]) * jax.nn.sigmoid(cells[..., 5:])
        found.append((boxes.reshape(-1, 4), scores.reshape(-1, 80)))
    boxes, scores = (jnp.concatenate(part) for part in zip(*found))
    best, at = jax.lax.top_k(scores.ravel(), CANDIDATES)
    boxes, labels = boxes[at // 80] * limits[None], at % 80
    kept = suppress(boxes, best, threshold=0.45, keep=keep, groups=labels, is_box=best > least)
    rows = kept.indices
    return boxes[rows], labels[rows], jnp.where(kept.is_kept, best[rows], 0)


def test_the_heads_have_the_published_numbers(heads_of_dog, expected):
    for head, known in zip(heads_of_dog, expected["heads"]):
        assert list(head.transpose(0, 3, 1, 2).shape) == known["shape"]
        assert float(head.mean()) == pytest.approx(known["mean"], rel=2e-6)
        assert float(jnp.sqrt((head**2).sum())) == pytest.approx(known["l2"], rel=2e-6)
        np.testing.assert_allclose(head[0, 4, 5, :8], known["first_8_of_cell_row4_col5"], atol=5e-5)


def test_the_dog_is_found(heads_of_dog, expected, folder):
    names = (folder / "coco.names").read_text().split("\n")
    wide, high = expected["original_size_wh"]
    boxes, labels, scores = detect(heads_of_dog, jnp.array([wide, high] * 2), keep=20, least=0.3)
    known = expected["detections_score_over_0.3_nms_0.45_per_class_xyxy_in_original_pixels"]
    there = np.flatnonzero(scores)
    assert [names[label] for label in labels[there]] == [one["class"] for one in known]
    np.testing.assert_allclose(scores[there], [one["score"] for one in known], atol=1e-5)
    np.testing.assert_allclose(boxes[there], [one["box"] for one in known], atol=0.01)


def entries_of(photographs, images, network, categories):
    for image in images:
        size = (image["width"], image["height"])
        heads = network(RULE(photographs / image["file_name"])[None])
        boxes, labels, scores = detect(heads, jnp.array(size * 2), keep=100, least=0.001)
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
        for box, label, score in zip(boxes.tolist(), labels, scores.tolist()):
            if score:
                yield {"image_id": image["id"], "category_id": categories[label], "bbox": box, "score": score}


def of_pictures(shared_data, split):
    truth = json.loads((shared_data / "coco_mini" / f"instances_{split}.json").read_text())
    names = [name for name in (shared_data / "yolo_fastest" / "coco.names").read_text().split("\n") if name]
    numbers = {"motorcycle": "motorbike", "airplane": "aeroplane", "couch": "sofa", "potted plant": "pottedplant"}
    numbers |= {"dining table": "diningtable", "tv": "tvmonitor"}
    by_name = {numbers.get(one["name"], one["name"]): one["id"] for one in truth["categories"]}
    return truth["images"], [by_name[name] for name in names]


def test_detections_are_those_that_are_stored(shared_data, folder, network):
    images, categories = of_pictures(shared_data, "val")
    stored = json.loads((folder / "yolo-fastest-1.1_detections_coco_val.json").read_text())
    found = list(entries_of(shared_data / "coco_mini" / "val", images[:2], network, categories))
    for image in images[:2]:
        mine, theirs = ([one for one in some if one["image_id"] == image["id"]] for some in (found, stored))
        np.testing.assert_allclose([one["score"] for one in mine], [one["score"] for one in theirs], atol=1e-5)
        assert [one["category_id"] for one in mine] == [one["category_id"] for one in theirs]
        np.testing.assert_allclose([one["bbox"] for one in mine], [one["bbox"] for one in theirs], atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "val"])
def test_coco_figures_are_the_published_ones(shared_data, expected, network, tmp_path, split):
    images, categories = of_pictures(shared_data, split)
    results = tmp_path / "found.json"
    results.write_text(json.dumps(list(entries_of(shared_data / "coco_mini" / split, images, network, categories))))
    figures = score_detections(str(results), str(shared_data / "coco_mini" / f"instances_{split}.json"))["boxes"]
    np.testing.assert_allclose(list(figures.values()), expected["map"][split]["coco_stats"], atol=1e-6)
