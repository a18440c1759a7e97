"""MTCNN: three networks, each looking closer at what the one before proposes; its faces and landmarks."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from oracles.published_networks import mtcnn
from seqnets.ops.pool import adaptive_average_pool
from seqnets.ops.suppression import suppress

SMALLEST, FACTOR, THRESHOLDS = 20, 0.709, (0.6, 0.7, 0.7)


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "mtcnn"


@pytest.fixture(scope="module")
def arrays(folder):
    return load_file(folder / "mtcnn.safetensors")


@pytest.fixture(scope="module")
def expected(folder):
    return json.loads((folder / "expected.json").read_text())


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.float32)[None]


def normal(x):
    return (x - 127.5) / 128


def test_numbers_of_the_first_network(arrays, expected, folder):
    face, offsets = mtcnn(arrays, "pnet", normal(pixels(folder / "astronaut.png")))
    known = expected["stages"]["pnet_at_scale_1"]
    assert list(offsets.transpose(0, 3, 1, 2).shape) == known["regression_shape"]
    assert float(offsets.mean()) == pytest.approx(known["regression_mean"], rel=1e-4)
    assert float(face.mean()) == pytest.approx(known["face_probability_mean"], rel=1e-5)
    assert float(face.max()) == pytest.approx(known["face_probability_max"], abs=1e-6)
    assert float(jnp.sqrt((face**2).sum())) == pytest.approx(known["l2"], rel=1e-5)


def proposals(arrays, picture, scale):
    size = tuple(int(side * scale + 1) for side in picture.shape[1:3])
    face, offsets = (np.asarray(part[0]) for part in mtcnn(arrays, "pnet", normal(adaptive_average_pool(picture, size))))
    rows, columns = np.nonzero(face >= THRESHOLDS[0])
    corner = np.stack([columns, rows], 1).astype(np.float32) * 2
    boxes = np.floor(np.concatenate([corner + 1, corner + 12], 1) / np.float32(scale))
    return boxes, face[rows, columns], offsets[rows, columns]


def kept(boxes, scores, threshold):
    found = suppress(boxes, scores, threshold=threshold, keep=len(boxes)) if len(boxes) else None
    return np.asarray(found.indices[found.is_kept]) if found else np.zeros(0, int)


def refined(boxes, offsets, extra=0):
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2] + extra, 2)


def squared(boxes):
    sides = boxes[:, 2:] - boxes[:, :2]
    low = boxes[:, :2] + sides / 2 - sides.max(1, keepdims=True) / 2
    return np.concatenate([low, low + sides.max(1, keepdims=True)], 1)


def looked_at(arrays, name, picture, boxes, side):
    height, width = picture.shape[1:3]
    crops = []
    for left, top, right, bottom in np.trunc(boxes).astype(int):
        crop = picture[:, max(top, 1) - 1 : min(bottom, height), max(left, 1) - 1 : min(right, width)]
        crops.append(np.asarray(adaptive_average_pool(jnp.asarray(crop), side)))
    face, *others = mtcnn(arrays, name, normal(np.concatenate(crops)))
    return np.asarray(face[:, 0, 0]), *(np.asarray(part[:, 0, 0]) for part in others)


def faces(arrays, picture):
    scale, found = 12 / SMALLEST, []
    while min(picture.shape[1:3]) * scale >= 12:
        boxes, scores, offsets = proposals(arrays, picture, scale)
        rows = kept(boxes, scores, 0.5)
        found.append((boxes[rows], scores[rows], offsets[rows]))
        scale *= FACTOR
    boxes, scores, offsets = (np.concatenate(part) for part in zip(*found))
    rows = kept(boxes, scores, 0.7)
    boxes = squared(refined(boxes[rows], offsets[rows]))
    scores, offsets = looked_at(arrays, "rnet", picture, boxes, 24)
    passed = np.flatnonzero(scores > THRESHOLDS[1])
    rows = passed[kept(boxes[passed], scores[passed], 0.7)]
    boxes = squared(refined(boxes[rows], offsets[rows], 1))
    scores, offsets, points = looked_at(arrays, "onet", picture, boxes, 48)
    passed = scores > THRESHOLDS[2]
    boxes, scores, offsets, points = boxes[passed], scores[passed], offsets[passed], points[passed]
    sides = boxes[:, None, 2:] - boxes[:, None, :2] + 1
    points = points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides + boxes[:, None, :2] - 1
    boxes = refined(boxes, offsets, 1)
    rows = kept(boxes, scores, 0.7)
    return boxes[rows], scores[rows], points[rows]


@pytest.mark.slow
def test_faces_and_landmarks_are_the_stored_ones(arrays, expected, shared_data, folder):
    for name, known in expected["faces"].items():
        path = folder / name if name == "astronaut.png" else shared_data / "coco_mini" / "train" / name
        boxes, scores, points = faces(arrays, pixels(path))
        order = np.argsort([-one["score"] for one in known], kind="stable")
        np.testing.assert_allclose(scores, [known[at]["score"] for at in order], atol=1e-5)
        np.testing.assert_allclose(boxes, [known[at]["box"] for at in order], atol=0.01)
        np.testing.assert_allclose(points, [known[at]["landmarks"] for at in order], atol=0.01)
