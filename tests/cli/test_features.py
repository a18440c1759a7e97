"""`seqnets features`: what is kept is what the network computes, images of all sorts and none too bad included."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets.data.features.store import FeatureStore
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.decode import extraction
from seqnets.models import create_model
from seqnets.run import write_weights

RULE = Preprocessing(resize=(28, 28), crop=None, channels="gray", mean=(0.5,), std=(0.5,))


@pytest.fixture(scope="module")
def network():
    return create_model("lenet5", rngs=nnx.Rngs(3))


@pytest.fixture
def images(tmp_path):
    """Seven images of different kinds, a copy, one that is cut short, one that is none."""
    random, folder = np.random.default_rng(0), tmp_path / "images"
    folder.mkdir()
    for number, mode in enumerate(["RGB", "L", "CMYK", "RGBA", "P", "1", "I;16"]):
        array = random.integers(0, 256, (30, 40, 3), np.uint8)
        image = (
            Image.fromarray(array[:, :, 0].astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(array).convert(mode)
        )
        image.save(folder / f"{number}.{'tif' if mode == 'CMYK' else 'png'}")
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:300])
    (folder / "none.jpg").write_text("hello")
    return folder


@pytest.fixture
def words(network, images, tmp_path):
    write_weights(tmp_path / "lenet.safetensors", nnx.state(network))
    (tmp_path / "rule.json").write_text(json.dumps(RULE.to_json()))
    return ["features", "--model", "lenet5", "--weights", "lenet.safetensors", "--preprocessing", "rule.json", "images"]


def rows(store):
    """Every file of the index with the features of its content."""
    return {os.path.basename(path): store.get(path) for path in store.paths}


def test_the_store_holds_what_the_network_computes(seqnets, words, network, images):
    outcome = seqnets(*words, "--out", "store", "--batch-size", 3, "--layer", "stage2", "--layer", "fc6")
    assert outcome.code == 0
    assert outcome.out == "store: features of 8 of 10 images; 7 distinct in the store; 2 left out\n"
    size = (100 * 16 + 84) * 4
    estimate = (
        f"features: 10 images to do: stage2 100 x 16, fc6 84 of float32, {size / 1e3:,.1f} kB per image, up to {size / 1e5:,.1f}"
    )
    assert outcome.err.startswith(estimate)
    assert re.search(r"features: 10 of 10 images, [\d.,]+ images/s, 0 s left", outcome.err)
    assert "left out: '" in outcome.err
    store = FeatureStore("store")
    reasons = {os.path.basename(path): reason for path, reason in store.failures.items()}
    assert reasons.keys() == {"cut.png", "none.jpg"}
    assert "damaged or cut short" in reasons["cut.png"]
    assert "not an image of a known format" in reasons["none.jpg"]
    for path in sorted(set(images.iterdir()) - {images / "cut.png", images / "none.jpg"}):
        wanted = network(RULE(path)[None])
        np.testing.assert_allclose(store.get(path), wanted["stage2"][0].reshape(100, 16), atol=1e-5)
        np.testing.assert_allclose(store.get(path, "fc6"), wanted["fc6"][0], atol=1e-5)
    assert store.layers["stage2"].grid == (10, 10)
    np.testing.assert_array_equal(store.rows([images / "copy.png"]), store.rows([images / "0.png"]))


def test_nothing_is_computed_twice_and_new_images_are_added(seqnets, words, images, monkeypatch):
    assert seqnets(*words, "--out", "store", "--pooled", "--dtype", "bfloat16").code == 0
    before = rows(FeatureStore("store"))
    Image.new("RGB", (9, 9), "red").save(images / "zz.png")
    batches = []
    monkeypatch.setattr(extraction.Extractor, "__call__", spy(extraction.Extractor.__call__, batches))
    outcome = seqnets(*words, "--out", "store", "--pooled", "--dtype", "bfloat16")
    assert outcome.code == 0
    assert "features: 1 images to do (10 of 11 are done)" in outcome.err
    assert "left out: '" in outcome.err
    assert batches == [1]
    after = rows(FeatureStore("store"))
    assert after.keys() - before.keys() == {"zz.png"}
    for name, features in before.items():
        np.testing.assert_array_equal(after[name], features)
        assert features.shape == (16,)


def spy(method, batches):
    def call(self, pixels):
        batches.append(len(pixels))
        return method(self, pixels)

    return call


def test_other_weights_layers_and_rules_do_not_mix(seqnets, words, tmp_path):
    assert seqnets(*words, "--out", "store").code == 0
    write_weights(tmp_path / "lenet.safetensors", nnx.state(create_model("lenet5", rngs=nnx.Rngs(4))))
    outcome = seqnets(*words, "--out", "store")
    assert outcome.code == 2
    assert re.search(
        r"'store' holds features of another kind: weights \(\w{12}\.\.\. there, \w{12}\.\.\. here\); give", outcome.err
    )
    assert "layers.fc6" in seqnets(*words, "--out", "store", "--layer", "fc6").err
    assert "dtype (float32 there, bfloat16 here)" in seqnets(*words, "--out", "store", "--dtype", "bfloat16").err
    (tmp_path / "rule.json").write_text(json.dumps({**RULE.to_json(), "interpolation": "bicubic"}))
    outcome = seqnets(*words, "--out", "store")
    assert "preprocessing.interpolation (bilinear there, bicubic here)" in outcome.err


def test_misuse_is_one_sentence(seqnets, words, tmp_path, monkeypatch):
    assert "no layer 'stage9'; near it are stage2, stage1" in seqnets(*words, "--out", "store", "--layer", "stage9").err
    assert "--out" in seqnets(*words).err
    assert "must be one of" in seqnets(*words, "--out", "store", "--dtype", "int8").err
    monkeypatch.setattr(extraction.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    outcome = seqnets(*words, "--out", "full")
    assert outcome.code == 2
    assert "GB, and the disk of 'full' has 0.0 GB free; free some, or store less with the options --pooled and" in outcome.err


def test_when_no_image_can_be_read_the_exit_code_is_two(seqnets, words, images):
    for path in sorted(images.iterdir()):
        path.write_bytes(b"\x89PNG" + path.name.encode())
    outcome = seqnets(*words, "--out", "store")
    assert outcome.code == 2
    assert outcome.out == "store: features of 0 of 10 images; 0 distinct in the store; 10 left out\n"


@pytest.mark.slow
def test_a_killed_command_goes_on_to_the_same_store(words, images, tmp_path):
    random = np.random.default_rng(1)
    for number in range(150):
        Image.fromarray(random.integers(0, 256, (50, 60, 3), np.uint8)).save(images / f"more{number}.png")
    command = [sys.executable, "-m", "seqnets.cli", *words, "--batch-size", "4", "--out"]
    environment = {**os.environ, "SEQNETS_CACHE": str(tmp_path / "cache")}

    def run(folder):
        return subprocess.Popen([*command, folder], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)

    assert run("whole").wait(120) == 0
    process, index = run("killed"), tmp_path / "killed" / "index.jsonl"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and not (index.exists() and index.read_bytes().count(b"\n") >= 5):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -9
    assert index.read_bytes().count(b"\n") < 40
    assert run("killed").wait(120) == 0
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "killed" / path.name).read_bytes() == path.read_bytes()
