"""`seqnets train glancer` and `drawer`, `classify` and `sample` on their runs: from pictures to figures, and mistakes."""

import json

import numpy as np
import pytest
from PIL import Image

from seqnets.run import load
from seqnets.web import document, material
from seqnets.web.panels import answer

BRIEF = ("--model.hidden-features", 8, "--train.steps", 2, "--train.batch-size", 4, "--train.evaluate-every", 2)
GLANCER = (*BRIEF, "--data.canvas", 20, "--data.clutter", 1, "--data.piece", 3, "--model.glimpse-features", 8,
           "--model.glimpses", 25, "--model.samples", 2)  # fmt: skip
DRAWER = (*BRIEF, "--model.latent-features", 2, "--model.steps", 3, "--model.read-points", 2, "--model.write-points", 2)


@pytest.fixture
def pictures(tmp_path):
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(draw.integers(0, 255, (9, 9, 3), np.uint8)).save(tmp_path / "own" / name / f"{number}.png")
    (tmp_path / "own" / "cat" / "broken.png").write_bytes(b"no image")
    (tmp_path / "broken.png").write_bytes(b"no image")
    Image.fromarray(draw.integers(0, 255, (30, 40, 3), np.uint8)).save(tmp_path / "photo.png")
    return "own", "--data.size", 9, "--data.validation-fraction", 0.3


def size_of(path):
    with Image.open(path) as image:
        return image.size


def test_a_glancer_from_the_start_to_a_picture(seqnets, pictures, tmp_path):
    outcome = seqnets("train", "glancer", *pictures, *GLANCER, "--model.objects", 2, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert "1 of" in outcome.err
    assert "broken.png" in outcome.err
    assert "  seqnets classify run IMAGES --figure glimpses.png" in outcome.out
    found = seqnets("classify", "run", "photo.png", "broken.png", "--json", "--figure", "g.png")
    assert (found.code, "left out" in found.err) == (0, True)
    (entry,) = json.loads(found.out)
    assert all(guess["label"] in ("cat", "dog", "(end)") for thing in entry["things"] for guess in thing)
    assert size_of("g-photo.png")[0] > 300
    assert seqnets("classify", "run", "photo.png").out.startswith("photo.png: ")
    assert "--labels and --preprocessing are for other networks" in seqnets("classify", "run", "photo.png", "--labels", "x").err
    assert "is a run of `seqnets train glancer`; try `seqnets classify run IMAGES`" in seqnets("sample", "run").err
    run = load("run")
    seen, source = material.held_out(run)
    assert "The picture with the path of the glimpses" in document(run, seen, source=source)
    assert len(material.held_out(run, "own")[0].pictures) == 13
    assert answer(run, "glimpses", (tmp_path / "photo.png").read_bytes(), {})["figures"][0]["picture"].startswith("data:image/")


def test_a_drawer_from_the_start_to_pictures(seqnets, pictures, tmp_path):
    outcome = seqnets("train", "drawer", *pictures, *DRAWER, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert "validation: bound " in outcome.out
    found = seqnets("sample", "run", "--samples", 3, "--figure", "steps.svg", "--seed", 1)
    assert found.out == "3 pictures are in drawn.png\nthe steps are in steps.svg\n"
    assert (tmp_path / "steps.svg").read_text().startswith("<?xml")
    assert size_of("drawn.png")[0] > 150
    first = (tmp_path / "drawn.png").read_bytes()
    seqnets("sample", "run", "--samples", 3, "--seed", 1)
    assert (tmp_path / "drawn.png").read_bytes() == first
    assert "seed" in seqnets("sample", "run", "--samples", 2, "--out", "many").err
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["1.png", "2.png"]
    assert "--prompt is for text, and 'run' draws pictures; leave it out" in seqnets("sample", "run", "--prompt", "a").err
    assert "--temperature is for text" in seqnets("sample", "run", "--temperature", 2).err
    assert "--out a.doc: cannot draw" in seqnets("sample", "run", "--out", "a.doc").err
    run = load("run")
    assert "Pictures of its own" in document(run, None)
    assert (
        answer(run, "drawings", (tmp_path / "photo.png").read_bytes(), {})["figures"][0]["title"] == "Your picture, drawn again"
    )
    more = seqnets("train", "drawer", *pictures, *DRAWER, "--from", "run", "--out", "more")
    assert more.code == 0, more.err


def test_mistakes_are_explained(seqnets, tmp_path):
    assert "do not fit side by side on data.canvas 20" in seqnets("train", "glancer", *GLANCER).err
    assert "model.scales must be at least 1 and at most 8, not 9" in seqnets("train", "glancer", "--model.scales", 9).err
    assert "there is no folder 'gone'" in seqnets("train", "drawer", "gone").err
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "a.png")
    assert "--figure draws glimpses" in seqnets("classify", "shapes", "a.png", "--figure", "g.png").err
    assert "--out is for pictures" in seqnets("sample", "names", "--out", "a.png").err
