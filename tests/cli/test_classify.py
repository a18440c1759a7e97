"""`seqnets classify`: JSON for programs, lines for people, and images that cannot be read left out."""

import json
from dataclasses import replace

import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets.data.images.preprocessing import Preprocessing
from seqnets.models import create_model
from seqnets.run import write_weights

RULE = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.5,), std=(0.5,))
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def network():
    return create_model("lenet5", rngs=nnx.Rngs(3))


@pytest.fixture
def words(network, tmp_path):
    """A folder of three images and a fourth that is cut short, and the words that name the network."""
    write_weights(tmp_path / "lenet.safetensors", nnx.state(network))
    (tmp_path / "rule.json").write_text(json.dumps(RULE.to_json()))
    (tmp_path / "names.json").write_text(json.dumps(NAMES))
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for name in ("a.png", "c.png", "d.png", "b.png"):
        Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / "images" / name)
    broken = tmp_path / "images" / "b.png"
    broken.write_bytes(broken.read_bytes()[:500])
    return ["classify", "--model", "lenet5", "--weights", "lenet.safetensors", "--preprocessing", "rule.json"]


def test_json_tells_file_and_classes_and_a_damaged_image_is_left_out(seqnets, words, network, tmp_path):
    outcome = seqnets(*words, "--labels", "names.json", "images", "--json", "--batch-size", 2)
    assert outcome.code == 0
    assert outcome.err.startswith("seqnets: left out: 'images/b.png' is damaged or cut short")
    assert outcome.err.endswith("seqnets: 1 of 4 images is left out\n")
    entries = json.loads(outcome.out)
    assert [entry["file"] for entry in entries] == ["images/a.png", "images/c.png", "images/d.png"]
    for entry in entries:
        assert entry.keys() == {"file", "top"}
        logits = np.asarray(network(RULE(tmp_path / entry["file"])[None])["logits"][0], np.float64)
        shares = np.exp(logits) / np.exp(logits).sum()
        best = np.argsort(-shares)[:5]
        assert [guess["index"] for guess in entry["top"]] == best.tolist()
        assert [guess["label"] for guess in entry["top"]] == [NAMES[index] for index in best]
        np.testing.assert_allclose([guess["score"] for guess in entry["top"]], shares[best], rtol=1e-4)


def test_people_get_a_line_an_image_and_numbers_where_no_names_are_given(seqnets, words):
    outcome = seqnets(*words, "images/*a.png", "images/d.png", "--top", 1)
    lines = outcome.out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["images/a.png", "images/d.png"]
    assert lines[0].partition(": ")[2].split()[0] in "0123456789"


def test_the_exit_code_is_two_when_no_image_could_be_read(seqnets, words):
    outcome = seqnets(*words, "images/b.png", "--json")
    assert (outcome.code, json.loads(outcome.out)) == (2, [])


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ([], "no images are given"),
        (["none.png"], "'none.png' does not exist"),
        (["images", "--labels", "short.json"], "there are 2 labels, but the network has 10 classes"),
        (["images", "--labels", "none.json"], "cannot read the file of labels 'none.json'"),
        (["images", "--preprocessing", "short.json"], "'short.json' states no preprocessing"),
        (["images", "--top", "0"], "top must be at least 1"),
        (["images", "--batch-size", "0"], "batch_size must be at least 1"),
        (["images", "--model", "lenet6"], "no network is called 'lenet6'"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(seqnets, words, tmp_path, extra, message):
    (tmp_path / "short.json").write_text('["a", "b"]')
    outcome = seqnets(*words, *extra)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_a_network_without_weights_or_preprocessing_is_refused(seqnets, words):
    assert "torchvision publishes no weights for 'lenet5'" in seqnets("classify", "--model", "lenet5", "images").err
    assert "the preprocessing of these weights is not known" in seqnets(*words[:-2], "images").err
    assert "--weights needs --model" in seqnets("classify", "--weights", "lenet.safetensors", "images").err
    assert "give --model NAME" in seqnets("classify", "images/a.png").err
    assert "not a run folder" in seqnets("classify", "images", "images/a.png").err


def test_the_forms_of_label_files(tmp_path):
    from seqnets.data.images.labels import read_labels
    from seqnets.errors import UserError

    forms = [
        '["a", "b"]',
        '{"1": "b", "0": "a"}',
        '{"id2label": {"0": "a", "1": "b"}}',
        '{"0": ["n1", "a"], "1": ["n2", "b"]}',
        "a\nb\n",
    ]
    for form in forms:
        (tmp_path / "labels").write_text(form)
        assert read_labels(tmp_path / "labels") == ["a", "b"]
    for form, message in {
        '{"1": "b"}': "none for 0",
        "[1]": "must be a list of names",
        "{": "is not JSON",
        " \n": "are empty",
    }.items():
        (tmp_path / "labels").write_text(form)
        with pytest.raises(UserError, match=message):
            read_labels(tmp_path / "labels")


def test_a_thin_picture_and_files_of_another_ending_are_named_and_the_others_classified(seqnets, words, tmp_path):
    (tmp_path / "rule.json").write_text(json.dumps(replace(RULE, resize=28).to_json()))
    Image.new("RGB", (2_000_000, 1)).save(tmp_path / "images" / "thin.png")
    for name in ("a.png", "c.png", "d.png", "b.png"):
        Image.new("RGB", (28, 28)).save(tmp_path / "images" / name)
    (tmp_path / "images" / "e.jpg_large").touch()
    outcome = seqnets(*words, "images", "--json")
    assert len(json.loads(outcome.out)) == 4
    assert "1 file is skipped in 'images'" in outcome.err
    assert "left out: 'images/thin.png' is too thin: it has 2,000,000 x 1 pixels" in outcome.err
    assert "1 of 5 images is left out" in outcome.err
