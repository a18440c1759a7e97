"""`seqnets dream`, `seqnets train stylizer` and `seqnets stylize`, on tiny pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from seqnets.cli.dream import _Dreaming

TINY = (
    *("--data.size", 16, "--data.scenes", 8, "--model.widths", "2,2,2", "--model.residual-blocks", 1, "--model.expansion", "2,2"),
    *("--train.batch-size", 2, "--train.warmup-steps", 0, "--train.schedule", "constant"),
)


def test_a_class_by_name_and_by_number(seqnets, tmp_path):
    one = seqnets("dream", "class", "star", "--steps", 3, "--frames", "frames")
    assert (one.code, one.err) == (0, "")
    assert one.out.endswith("class.png\n")
    other = seqnets("dream", "class", 4, "--steps", 3, "--out", "other.png")
    assert other.out.replace("other", "class") == one.out
    assert (tmp_path / "class.png").read_bytes() == (tmp_path / "other.png").read_bytes()  # the same seed, the same picture
    assert [path.name for path in sorted((tmp_path / "frames").iterdir())] == ["00000.png", "00001.png"]


@pytest.mark.slow
def test_texture_style_and_video(seqnets, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)).save(tmp_path / "photo.jpg")
    assert "the loss fell" in seqnets("dream", "texture", "bricks", "--size", 32, "--steps", 3).out
    words = ("dream", "style", "photo.jpg", "dots", "waves", "--size", 32, "--steps", 2, "--mix", "0.3,0.7", "--keep-color")
    assert seqnets(*words).code == 0
    with Image.open(tmp_path / "style.png") as painted:
        assert painted.size == (32, 21)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("deepdream", "scene", "--size", 32, "--steps", 1, "--octaves", 1, "--layer", "stage1.0", "--channel", 3),
        ("deepdream", "scene", "--size", 32, "--steps", 1, "--video", 2, "--frames", "video"),
        ("invert", "scene", "--size", 32, "--steps", 2, "--layer", "stage2"),
        ("fool", "scene", "ring", "--steps", 4),
    ],
)
def test_the_others(seqnets, tmp_path, words):
    outcome = seqnets("dream", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert (tmp_path / f"{words[0]}.png").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("clas",), "there is no dream 'clas'; did you mean 'class'?"),
        (("class", "strar"), "the network has no class 'strar'; did you mean 'star'?"),
        (("class", "9"), "the network has no class '9'"),
        (("class", "star", "--model", "random"), "random filters know no classes"),
        (("deepdream",), "`seqnets dream deepdream` needs a picture"),
        (("deepdream", "scene", "--layer", "stage7"), "the network has no layer 'stage7'; near it are stage3, stage2, stage1"),
        (("deepdream", "none.jpg"), "'none.jpg' cannot be read"),
        (("class", "--out", "a.jpg"), "--out a.jpg: pictures are written as PNG; end it in .png"),
        (("class", "--out", "no/a.png"), "the folder 'no' does not exist"),
        (("style", "scene", "dots", "--mix", "1,2"), "there are 1 styles but 2 shares"),
        (("texture", "dots", "--rule", "best"), "rule must be one of plain"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(seqnets, tmp_path, words, said):
    outcome = seqnets("dream", *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {".cache"}


def test_an_interrupted_dream_leaves_its_last_picture(seqnets, tmp_path, monkeypatch):
    def interrupted(self, step, pictures, keep=_Dreaming.frame):
        keep(self, step, pictures)
        raise KeyboardInterrupt

    monkeypatch.setattr(_Dreaming, "frame", interrupted)
    outcome = seqnets("dream", "texture", "dots", "--size", 32, "--steps", 2, "--frames", "frames")
    assert (outcome.code, outcome.err) == (130, "seqnets: interrupted; the last picture is in texture.png\n")
    assert len(list((tmp_path / "frames").iterdir())) == 1
    assert (tmp_path / "texture.png").is_file()


def test_a_run_that_is_stopped_and_continued_is_the_same_and_paints(seqnets, tmp_path):
    for name in ("a", "b"):
        Image.fromarray(np.random.default_rng(ord(name)).integers(0, 255, (20, 24, 3), np.uint8)).save(tmp_path / f"{name}.png")
    train = ("train", "stylizer", "a.png", "b.png", *TINY)
    whole = seqnets(*train, "--train.steps", 2, "--out", "whole")
    assert whole.code == 0, whole.err
    with Image.open(tmp_path / "whole" / "preview.png") as preview:
        assert preview.size == (48, 64)
    for steps in (1, 2):
        assert seqnets(*train, "--train.steps", steps, "--out", "parts").code == 0
    assert (tmp_path / "whole" / "model.safetensors").read_bytes() == (tmp_path / "parts" / "model.safetensors").read_bytes()
    assert json.loads((tmp_path / "whole" / "config.json").read_text())["model"]["styles"] == ["a", "b"]
    painted = seqnets("stylize", "whole", "a.png", "--style", "b,0", "--mix", "0.2,0.8")
    assert (painted.code, painted.out) == (0, "a-painted.png\n")
    with Image.open(tmp_path / "a-painted.png") as picture:
        assert picture.size == (24, 20)
    for words, said in {
        ("whole", "a.png", "--style", "c"): "there is no style 'c'",
        ("whole", "a.png", "--mix", "1,2"): "--mix has 2 shares for 1 styles",
        ("whole", "a.png", "b.png", "--out", "one.png"): "--out one.png is one picture, but 2 are given",
        ("a.png", "b.png"): "is not a kind of weight file",
    }.items():
        refused = seqnets("stylize", *words)
        assert (refused.code, said in refused.err) == (2, True), refused.err
