"""Weights that others trained give what their own definitions give."""

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets.models.registry import create_model

WEIGHTS = "weights/cifar10_resnet20/resnet20-12fca82f.npz"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_the_cifar_resnet_classifies_as_its_torch_definition_does(shared_data):
    torch = pytest.importorskip("torch")
    from oracles.torch_cnn.residual import CifarResNet

    module = CifarResNet().eval()
    arrays = dict(np.load(shared_data / WEIGHTS))
    missing, unexpected = module.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()}, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    files = sorted((shared_data / "images/foolbox_samples").glob("cifar10_*.png"))
    labels = np.array([int(file.stem.rsplit("_", 1)[1]) for file in files])
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]) / 255
    images = ((pixels - [[0.485, 0.456, 0.406]]) / [[0.229, 0.224, 0.225]]).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))["logits"].numpy()
    model = create_model("resnet20", weights=shared_data / WEIGHTS)
    assert model.preprocessing is not None
    structure, state = nnx.split(model)
    batch = np.stack([model.preprocessing(file) for file in files])
    logits = np.asarray(jax.jit(lambda state, x: nnx.merge(structure, state)(x)["logits"])(state, batch))
    assert len(files) == 20
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    np.testing.assert_array_equal(logits.argmax(-1), expected.argmax(-1))
    assert (logits.argmax(-1) == labels).sum() >= 18
