"""Taps give what the layers of a network compute, wherever they are, and stop after the last one that is wanted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from seqnets.errors import UserError
from seqnets.models import Taps, abstract_model, create_model, layer_names
from seqnets.models.taps import _compiled
from seqnets.nn import Conv, Dense


@pytest.fixture(scope="module")
def network():
    return create_model("squeezenet1_1", classes=4, stages=[[(2, 4)], [(2, 8)]])


@pytest.fixture(scope="module")
def x():
    return jnp.asarray(np.random.default_rng(0).standard_normal((2, 31, 31, 3)), jnp.float32)


def test_layers_inside_equal_the_same_layers_called_by_hand(network, x):
    stem = network.stem(x)
    pooled = network.stage1[0](stem)
    squeezed = network.stage1[1].squeeze(pooled)
    fire = network.stage1[1](pooled)
    found = Taps(network, ["stage1.1.squeeze", "stem", "stage1.0", "stage1.1", "stage1"])(x)
    for name, expected in {"stem": stem, "stage1.0": pooled, "stage1.1.squeeze": squeezed, "stage1.1": fire}.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-6, err_msg=name)
    assert list(found) == ["stage1.1.squeeze", "stem", "stage1.0", "stage1.1", "stage1"]


def test_features_are_those_of_the_network(network, x):
    expected = jax.jit(lambda x: network(x))(x)
    found = Taps(network, network.feature_names)(x)
    assert list(found) == list(network.feature_names)
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)


def test_a_plain_function_in_a_chain_is_a_layer():
    network = create_model("lenet5_relu")
    x = jnp.ones((1, 28, 28, 1))
    found = Taps(network, ["stage1.0", "stage1.1"])(x)
    np.testing.assert_array_equal(found["stage1.1"], jax.nn.relu(found["stage1.0"]))


def test_logits_are_wide_though_the_network_is_not(x):
    network = create_model("squeezenet1_1", classes=4, stages=[[(2, 4)]], dtype=jnp.bfloat16)
    found = Taps(network, ["stem", "logits"])(x)
    assert {name: array.dtype.name for name, array in found.items()} == {"stem": "bfloat16", "logits": "float32"}


def test_features_before_the_dense_layers_take_images_of_any_size():
    network = create_model("lenet5")
    assert Taps(network, "stage2")(jnp.ones((1, 40, 50, 1)))["stage2"].shape == (1, 16, 21, 16)
    with pytest.raises(UserError, match="another size"):
        Taps(network, "logits")(jnp.ones((1, 40, 50, 1)))


def test_two_taps_of_a_network_share_a_program(network, x):
    Taps(network, "stem")(x)
    before = _compiled._cache_size()
    Taps(network, ["stem"])(2 * x)
    assert _compiled._cache_size() == before


def test_the_model_stays_as_it_was(network, x):
    kinds = [type(module) for _, module in nnx.iter_modules(network)]
    Taps(network, layer_names(network)[:8])(x)
    assert [type(module) for _, module in nnx.iter_modules(network)] == kinds


def test_any_module_that_takes_an_array():
    class Twice(nnx.Module):
        def __init__(self):
            self.conv, self.dense = Conv(1, 2, 3, rngs=nnx.Rngs(0)), Dense(2, 2, rngs=nnx.Rngs(1))

        def __call__(self, x):
            y = self.dense(self.conv(x).mean((1, 2)))
            return self.dense(y), y

    model, x = Twice(), jnp.ones((1, 5, 5, 1))
    np.testing.assert_allclose(Taps(model, "dense")(x)["dense"], model(x)[1], rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("stage9", "near it are stage4, stage3, stage2"),
        ("stage1.0.conv7", "near it are stage1.0.conv3"),
        ("conv1", "near it are stage1.0.conv1"),
        ("zzz", "it has stem, stage1, stage2, stage3, stage4, pool, logits, and the layers inside them"),
        ("", "it has stem"),
    ],
)
def test_an_unknown_layer_lists_those_near_it(layer, said):
    with pytest.raises(UserError, match="has no layer") as error:
        Taps(abstract_model("resnet50"), layer)
    assert said in str(error.value)


def test_a_layer_that_runs_in_training_only_says_so():
    network = abstract_model("googlenet", auxiliary_heads=True)
    head = network.auxiliary_taps[0][0]
    with pytest.raises(UserError, match=f"layer '{head}' computes nothing"):
        jax.eval_shape(Taps(network, head), jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32))
