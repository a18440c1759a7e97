"""transformers' ResNet: its names, its shape of the network, its folders."""

# ruff: noqa: E402  # nothing of this without torch

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.torch import load_file

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.errors import UserError
from seqnets.models.registry import create_model
from seqnets.weights import save_weights
from weights.test_parity import assert_close, compute, images_of
from weights.torch_random import randomized

OPTIONS = {"depths": (1, 2, 1, 1), "features": 8, "classes": 5}
EXPANSION = {"resnet50": 4, "resnet18": 1}


def their_resnet(network, kind=transformers.ResNetForImageClassification, **options):
    sizes = [8 * EXPANSION[network] * 2**s for s in range(4)]
    layer = "basic" if network == "resnet18" else "bottleneck"
    config = transformers.ResNetConfig(
        depths=[1, 2, 1, 1], hidden_sizes=sizes, embedding_size=8, layer_type=layer, num_labels=5, **options
    )
    return randomized(kind(config))


def saved(module, folder):
    module.save_pretrained(folder)
    processor = {"size": {"shortest_edge": 64}, "crop_pct": 0.875, "resample": 3, "image_mean": [0.4] * 3, "image_std": [0.2] * 3}
    (folder / "preprocessor_config.json").write_text(str(processor).replace("'", '"'))
    return folder


@pytest.mark.parametrize("network", EXPANSION)
def test_every_stage_agrees_with_transformers(network, tmp_path):
    module, images = their_resnet(network), images_of((64, 64))
    model = create_model(network, weights=saved(module, tmp_path), **OPTIONS)
    with torch.no_grad():
        theirs = module(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), output_hidden_states=True)
    ours = compute(model, images)
    for name, hidden in zip(("stem", "stage1", "stage2", "stage3", "stage4"), theirs.hidden_states, strict=True):
        assert_close(ours[name], hidden.permute(0, 2, 3, 1).numpy())
    assert_close(ours["logits"], theirs.logits.numpy())


def test_transformers_takes_the_weights_back(tmp_path):
    module = their_resnet("resnet18")
    model = create_model("resnet18", weights=saved(module, tmp_path), **OPTIONS)
    save_weights(model, tmp_path / "ours.safetensors", names="huggingface")
    original = module.state_dict()
    for name, tensor in load_file(tmp_path / "ours.safetensors").items():
        assert torch.equal(tensor, original[name])
    again = their_resnet("resnet18")
    again.load_state_dict(load_file(tmp_path / "ours.safetensors"), strict=True)


def test_what_the_weights_expect_of_images_is_read_beside_them(tmp_path):
    model = create_model("resnet18", weights=saved(their_resnet("resnet18"), tmp_path), **OPTIONS)
    expected = {"resize": 73, "crop": (64, 64), "mean": (0.4,) * 3, "std": (0.2,) * 3, "interpolation": "bicubic"}
    assert model.preprocessing is not None
    assert {name: getattr(model.preprocessing, name) for name in expected} == expected
    save_weights(model, tmp_path / "elsewhere.safetensors")
    (tmp_path / "preprocessor_config.json").unlink()
    again = create_model("resnet18", weights=tmp_path / "elsewhere.safetensors", **OPTIONS)
    assert again.preprocessing == model.preprocessing != Preprocessing()


def test_a_backbone_without_its_head_is_recognized_and_needs_leave_out(tmp_path):
    folder = saved(their_resnet("resnet18", transformers.ResNetModel), tmp_path)
    with pytest.raises(UserError, match=r"only in the network: classifier.1 \(our logits\): bias \(5,\), weight \(5, 64\)"):
        create_model("resnet18", weights=folder, **OPTIONS)
    model = create_model("resnet18", weights=folder, leave_out="logits", **OPTIONS)
    assert np.isfinite(model.logits.kernel[...]).all()


def test_bottlenecks_that_stride_early_are_refused(tmp_path):
    folder = saved(their_resnet("resnet50", downsample_in_bottleneck=True), tmp_path)
    with pytest.raises(UserError, match="downsample_in_bottleneck"):
        create_model("resnet50", weights=folder, **OPTIONS)
