"""Stylizers: published ones give their expected pictures, mixtures and any size included."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

import seqnets as sn
from seqnets.models.stylizer import Stylizer, StylizerConfig, from_description, stylized
from seqnets.models.taps import Taps
from seqnets.nn.instance_norm import InstanceNorm
from seqnets.weights.stylizer import published_stylizer

SMALL = StylizerConfig(widths=(2, 3, 4), residual_blocks=1, expansion=(3, 2))
NAMES = {
    **{f"conv{n + 1}": f"contract.{n}" for n in range(3)},
    **{f"resid{n + 1}": f"residual.{n}" for n in range(5)},
    **{f"conv_t{n + 1}": f"expand.{n}" for n in range(2)},
}


@pytest.fixture(scope="module")
def photo(shared_data):
    return np.asarray(Image.open(shared_data / "fast_style" / "chicago_256x172.png").convert("RGB"))


@pytest.mark.parametrize("name", ["wave", "scream"])
def test_one_style(shared_data, photo, name):
    folder = shared_data / "fast_style"
    expected = json.loads((folder / f"{name}_expected.json").read_text())
    model = published_stylizer(folder / f"{name}.safetensors")
    found = Taps(model, [*NAMES.values()])(jnp.asarray(photo[None]))
    for theirs, ours in NAMES.items():
        assert float(jnp.linalg.norm(found[ours])) == pytest.approx(expected["feature_l2"][theirs], rel=1e-5)
    painted = stylized(model, photo).astype(int)
    assert np.abs(painted - np.asarray(Image.open(folder / f"{name}_expected.png").convert("RGB"))).max() <= 1


@pytest.mark.parametrize("case", ["style0", "style7", "mix_3_and_12"])
def test_several_styles_and_their_mixture(shared_data, photo, case):
    folder = shared_data / "multistyle26"
    expected = json.loads((folder / "expected.json").read_text())["cases"][case]
    model = published_stylizer(folder / "multistyle26.safetensors")
    mix = [expected["weights"].get(str(n), 0.0) for n in range(26)]
    painted = stylized(model, photo, mix).astype(int)
    assert np.abs(painted - np.asarray(Image.open(folder / f"{case}.png").convert("RGB"))).max() <= 1
    for place, value in expected["pixels"].items():
        row, column = map(int, place.split(","))
        np.testing.assert_allclose(painted[row, column] / 255, value, atol=0.003)


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (33, 18)])
def test_pictures_of_any_size(size):
    model = Stylizer(SMALL, ["one"], rngs=nnx.Rngs(0))
    painted = stylized(model, np.full((*size, 3), 99, np.uint8))
    assert (painted.shape, painted.dtype) == ((*size, 3), np.uint8)


def test_a_norm_takes_the_mixture_of_rows_and_forgets_the_scale_of_its_input():
    norm = InstanceNorm(3, styles=2)
    rng = np.random.default_rng(0)
    scale, bias, x = rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), rng.normal(2, 3, size=(2, 4, 5, 3))
    norm.scale.set_value(jnp.asarray(scale, jnp.float32))
    norm.bias.set_value(jnp.asarray(bias, jnp.float32))
    mix = np.array([[0.3, 0.7], [1.0, 0.0]])
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    expected = expected * (mix @ scale)[:, None, None] + (mix @ bias)[:, None, None]
    np.testing.assert_allclose(norm(jnp.asarray(x, jnp.float32), jnp.asarray(mix, jnp.float32)), expected, rtol=2e-4, atol=2e-5)
    with pytest.raises(sn.UserError, match="has 2 features but the instance norm has 3"):
        norm(jnp.zeros((1, 2, 2, 2)), jnp.ones((1, 2)))


def test_a_new_style_keeps_the_rows_of_the_old_ones():
    old = Stylizer(SMALL, ["one", "two"], rngs=nnx.Rngs(0))
    new = sn.models.grown(old, rngs=nnx.Rngs(1), styles=["two", "three"])
    assert new.styles == ("two", "three")
    assert (new.contract[0].norm.scale[0] == old.contract[0].norm.scale[1]).all()
    assert from_description(new.describe()).config == SMALL


def test_files_of_other_networks(tmp_path):
    np.savez(tmp_path / "a.npz", kernel=np.zeros(3))
    with pytest.raises(sn.UserError, match="holds no stylizer"):
        published_stylizer(tmp_path / "a.npz")
