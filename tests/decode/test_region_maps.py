"""Maps within boxes: torchvision's pasted masks and joints, and run lengths there and back."""

import numpy as np
import pytest

from seqnets.data.regions.masks import mask_from_json, mask_pixels, mask_to_json
from seqnets.decode.region_maps import pasted, strongest_places


@pytest.fixture(scope="module")
def golden(shared_data):
    return np.load(shared_data / "detection_ops" / "golden.npz")


def test_pasted_masks_are_torchvisions(golden):
    found = pasted(golden["paste_probabilities"][:, 0], golden["project_boxes"], (64, 64), rounded=True)
    np.testing.assert_allclose(found, golden["pasted"], atol=1e-5)


def test_joints_are_torchvisions(golden):
    found = strongest_places(golden["keypoint_heatmaps"].transpose(0, 2, 3, 1), golden["project_boxes"])
    np.testing.assert_allclose(found[..., :2], golden["keypoints_from_heatmaps"][..., :2], atol=1e-3)
    np.testing.assert_allclose(found[..., 2], golden["keypoint_scores"], atol=1e-4)


def test_a_mask_comes_back_from_its_own_box_to_a_tenth_of_a_pixel():
    rows, columns = np.mgrid[:40, :40] + 0.5
    disc = ((rows - 20.3) ** 2 + (columns - 17.8) ** 2 < 81).astype(float)
    box = np.array([[8.8, 11.3, 26.8, 29.3]])
    at = (np.arange(28) + 0.5) / 28 * 18
    cells = ((box[0, 1] + at)[:, None] - 20.3) ** 2 + ((box[0, 0] + at) - 17.8) ** 2 < 81
    found = pasted(cells[None].astype(float), box, (40, 40))[0] >= 0.5
    shared = (found & (disc > 0)).sum() / (found | (disc > 0)).sum()
    assert shared > 0.96


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((3, 4), bool),
        np.ones((3, 4), bool),
        np.eye(5, dtype=bool),
        np.random.default_rng(0).random((70, 90)) > 0.5,
        np.arange(9000).reshape(90, 100) % 4000 > 17,
    ],
)
def test_run_lengths_come_back(pixels):
    np.testing.assert_array_equal(mask_pixels(mask_from_json(mask_to_json(pixels)), pixels.shape), pixels)
