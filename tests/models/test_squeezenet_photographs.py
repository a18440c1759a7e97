"""SqueezeNet 1.1 with its real weights gives the logits recorded for real photographs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from PIL import Image

from seqnets.models.registry import abstract_model

MEAN = np.array([104.006, 116.669, 122.679], np.float32)  # blue, green, red
FIRES = {
    "stage1": ["fire2", "fire3"],
    "stage2": ["fire4", "fire5"],
    "stage3": ["fire6", "fire7", "fire8", "fire9"],
}


def loaded(path):
    arrays = dict(np.load(path))
    model = abstract_model("squeezenet1_1")
    layers = {"conv1": model.stem[0], "conv10": model.maps[1]}
    for stage, fires in FIRES.items():
        for index, fire in enumerate(fires, 1):
            module = getattr(model, stage)[index]
            layers |= {f"{fire}/squeeze1x1": module.squeeze}
            layers |= {f"{fire}/expand1x1": module.expand1x1, f"{fire}/expand3x3": module.expand3x3}
    for name, layer in layers.items():
        assert layer.kernel.shape == arrays[f"{name}/weight"].shape
        layer.kernel = nnx.Param(jnp.asarray(arrays[f"{name}/weight"]))
        layer.bias = nnx.Param(jnp.asarray(arrays[f"{name}/bias"]))
    return model


def photograph(path):
    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - 227) // 2, (image.height - 227) // 2
    return np.asarray(image.crop((left, top, left + 227, top + 227)), np.float32)[:, :, ::-1] - MEAN


def test_real_weights_give_the_recorded_logits(shared_data):
    model = loaded(shared_data / "weights/squeezenet1_1/squeezenet1_1.npz")
    record = json.loads((shared_data / "weights/squeezenet1_1/expected_on_imagenet_samples.json").read_text())["images"]
    names = sorted(record)[:8]
    images = np.stack([photograph(shared_data / "images/imagenet_samples" / name) for name in names])
    structure, state = nnx.split(model)
    logits = np.asarray(jax.jit(lambda state, x: nnx.merge(structure, state)(x)["logits"])(state, images))
    for name, scores in zip(names, logits):
        best = np.argsort(-scores)[:5]
        assert best.tolist() == record[name]["top5"]
        np.testing.assert_allclose(scores[best], record[name]["logits"], rtol=1e-3, atol=1e-3)
