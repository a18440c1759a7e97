"""A published SSD for faces: its priors, its offsets and scores, and the faces."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from oracles.published_networks import onnx_ssd, run
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models.detector.default_boxes import boxes_of_cells
from seqnets.models.detector.detector import VARIANCES
from seqnets.ops.boxes import decode_boxes
from seqnets.ops.suppression import suppress

RULE = Preprocessing(resize=(240, 320), crop=None, scale=1.0, mean=(127.0,) * 3, std=(128.0,) * 3)


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "ssd_face"


@pytest.fixture(scope="module")
def network(folder):
    return run(onnx_ssd, folder, "version-RFB-320.graph.json")


@pytest.fixture(scope="module")
def expected(folder):
    return json.loads((folder / "version-RFB-320_expected.json").read_text())


@pytest.fixture(scope="module")
def priors(expected):
    known = expected["priors"]
    grids = [(high, wide) for wide, high in known["feature_maps_wh"]]
    sides = [[(side, min(side, 240)) for side in some] for some in known["boxes_px"]]
    return boxes_of_cells(grids, sides, [(step, step) for step in (8, 16, 32, 64)])


def test_priors_are_counted_and_have_their_centers_in_the_cells(priors, expected):
    assert len(priors) == expected["priors"]["count"]
    centers = (priors[:, :2] + priors[:, 2:]) / 2
    np.testing.assert_array_equal(centers[[0, 3, 3600, 4418]], [[4, 4], [12, 4], [8, 8], [288, 224]])
    np.testing.assert_array_equal((priors[:, 2:] - priors[:, :2])[[0, 1, 2, -1]], [[10, 10], [16, 16], [24, 24], [256, 240]])


def faces(network, priors, photograph):
    offsets, scores = network(RULE(photograph)[None])
    boxes = decode_boxes(offsets[0], jnp.asarray(priors), VARIANCES) / jnp.array([[320, 240, 320, 240]])
    kept = suppress(boxes, scores[0, :, 1], threshold=0.3, keep=12, is_box=scores[0, :, 1] > 0.7)
    rows = kept.indices[kept.is_kept]
    return offsets, scores, boxes, rows


def by_hand(offsets, priors):
    center, side = (priors[:, :2] + priors[:, 2:]) / 640.0, (priors[:, 2:] - priors[:, :2]) / 320.0
    center, side = center * [1, 4 / 3], side * [1, 4 / 3]
    center, side = offsets[:, :2] * 0.1 * side + center, np.exp(offsets[:, 2:] * 0.2) * side
    return np.concatenate([center - side / 2, center + side / 2], 1)


def check(known, network, priors, photograph):
    offsets, scores, boxes, rows = faces(network, priors, photograph)
    assert float(jnp.sqrt((offsets**2).sum())) == pytest.approx(known["raw_offsets_l2"], rel=1e-5)
    assert float(jnp.sqrt((scores[0, :, 1] ** 2).sum())) == pytest.approx(known["score_l2"], rel=1e-5)
    np.testing.assert_allclose(boxes, by_hand(np.asarray(offsets[0], float), priors), atol=1.3e-7)
    np.testing.assert_allclose(scores[0, rows, 1], [face["score"] for face in known["faces"]], atol=1e-5)
    np.testing.assert_allclose(boxes[rows], [face["box_relative_xyxy"] for face in known["faces"]], atol=1e-5)


def test_the_astronaut_has_one_face(network, priors, expected, folder):
    check(expected["images"][0], network, priors, folder / "astronaut_320x240.png")


@pytest.mark.slow
def test_faces_of_all_photographs(network, priors, expected, shared_data):
    for known in expected["images"][1:]:
        check(known, network, priors, shared_data / "coco_mini" / "train" / known["image"])
