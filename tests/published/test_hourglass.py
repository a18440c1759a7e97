"""A published hourglass for 14 joints: its heatmaps, and the share of right joints on people in sports."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from oracles.published_networks import run, tensorflow_maps
from seqnets.data.regions.checking import Faults
from seqnets.data.regions.poses import read_poses
from seqnets.metrics.pose import right_joints
from seqnets.models.dense.localizer import peaks


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "pose14_hourglass"


@pytest.fixture(scope="module")
def network(folder):
    return run(tensorflow_maps, folder, "graph.json")


@pytest.fixture(scope="module")
def expected(folder):
    return json.loads((folder / "expected.json").read_text())


def in_bgr(picture):
    return np.asarray(picture.convert("RGB"), np.float32)[None, :, :, ::-1]


def test_heatmaps_of_the_crops_are_the_stored_ones(network, expected, folder):
    for case in expected["cases"]:
        with Image.open(folder / case["input"]) as picture:
            heat = network(in_bgr(picture))
        assert float(heat.mean()) == pytest.approx(case["heatmap_mean"], rel=1e-4)
        assert float(jnp.sqrt((heat**2).sum())) == pytest.approx(case["heatmap_l2"], rel=1e-5)
        at = peaks(heat, reach=0)[0]
        np.testing.assert_allclose(at[:, 2], case["largest_value_per_joint"], atol=2e-6)
        np.testing.assert_allclose(at[:, :2] * 48 - 0.5, case["its_column_row_per_joint"], atol=1e-4)


@pytest.mark.slow
def test_share_of_right_joints_is_the_published_one(network, expected, shared_data):
    path, figures = shared_data / "lsp_extended" / "test.json", expected["lsp_extended_test"]
    people, names = read_poses(path, Faults())
    order = [expected["joint_order"].index(name) for name in names]
    truth = np.array([entry["joints"] for entry in json.loads(path.read_text())["images"]])
    np.testing.assert_allclose(np.concatenate([one.joints[:, :, :2] for one in people]), truth, atol=1e-4)
    found = np.stack([joints_in(one, joints, network)[order] for one, joints in zip(people, truth)])
    torso = np.linalg.norm(truth[:, names.index("left shoulder")] - truth[:, names.index("right hip")], axis=-1)
    for share in (0.2, 0.5):
        right = right_joints(found, truth, np.ones(truth.shape[:2], bool), torso, share)
        assert right.mean() == pytest.approx(figures[f"pck_{share}_of_torso"], abs=1e-9)
    known = figures["pck_0.2_per_joint"]
    right = right_joints(found, truth, np.ones(truth.shape[:2], bool), torso)
    np.testing.assert_allclose(right, [known[name] for name in names], atol=1e-9)


def joints_in(person, joints, network):
    low, high = joints.min(0), joints.max(0)
    half, middle = 1.3 * (high - low).max() / 2, (low + high) / 2
    with Image.open(person.image) as picture:
        square = (*(middle - half), *(middle + half))
        crop = picture.convert("RGB").transform((192, 192), Image.Transform.EXTENT, square, Image.Resampling.BILINEAR)
    return np.asarray(peaks(network(in_bgr(crop)), reach=0)[0, :, :2]) * 2 * half + middle - half
