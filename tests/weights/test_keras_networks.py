"""Networks of keras.applications, their weights saved by Keras in each of its formats, give Keras' logits."""

import os

import jax
import numpy as np
import pytest
from flax import nnx

from seqnets.models.registry import create_model
from seqnets.weights import load_weights

pytest.importorskip("h5py")
os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

CLASSES = 7
pytestmark = pytest.mark.filterwarnings("ignore")  # Keras' own


def resnet():
    from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1

    def stages(x):
        x = stack_residual_blocks_v1(x, 64, 2, stride1=1, name="conv2")
        for stage, features in enumerate((128, 256, 512), 3):
            x = stack_residual_blocks_v1(x, features, 1, name=f"conv{stage}")
        return x

    return ResNet(stages, preact=False, use_bias=True, **SHARED)


def densenet():
    from keras.src.applications.densenet import DenseNet

    return DenseNet([2, 1, 1, 1], **SHARED)


SHARED = {"weights": None, "classes": CLASSES, "classifier_activation": None, "input_shape": (64, 64, 3)}
CASES = {
    "resnet": (resnet, "resnet50_v1", {"depths": (2, 1, 1, 1)}, "bgr"),
    "densenet": (densenet, "densenet121", {"depths": (2, 1, 1, 1)}, "rgb"),
    "mobilenet": (lambda: keras.applications.MobileNet(alpha=0.25, **SHARED), "mobilenet_v1_same", {"width": 0.25}, "rgb"),
    "mobilenet_v2": (lambda: keras.applications.MobileNetV2(alpha=0.35, **SHARED), "mobilenet_v2_same", {"width": 0.35}, "rgb"),
}


def randomized(model):
    rng = np.random.default_rng(0)
    draws = {"gamma": (1.0, 0.1), "beta": (0.0, 0.2), "moving_mean": (0.0, 0.2), "bias": (0.0, 0.2)}
    for layer in model.layers:
        arrays = layer.get_weights()
        for index, variable in enumerate(layer.variables):
            if variable.name in draws:
                mean, scale = draws[variable.name]
                arrays[index] = rng.normal(mean, scale, arrays[index].shape).astype(np.float32)
            elif variable.name == "moving_variance":
                arrays[index] = rng.uniform(0.3, 1.5, arrays[index].shape).astype(np.float32)
        layer.set_weights(arrays)
    return model


def logits_of(model, images):
    return np.asarray(nnx.jit(lambda model, x: model(x)["logits"])(model, images))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_logits_agree_with_keras(name, tmp_path):
    make, network, options, channels = CASES[name]
    theirs = randomized(make())
    images = np.random.default_rng(1).normal(size=(2, *theirs.input_shape[1:])).astype(np.float32)
    with jax.numpy_rank_promotion("allow"):
        expected = theirs.predict(images, verbose=0).reshape(2, -1)
    theirs.save_weights(tmp_path / "a.weights.h5")
    theirs.save(tmp_path / "b.keras")
    theirs.save(tmp_path / "c.h5")
    ours = create_model(network, classes=CLASSES, weights=tmp_path / "a.weights.h5", **options)
    assert ours.preprocessing.channels == channels
    np.testing.assert_allclose(logits_of(ours, images), expected, atol=1e-4 * np.abs(expected).max())
    first = arrays_of(ours)
    for file in ("b.keras", "c.h5"):
        load_weights(ours, tmp_path / file)
        assert all(np.array_equal(left, right) for left, right in zip(first, arrays_of(ours), strict=True))


def arrays_of(model):
    return [np.array(leaf) for leaf in jax.tree.leaves(nnx.state(model))]
