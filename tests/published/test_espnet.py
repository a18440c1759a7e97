"""ESPNet on street scenes: its logits, its labels, and its mean overlap."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from oracles.published_networks import espnet, run
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.metrics.classification import confusion
from seqnets.metrics.segmentation import class_overlaps

UNLABELED = 11


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "espnet_camvid"


@pytest.fixture(scope="module")
def expected(folder):
    return json.loads((folder / "expected.json").read_text())


@pytest.fixture(scope="module")
def network(folder):
    return run(espnet, folder)


@pytest.fixture(scope="module")
def rule(expected):
    stated = expected["preprocessing"]
    std = tuple(255 * value for value in stated["std"])
    return Preprocessing(resize=None, crop=None, channels="bgr", scale=1.0, mean=tuple(stated["mean"]), std=std)


def check(case, network, rule, folder):
    logits = network(rule(folder / "images" / case["image"])[None])
    assert float(logits.mean()) == pytest.approx(case["logits_mean"], rel=1e-4)
    assert float(jnp.sqrt((logits**2).sum())) == pytest.approx(case["logits_l2"], rel=1e-5)
    np.testing.assert_allclose(logits[0, 180, 240], case["logits_at_180_240"], atol=1e-4)
    with Image.open(folder / case["argmax_png"]) as labels:
        np.testing.assert_array_equal(logits[0].argmax(-1), np.asarray(labels))


def test_labels_of_a_picture_are_the_stored_ones(network, rule, folder, expected):
    check(expected["cases"][0], network, rule, folder)


@pytest.mark.slow
def test_mean_overlap_of_twenty_pictures(network, rule, folder, expected):
    for case in expected["cases"][1:]:
        check(case, network, rule, folder)
    counts = np.zeros((12, 12), int)
    for photograph in sorted((folder / "images").iterdir()):
        guesses = np.asarray(network(rule(photograph)[None])[0].argmax(-1))
        with Image.open(folder / "labels" / f"{photograph.stem}.png") as labels:
            counts += confusion(np.asarray(labels).ravel(), guesses.ravel(), 12)
    known = np.array(expected["confusion_row_truth_column_guess_12"])
    assert np.abs(counts - known).sum() <= 8  # of 3.5 million pixels: two logits may be equal but for their last digits
    counts[UNLABELED] = 0
    assert class_overlaps(counts)[:UNLABELED].mean() == pytest.approx(expected["mean_iou_11"], abs=1e-6)
