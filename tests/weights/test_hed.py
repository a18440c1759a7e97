"""The VGG trunk of an edge detector: features and Gram matrices as published."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import seqnets as sn
from seqnets.dream.objectives import gram
from seqnets.dream.optimize import watched

LAYERS = {"conv1_1": "stage1.1", "conv2_2": "stage2.4", "conv3_1": "stage3.2", "conv4_2": "stage4.4", "conv5_1": "stage5.2"}


def test_features_and_gram_matrices(shared_data):
    folder = shared_data / "hed_vgg16"
    expected = json.loads((folder / "expected.json").read_text())["images"]["coffee.png"]
    model = sn.create_model("vgg16_trunk", weights=folder / "hed_vgg16.fp16.safetensors")
    with Image.open(folder / "coffee.png") as image:
        picture = np.asarray(image.convert("RGB"), np.float32)[None]
    found = watched(model, list(LAYERS.values()))(jnp.asarray(picture))
    for theirs, ours in LAYERS.items():
        assert float(jnp.linalg.norm(found[ours])) == pytest.approx(expected["feature_l2"][theirs], rel=1e-3)
    positions = found["stage3.2"][0, ..., 0].size
    assert float(jnp.trace(gram(found["stage3.2"])[0])) * positions == pytest.approx(expected["gram_conv3_1"]["trace"], rel=1e-3)
