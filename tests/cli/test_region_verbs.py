"""`seqnets train segmenter` and `localizer`, `segment` and `locate`: from pictures to figures, and mistakes."""

import json

import numpy as np
import pytest
from PIL import Image

from seqnets.errors import UserError
from seqnets.run import load
from seqnets.web import document, material
from seqnets.web.panels import answer

TINY = ("--data.height", 16, "--data.drawn", 6, "--model.width", 2, "--train.steps", 2, "--train.batch-size", 2,
        "--train.evaluate-every", 2)  # fmt: skip


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)).save(tmp_path / "photo.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    return "photo.png"


def size_of(path):
    with Image.open(path) as image:
        return image.size


def check_page(photo):
    run = load("run")
    pictures, source = material.held_out(run)
    assert "data:image/" in document(run, pictures[:2], source=source)
    with open(photo, "rb") as file:
        (figure,) = answer(run, "things", file.read(), {})["figures"]
    assert figure["picture"].startswith("data:image/")
    with pytest.raises(UserError):
        answer(run, "things", b"no image", {})


def test_a_segmenter_from_the_start_to_a_picture(seqnets, photo, tmp_path):
    outcome = seqnets("train", "segmenter", *TINY, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert "drawn scenes: 6 for train" in outcome.err
    assert "test: mean IoU " in outcome.out
    assert "  seqnets segment run IMAGE --figure segments.png" in outcome.out
    found = seqnets("segment", "run", photo, "broken.png", "--json", "--figure", "s.png", "--out", "maps")
    assert (found.code, "left out" in found.err) == (0, True)
    (entry,) = json.loads(found.out)
    assert sum(entry["shares"].values()) == pytest.approx(1, abs=1e-4)
    assert size_of("maps/photo.png") == (40, 30)
    assert size_of("s-photo.png")[0] > 200
    assert seqnets("segment", "run", "broken.png").code == 2
    check_page(photo)
    assert "is a run of `seqnets train segmenter`; try `seqnets segment run IMAGES`" in seqnets("locate", "run", photo).err


@pytest.mark.parametrize("head", ["box", pytest.param("heatmaps", marks=pytest.mark.slow)])
def test_a_localizer_from_the_start_to_a_picture(seqnets, photo, head):
    outcome = seqnets("train", "localizer", *TINY, "--model.head", head, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert ("class and box right" if head == "box" else "PCK@.2") in outcome.out
    (entry,) = json.loads(seqnets("locate", "run", photo, "--json", "--figure", "f.png").out)
    if head == "box":
        left, top, right, bottom = entry["box"]
        assert 0 <= left <= right <= 40
        assert 0 <= top <= bottom <= 30
    else:
        assert len(entry["joints"]) == 14
    assert size_of("f.png")[0] > 200
    check_page(photo)


OTHERS = ("yolo", "faster-rcnn", "r-fcn", "mask-rcnn", "spp", "rcnn", "densecap")


@pytest.mark.parametrize("preset", ["ssd", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_a_detector_from_the_start_to_a_picture(seqnets, photo, preset):
    outcome = seqnets("train", "detector", "--preset", preset, *TINY, "--data.height", 32, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert ("test: phrase_AP " if preset == "densecap" else "test: AP ") in outcome.out
    found = seqnets("detect", "run", photo, "--json", "--figure", "f.png")
    assert found.code == 0, found.err
    more = {"mask-rcnn": {"segmentation"}, "densecap": {"caption"}}.get(preset, set())
    for entry in json.loads(found.out):
        assert entry.keys() == {"image_id", "file", "category", "bbox", "score"} | more
        assert entry["bbox"][0] + entry["bbox"][2] <= 40.01
    assert size_of("f.png")[0] > 200
    assert seqnets("detect", "run", photo, "--least", 0.9).out.startswith("photo.png: ")
    check_page(photo)


def test_mistakes_are_explained(seqnets, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "'empty' has no regions; looked for" in seqnets("train", "segmenter", "empty").err
    assert "there is no 'gone'" in seqnets("train", "localizer", "gone").err
    assert "set --data.height to more pixels" in seqnets("train", "segmenter", *TINY, "--data.height", 1).err
