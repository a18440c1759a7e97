"""The two-layer network of `examples/two_layer`, written for several libraries, has the same losses in each."""

import json
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "two_layer"
STEPS = 51


@pytest.fixture(autouse=True, scope="module")
def importable():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield


@pytest.fixture(scope="module")
def expected(importable):
    return import_module("in_numpy").losses(STEPS)


def test_numpy_reproduces_the_recorded_run(shared_data):
    recorded = json.loads((shared_data / "two_layer" / "expected.json").read_text())["loss_at"]
    found = import_module("in_numpy").losses()
    assert [found[int(step)] for step in recorded] == pytest.approx(list(recorded.values()), rel=1e-9)


@pytest.mark.parametrize("name", ["in_torch_of_2017", "in_torch", "in_jax", "in_flax", "in_seqnets"])
def test_every_library_finds_the_same_losses(name, expected):
    if "torch" in name:
        pytest.importorskip("torch")
    assert import_module(name).losses(STEPS) == pytest.approx(expected, rel=1e-4)
