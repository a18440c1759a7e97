"""`seqnets train classifier`: folders of photographs, transfer, and the mistakes people make."""

import json
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets.models import create_model
from seqnets.run import load
from seqnets.tasks.classifier.figures import confused
from seqnets.weights import save_weights

TINY = (
    *("--model.name", "lenet5", "--data.size", 28, "--data.channels", "gray", "--train.steps", 4, "--train.batch-size", 4),
    *("--train.log-every", 2, "--data.validation-fraction", 0.3),
)


@pytest.fixture
def photos(tmp_path):
    """Dark and bright images, one of which cannot be read."""
    rng = np.random.default_rng(0)
    for name, level in (("bright", 150), ("dark", 0)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            pixels = rng.integers(level, level + 100, (30 + i, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    (tmp_path / "photos" / "dark" / "3.png").write_bytes(b"no image")
    return tmp_path / "photos"


def test_a_run_ends_with_figures_and_commands_that_work(seqnets, photos):
    outcome = seqnets("train", "classifier", "photos", *TINY)
    assert outcome.code == 0, outcome.err
    assert "image folders: 14 for train, 6 for validation; 2 classes (bright, dark)" in outcome.err
    assert "1 of 1" in outcome.err
    assert "3.png' is not an image" in outcome.err
    assert "lenet5 on gray images of 28 x 28" in outcome.err
    assert "validation: top-1 accuracy " in outcome.out
    assert "  seqnets classify runs/photos-classifier IMAGES" in outcome.out
    model = json.loads(Path("runs/photos-classifier/config.json").read_text())["model"]
    assert model["labels"] == ["bright", "dark"]
    assert model["preprocessing"]["channels"] == "gray"
    found = seqnets("classify", "runs/photos-classifier", "photos/bright/1.png", "--json")
    assert found.code == 0, found.err
    assert {guess["label"] for guess in json.loads(found.out)[0]["top"]} == {"bright", "dark"}


def test_the_run_keeps_settings_that_make_the_same_run(seqnets, photos, tmp_path):
    seqnets("train", "classifier", "photos", "--out", "first", *TINY)
    assert tomllib.loads(Path("first/config.toml").read_text())["images"] == [str(photos)]
    outcome = seqnets("train", "--config", "first/config.toml", "--out", "second")
    assert outcome.code == 0, outcome.err
    assert Path("first/metrics.jsonl").read_bytes() == Path("second/metrics.jsonl").read_bytes()


def test_transfer_keeps_all_but_the_head_and_what_is_frozen(seqnets, photos):
    source = create_model("lenet5", classes=7, in_channels=1)
    save_weights(source, "lenet.safetensors")
    weights = ("--model.weights", "lenet.safetensors", "--train.freeze", "stage1,fc5")
    outcome = seqnets("train", "classifier", "photos", *TINY, *weights, "--dry-run")
    assert outcome.code == 0, outcome.err
    lines = {line.split()[0]: line for line in outcome.out.splitlines() if line.startswith("  ")}
    frozen = {name for name, line in lines.items() if line.endswith("(frozen)")}
    assert frozen == {"stage1.0.kernel", "stage1.0.bias", "fc5.1.kernel", "fc5.1.bias"}
    assert "are frozen" in outcome.out
    run = seqnets("train", "classifier", "photos", *TINY, *weights)
    assert run.code == 0, run.err
    trained = load("runs/photos-classifier").model
    for layer in ("stage1", "fc5"):
        assert_same_arrays(nnx.state(getattr(trained, layer)), nnx.state(getattr(source, layer)))
    assert trained.logits.kernel.shape == (84, 2)


def assert_same_arrays(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_without_images_it_draws_shapes(seqnets):
    outcome = seqnets("train", "classifier", *TINY, "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "drawn shapes: 2,100 for train, 900 for validation; 6 classes" in outcome.err
    assert "batch: images uint8[4, 28, 28, 1]" in outcome.out


def test_the_most_confused_come_first():
    counts = np.array([[5, 2, 0], [4, 9, 1], [0, 0, 3]])
    assert confused(counts, ("ant", "bee", "cat")) == [
        "most often confused: bee taken for ant (4 of 14), ant taken for bee (2 of 7), bee taken for cat (1 of 14)"
    ]


MISTAKES = [
    (["nowhere"], "there is no folder 'nowhere'; check the path"),
    (["photos", "--model.name", "lenet6"], "no network is called 'lenet6'; did you mean"),
    (["photos", "--model.name", "lenet5"], "lenet5 cannot take images of 64 x 64"),
    (
        ["photos", *TINY, "--train.freeze", "stagex1"],
        "train.freeze: 'stagex1' matches no parameter to train; did you mean",
    ),
    (["photos", *TINY, "--train.rate-multipliers", "stage1"], "'stage1' is not PATTERN=FACTOR"),
    (["photos", *TINY, "--data.padding", "-1"], "data.padding must be at least 0"),
    (["photos", *TINY, "--data.augment", "rotate"], "--data.augment must be 'none', 'flip'"),
    (["photos", *TINY, "--model.weights", "no.npz"], "there are no weights at 'no.npz'"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[str(words[-1]) for words, _ in MISTAKES])
def test_a_mistake_is_reported_in_one_sentence_and_leaves_nothing(seqnets, photos, tmp_path, words, message):
    outcome = seqnets("train", "classifier", *words)
    assert outcome.code == 2, outcome
    assert message in outcome.err.splitlines()[-1]
    assert not (tmp_path / "runs").exists()
