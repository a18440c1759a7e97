import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from seqnets.errors import UserError
from seqnets.models.cnn.network import feature_shapes
from seqnets.models.pattern import parse_pattern, pattern_network

CLASSIC = "INPUT -> [[CONV -> RELU]*2 -> POOL]*3 -> [FC -> RELU]*2 -> FC"


def names(text):
    return [token.text for token in parse_pattern(text)]


def test_the_classic_pattern_is_written_out():
    block = ["CONV", "RELU", "CONV", "RELU", "POOL"]
    assert names(CLASSIC) == ["INPUT", *block * 3, "FC", "RELU", "FC", "RELU", "FC"]


@pytest.mark.parametrize("text", ["INPUT->FC", "  INPUT  ->\n FC ", "INPUT -> [FC]*1", "INPUT -> [[[FC]]]"])
def test_spelling_does_not_matter(text):
    assert names(text) == ["INPUT", "FC"]


@pytest.mark.parametrize(
    ("text", "position", "complaint"),
    [
        ("", 1, "found 'the end'"),
        ("INPUT -> ", 9, "expected a layer or '[', found 'the end'"),
        ("INPUT CONV -> FC", 7, "expected '->' or the end, found 'CONV'"),
        ("INPUT -> [CONV -> RELU*2 -> FC", 31, "expected '->' or ']', found 'the end'"),
        ("INPUT -> CONV] -> FC", 14, "expected '->' or the end, found ']'"),
        ("INPUT -> CNOV -> FC", 10, "no layer is called 'CNOV'; did you mean CONV?"),
        ("INPUT -> CONV*0 -> FC", 15, "expected how often to repeat"),
        ("INPUT -> CONV*x -> FC", 15, "found 'x'"),
        ("INPUT -> CONV* -> FC", 16, "found '->'"),
        ("INPUT -> [CONV]*99999999999 -> FC", 17, "are more than 10000"),
        ("INPUT -> [[CONV]*5000]*5000 -> FC", 24, "are more than 10000"),
        ("CONV -> FC", 1, "begins with INPUT"),
        ("INPUT -> CONV -> RELU", 18, "ends with FC"),
        ("INPUT -> FC -> CONV -> FC", 16, "CONV needs an image"),
        ("INPUT -> INPUT -> FC", 10, "INPUT can only be first"),
        ("INPUT -> " + "[" * 80 + "FC" + "]" * 80, 60, "nest more than 50 deep"),
    ],
)
def test_a_malformed_pattern_is_refused_where_it_breaks(text, position, complaint):
    with pytest.raises(UserError) as caught:
        parse_pattern(text)
    message, shown, pointer = str(caught.value).split("\n")
    assert f"at character {position}: " in message
    assert complaint in message
    assert shown == text
    assert pointer == " " * (position - 1) + "^"


def test_the_classic_pattern_builds_a_network():
    shapes = feature_shapes(lambda: pattern_network(CLASSIC, image_size=32, features=8, rngs=nnx.Rngs(0)), (32, 32, 3))
    assert shapes == {
        "stage1": (32, 32, 8),
        "stage2": (16, 16, 16),
        "stage3": (8, 8, 32),
        "stage4": (4, 4, 32),
        "fc1": (128,),
        "fc2": (128,),
        "logits": (10,),
    }


def test_a_pattern_network_has_the_parameters_its_layers_have():
    text = "INPUT -> CONV -> NORM -> RELU -> POOL -> DROPOUT -> FC -> RELU -> FC"
    model = pattern_network(text, image_size=(6, 4), features=5, hidden_features=7, classes=3, rngs=nnx.Rngs(0))
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    assert count == (27 * 5 + 5) + 10 + (3 * 2 * 5 * 7 + 7) + (7 * 3 + 3)
    assert model(jnp.ones((2, 6, 4, 3)), train=True, key=jax.random.key(0))["logits"].shape == (2, 3)


def test_a_network_of_dense_layers_alone():
    shapes = feature_shapes(lambda: pattern_network("INPUT -> FC", image_size=8, rngs=nnx.Rngs(0)), (8, 8, 3))
    assert shapes == {"logits": (10,)}


def test_more_pooling_than_pixels_shows_the_arithmetic():
    with pytest.raises(UserError, match=r"\(1 - 2 \+ 0 \+ 0\)/2 \+ 1"):
        pattern_network("INPUT -> [CONV -> POOL]*4 -> FC", image_size=8, rngs=nnx.Rngs(0))
