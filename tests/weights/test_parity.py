"""Networks with other libraries' weights compute what those libraries' definitions compute, at every stage."""

# ruff: noqa: E402  # nothing of this without torch

import jax
import numpy as np
import pytest
from flax import nnx

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file

from seqnets.models.registry import create_model
from seqnets.weights import save_weights
from weights.parity_cases import CASES, CLASSES
from weights.torch_random import features_of, randomized

TOLERANCE = 1e-4  # of the largest value of a stage
QUICK = {"xla_backend_optimization_level": 0}  # each program runs once, and compiling takes most of the time


def compute(model, images):
    structure, state = nnx.split(model)
    return jax.jit(lambda state, x: nnx.merge(structure, state)(x), compiler_options=QUICK)(state, images)


def assert_close(ours, theirs):
    assert ours.shape == theirs.shape
    assert np.abs(np.asarray(ours) - theirs).max() <= TOLERANCE * np.abs(theirs).max()


def images_of(size, batch=2):
    return np.random.default_rng(7).normal(size=(batch, *size, 3)).astype(np.float32)


_ALIKE = (
    "resnext50",
    "wide_resnet50",
    "vgg13_timm",
    "mobilenet_v2_timm",
    "mobilenet_v1_timm",
    "vgg11",
)  # quick ones stand for them
SLOW = dict.fromkeys(("inception_v4", "inception_v3", "googlenet", "densenet121", *_ALIKE), pytest.mark.slow)


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in CASES])
def test_every_stage_agrees_with_torch_and_the_weights_go_back_unchanged(name, tmp_path):
    case = CASES[name]
    module = randomized(case.oracle())
    save_file(module.state_dict(), tmp_path / "theirs.safetensors")
    model = create_model(case.network, classes=CLASSES, weights=tmp_path / "theirs.safetensors", **case.options)
    images = images_of(case.size)
    theirs, ours = features_of(module, images), compute(model, images)
    assert list(theirs) == list(model.feature_names)
    for stage in theirs:
        assert_close(ours[stage], theirs[stage])
    _assert_torch_takes_them_back(model, case, module, tmp_path / "ours.safetensors")


def _assert_torch_takes_them_back(model, case, module, path):
    save_weights(model, path, names=case.source)
    again = case.oracle()
    again.load_state_dict(load_file(path), strict=True)
    original = module.state_dict()
    for name, tensor in again.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(tensor, original[name])


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_agree_with_torch(name, tmp_path):
    case = CASES[name]
    module = randomized(case.oracle(), seed=1)
    save_file(module.state_dict(), tmp_path / "theirs.safetensors")
    model = create_model(case.network, classes=CLASSES, weights=tmp_path / "theirs.safetensors", **case.options)
    theirs = {"aux": "AuxLogits", "aux1": "aux1", "aux2": "aux2"}
    for head, _ in model.auxiliary_taps:
        layer, oracle = getattr(model, head), getattr(module, theirs[head])
        x = np.random.default_rng(3).normal(
            size=(2, 17, 19, oracle.get_submodule("conv0" if head == "aux" else "conv").conv.in_channels)
        )
        with torch.no_grad():
            expected = oracle(torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32))).numpy()
        assert_close(layer(x.astype(np.float32)), expected)
