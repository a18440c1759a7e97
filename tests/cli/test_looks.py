"""`seqnets inspect WHAT`: each look draws a picture and says what it found."""

import json

import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets.cli.looks import LOOKS
from seqnets.data.demo.shapes import draw_shapes
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models import create_model
from seqnets.run import write_weights

RULE = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.5,), std=(0.5,))


@pytest.fixture
def words(tmp_path):
    """Six pictures, and the words that name a network."""
    write_weights(tmp_path / "lenet.safetensors", nnx.state(create_model("lenet5_relu", rngs=nnx.Rngs(3))))
    (tmp_path / "rule.json").write_text(json.dumps(RULE.to_json()))
    (tmp_path / "images").mkdir()
    for number, image in enumerate(draw_shapes(6)[0]):
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
    return ["--model", "lenet5_relu", "--weights", "lenet.safetensors", "--preprocessing", "rule.json"]


@pytest.mark.parametrize(
    ("look", "options", "size"),
    [
        ("filters", [], (64, 42)),
        ("activations", ["images/1.png", "--layer", "stage2"], None),
        ("saliency", ["images/1.png", "--class", "3", "--samples", "2"], (340, 112)),
        ("guided", ["images/1.png", "--layer", "stage2", "--channel", "4", "--at", "1,2"], (226, 112)),
        ("grad-cam", ["images/1.png", "--layer", "stage2"], (226, 112)),
        ("occlusion", ["images/1.png", "--window", "10", "--stride", "9", "--score", "logit"], (226, 112)),
        ("segmentation", ["images/1.png"], None),
        ("patches", ["images", "--layer", "stage1.0", "--channel", "5", "--top", "3"], None),
        ("neighbors", ["images", "--query", "images/2.png", "--top", "2", "--layer", "pool"], (196, 64)),
        ("map", ["images", "--perplexity", "2", "--layer", "pool"], (144, 96)),
    ],
)
def test_every_look_draws_and_answers_programs(seqnets, words, tmp_path, look, options, size):
    outcome = seqnets("inspect", look, *words, *options, "--figure", "found.png", "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    with Image.open(tmp_path / "found.png") as picture:
        assert size in (None, picture.size)
        assert np.asarray(picture).std() > 0
    first = found[0] if isinstance(found, list) else found
    if look == "guided":
        assert first["layer"] == "stage2"
        assert first["unit"] == (1 * 10 + 2) * 16 + 4
    if look == "neighbors":
        assert first["neighbors"][0] == {"file": "images/2.png", "distance": 0.0}
    if look == "saliency":
        assert (first["class"], first["label"]) == (3, "class 3")


def test_each_look_is_a_row_of_the_table(seqnets):
    assert seqnets("inspect", "--help").out.count("seqnets inspect ") >= len(LOOKS)
    assert "--window" in seqnets("inspect", "occlusion", "--help").out


def test_a_store_of_features_needs_no_network(seqnets, words, tmp_path):
    assert seqnets("features", *words, "images", "--layer", "stage2", "--out", "store").code == 0
    outcome = seqnets("inspect", "neighbors", "--store", "store", "--top", "2", "--metric", "cosine")
    assert outcome.code == 0, outcome.err
    assert len(outcome.out.splitlines()) == 7
    with Image.open(tmp_path / "neighbors.png") as picture:
        assert picture.size == (3 * 66 - 2, 6 * 66 - 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["saliency", "images/1.png", "--class", "10"], "its 10 classes are numbered from 0 to 9"),
        (["saliency", "images/1.png", "--class", "cat"], "the names of the classes are not known"),
        (["activations", "images/1.png", "--layer", "stage9"], "the network has no layer 'stage9'; near it are stage2, stage1"),
        (["saliency", "images/1.png", "--layer", "stage1"], "give its number too"),
        (["saliency", "images/1.png", "--layer", "stage1", "--channel", "1", "--at", "here"], "such as 6,11, not 'here'"),
        (["saliency"], "no images are given"),
        (["occlusion", "images/1.png", "--window", "30"], "does not fit into a picture of 28 x 28"),
        (["occlusion", "images/1.png", "--figure", "a.doc"], "cannot draw a 'doc'"),
        (["map", "images/1.png"], "a map needs 4 pictures or more, not 1"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(seqnets, words, tmp_path, options, said):
    outcome = seqnets("inspect", options[0], *words, *options[1:])
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not list(tmp_path.glob("*.png"))
