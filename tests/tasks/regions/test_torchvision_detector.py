"""A Mask R-CNN of torchvision, number by number: features, proposals, predictions, losses and gradients."""

import json
from itertools import product

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.images.published import IMAGENET_MEAN, IMAGENET_STD
from seqnets.decode.region_maps import pasted
from seqnets.models.detector.config import DetectorConfig
from seqnets.models.detector.region_detector import RegionDetector
from seqnets.named_arrays import host_arrays, replace_arrays
from seqnets.nn.chain import Chain
from seqnets.nn.conv_norm import ConvNorm
from seqnets.tasks.detector import DetectionLossConfig
from seqnets.tasks.detector.region_losses import region_losses

SHAPES = ("circle", "square", "triangle", "cross")
CONFIG = DetectorConfig(
    method="regions", sides=(14 / 64, 22 / 64), ratios=(), considered=200, proposed=30, pooling="align", aligned=False, grid=5,
    hidden_features=64, suppression=0.5, least_score=0.05, head_features=48,
    masks=True, map_grid=7, map_features=24, map_layers=2,
)  # fmt: skip
EVERY = DetectionLossConfig(anchor_samples=999, anchor_share=1.0, region_samples=999, region_share=1.0, proposals=50)


class Backbone(nnx.Module):
    feature_maps = (("last", (16, 16, 48)),)

    def __init__(self, rngs):
        shapes = [(3, 16, 2), (16, 32, 1), (32, 32, 2), (32, 48, 1), (48, 48, 1)]
        self.layers = Chain([ConvNorm(one, other, 3, stride=step, padding=1, rngs=rngs) for one, other, step in shapes])

    def __call__(self, x, *, train=False, key=None):
        return {"last": self.layers(x, train=train)}


def kernel(array):  # [out, in, rows, columns]
    return array.transpose(2, 3, 1, 0)


def stamp(array):  # [in, out, rows, columns]
    return array.transpose(2, 3, 0, 1)


def dense(array):
    return array.T


def flat(array):  # its inputs were (channel, row, column)
    return array.reshape(64, 48, 5, 5).transpose(2, 3, 1, 0).reshape(1200, 64)


def cell(array):
    return array.T[None, None]


def background(array):
    return array[..., :1]


def classes(array):
    return array[..., None, 1:]


def class_boxes(array):  # of (class, number), the first class the background
    return array.reshape(*array.shape[:-1], 5, 4).swapaxes(-1, -2)[..., 1:]


# ours, theirs, and the changes of the layout of a kernel and of both
TABLE = [
    *((f"encoder.layers.{i}.conv", f"backbone.{3 * i}", [kernel], []) for i in range(5)),
    ("proposer.before.0", "rpn.head.conv.0.0", [kernel], []),
    ("proposer.classes", "rpn.head.cls_logits", [kernel], [lambda array: array[..., None]]),
    ("proposer.numbers", "rpn.head.bbox_pred", [kernel], []),
    ("head.hidden.0", "roi_heads.box_head.fc6", [flat], []),
    ("head.hidden.2", "roi_heads.box_head.fc7", [dense], []),
    ("head.background", "roi_heads.box_predictor.cls_score", [cell], [background]),
    ("head.classes", "roi_heads.box_predictor.cls_score", [cell], [classes]),
    *((f"mask_head.before.{2 * i}", f"roi_heads.mask_head.{i}.0", [kernel], []) for i in range(2)),
    ("mask_head.before.4", "roi_heads.mask_predictor.conv5_mask", [stamp], []),
    ("mask_head.maps", "roi_heads.mask_predictor.mask_fcn_logits", [kernel], [classes]),
    ("head.offsets", "roi_heads.box_predictor.bbox_pred", [cell], [class_boxes]),
]  # fmt: skip
NORM = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


def translated(theirs):
    found = {}
    for ours, name, of_kernel, of_both in TABLE:
        for leaf, source, changes in (("kernel", "weight", [*of_kernel, *of_both]), ("bias", "bias", of_both)):
            if f"{name}.{source}" in theirs:
                array = theirs[f"{name}.{source}"]
                for change in changes:
                    array = change(array)
                found[f"{ours}.{leaf}"] = array
    norms = [(f"encoder.layers.{i}.norm.{ours}", f"backbone.{3 * i + 1}.{name}") for i in range(5) for ours, name in NORM.items()]
    return found | {ours: theirs[name] for ours, name in norms}


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "mask_rcnn_tiny"


@pytest.fixture(scope="module")
def golden(folder):
    return np.load(folder / "golden.npz")


@pytest.fixture(scope="module")
def model(folder):
    rule, rngs = Preprocessing(resize=(64, 64), crop=None, mean=IMAGENET_MEAN, std=IMAGENET_STD), nnx.Rngs(0)
    model = RegionDetector(CONFIG, SHAPES, rule, encoder=Backbone(rngs), rngs=rngs)
    arrays = translated(load_file(folder / "mask_rcnn_tiny.safetensors"))
    graphdef, state = nnx.split(model)
    return nnx.merge(graphdef, replace_arrays(state, arrays, source="torchvision's file"))


@pytest.fixture(scope="module")
def output(model, golden):
    return jax.jit(lambda images: model(model.preprocessing.normalize(images)))(golden["images"])


def test_features_and_anchors_are_theirs(model, output, golden):
    np.testing.assert_allclose(output["maps"][0].transpose(0, 3, 1, 2), golden["features"], atol=1e-5)
    theirs = golden["rpn_objectness"].transpose(0, 2, 3, 1).reshape(4, -1)
    np.testing.assert_allclose(output["objectness"], theirs, atol=1e-5)
    offsets = golden["rpn_offsets"].reshape(4, 2, 4, 16, 16).transpose(0, 3, 4, 1, 2).reshape(4, -1, 4)
    np.testing.assert_allclose(output["offsets"], offsets, atol=1e-5)


def test_proposals_and_predictions_are_theirs(model, output, golden):
    proposals = jax.jit(model.propose)(output)
    theirs = np.stack([golden[f"proposals_{row}"] for row in range(4)])
    np.testing.assert_allclose(proposals.boxes, theirs, atol=1e-4)
    features = model.pool(output, proposals.boxes, "align", 5)
    np.testing.assert_allclose(features.reshape(120, 5, 5, 48).transpose(0, 3, 1, 2), golden["box_features"], atol=1e-5)
    found = model.regions(output, proposals.boxes)
    np.testing.assert_allclose(found["logits"].reshape(120, 5), golden["class_logits"], atol=1e-5)
    offsets = golden["box_regression"].reshape(120, 5, 4)[:, 1:]
    np.testing.assert_allclose(found["offsets"].reshape(120, 4, 4), offsets, atol=1e-5)


def test_detections_are_theirs(model, output, golden):
    detected = jax.jit(model.detect)(output)
    for row in range(4):
        count = int((detected.scores[row] > 0).sum())
        boxes, labels, scores = (golden[f"out_{name}_{row}"] for name in ("boxes", "labels", "scores"))
        assert count == len(scores)
        np.testing.assert_allclose(detected.scores[row, :count], scores, atol=1e-5)
        np.testing.assert_array_equal(detected.labels[row, :count] + 1, labels)
        np.testing.assert_allclose(detected.boxes[row, :count], boxes, atol=1e-3)
        masks = pasted(detected.masks[row, :count], boxes, (64, 64), rounded=True)
        np.testing.assert_allclose(masks, golden[f"out_masks_{row}"], atol=1e-3)


def test_losses_and_gradients_are_theirs(model, golden, folder):
    expected = json.loads((folder / "expected.json").read_text())
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)
    batch = {"boxes": golden["boxes"].astype(np.float32), "labels": golden["labels"] - 1, "masks": golden["masks"]}

    @jax.jit
    def losses(params, images):
        model = nnx.merge(graphdef, params, rest)
        parts = region_losses(model, model(model.preprocessing.normalize(images)), batch, EVERY, jax.random.key(0))
        return sum(parts.values()), parts

    (_, parts), gradients = jax.jit(jax.value_and_grad(losses, has_aux=True))(params, golden["images"])
    names = {"classifier": "classes", "box_reg": "offsets", "objectness": "objectness", "rpn_box_reg": "anchors", "mask": "masks"}
    wanted = expected["losses_with_every_anchor_and_proposal_sampled_and_batch_norm_frozen"]
    assert {theirs: float(parts[ours]) for theirs, ours in names.items()} == pytest.approx(
        {theirs: wanted[f"loss_{theirs}"] for theirs in names}, rel=1e-5
    )
    found = {name: np.square(array).sum() for name, array in host_arrays(gradients).items()}
    theirs = {name: value**2 for name, value in expected["gradient_l2"].items()}
    for place, (ours, leaf) in product(range(5), (("scale", "weight"), ("bias", "bias"))):
        total = found[f"encoder.layers.{place}.norm.{ours}"]
        assert total == pytest.approx(theirs[f"backbone.{3 * place + 1}.{leaf}"], rel=2e-4)
    for source in {source for _, source, *_ in TABLE}:
        own = [ours for ours, name, *_ in TABLE if name == source]
        for leaf, of in (("kernel", "weight"), ("bias", "bias")):
            if f"{source}.{of}" in theirs:
                total = sum(found[f"{name}.{leaf}"] for name in own)
                assert total**0.5 == pytest.approx(theirs[f"{source}.{of}"] ** 0.5, rel=1e-4), f"{source}.{of}"
