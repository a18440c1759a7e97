"""The runs that are part of seqnets: whole, small, found by name, and as good as their cards say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

import seqnets as sn
from seqnets.cli.main import main
from seqnets.data.demo.scene_words import is_correct
from seqnets.data.demo.scenes import Scenes
from seqnets.data.demo.shapes import draw_shapes
from seqnets.run import ITEMS, WEIGHTS, run_folder
from seqnets.shipped import shipped_runs

RUNS = shipped_runs()
MOST_BYTES = 5_600_000


def figure(name: str, words: str) -> float:
    """Return a figure of a card."""
    return float(re.search(rf"{words} \| `?([\d.]+)", (RUNS[name] / "README.md").read_text())[1])  # pyright: ignore


def test_all_are_there_and_small():
    assert list(RUNS) == ["names", "python", "scenes", "shakespeare", "shapes"]
    sizes = [path.stat().st_size for folder in RUNS.values() for path in folder.iterdir()]
    assert sum(sizes) < MOST_BYTES


@pytest.mark.parametrize("name", RUNS)
def test_each_is_whole_has_a_card_and_a_license_and_names_no_path_of_its_machine(name, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["verify", name]) == 0, capsys.readouterr()
    assert "Apache-2.0" in (RUNS[name] / "LICENSE").read_text()
    texts = [path.read_text() for path in RUNS[name].iterdir() if path.suffix in (".md", ".toml", ".json", ".jsonl")]
    assert not re.search(r"/work/|/home/|/tmp/|/root/", "".join(texts))
    with safe_open(RUNS[name] / WEIGHTS, framework="numpy") as file:
        kinds = {file.get_tensor(key).dtype for key in file.keys() if file.get_tensor(key).dtype.kind == "f"}  # noqa: SIM118
    assert kinds == {np.dtype(np.float16)}


def test_a_folder_of_that_name_comes_first(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run_folder("shakespeare") == RUNS["shakespeare"]
    Path("shakespeare").write_text("a file is no run")
    assert run_folder("shakespeare") == RUNS["shakespeare"]
    Path("shakespeare").unlink()
    Path("shakespeare").mkdir()
    assert run_folder("shakespeare") == Path("shakespeare")
    assert run_folder("./names") == Path("names")


def test_the_plays_are_written_on(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "shakespeare", "--prompt", "ROMEO:\n", "--length", "200", "--seed", "1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("ROMEO:\n")
    words = re.findall(r"[a-z']+", text.lower())
    assert len(words) > 20
    assert len({"the", "and", "to", "of", "my", "i", "is", "you", "thou", "not", "that"} & set(words)) >= 4


def test_a_fresh_install_writes_without_compiling_first(tmp_path):
    words = [sys.executable, "-m", "seqnets.cli", "sample", "shakespeare", "--prompt", "ROMEO:", "--length", "60", "--seed", "1"]
    environment = {**os.environ, "SEQNETS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert (len(done.stdout), done.stderr) == (66, "")
    assert not list((tmp_path / "cache").rglob("*.so"))


def test_new_names_are_new(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "names", "--items", "5", "--new", "--seed", "1"]) == 0
    names = capsys.readouterr().out.split()
    assert len(set(names)) == 5
    assert all(re.fullmatch("[a-z]{2,15}", name) for name in names)
    assert (RUNS["names"] / ITEMS).exists()


def test_drawings_are_described(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    scenes = list(Scenes("test", 30))  # combinations that were not in training
    for number, scene in enumerate(scenes):
        Image.fromarray(scene.image).save(f"{number}.png")
    assert main(["caption", "scenes", *(f"{number}.png" for number in range(len(scenes))), "--json"]) == 0
    captions = [found["captions"][0]["caption"] for found in json.loads(capsys.readouterr().out)]
    right = [is_correct(caption, scene.claim) for caption, scene in zip(captions, scenes)]
    assert np.mean(right) > 0.8, captions


def test_drawings_of_another_seed_are_classified():
    images, labels = draw_shapes(60, seed=9)
    found = [guesses[0].index for guesses in sn.classify(sn.load("shapes").model, list(images), top=1)]
    assert np.mean(np.array(found) == labels) >= 0.98


def test_the_held_out_part_of_the_plays_gets_the_figure_of_the_card(shared_data):
    text = (shared_data / "text" / "tinyshakespeare.txt").read_text()[-111_514:]
    run = sn.load("shakespeare")
    assert sn.score(run.model, run.vocabulary.encode(text)).nats == pytest.approx(figure("shakespeare", "nats"), abs=2e-4)
