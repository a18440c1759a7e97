"""Damaged files of a run: found wherever it is, reported, moved aside, and gone on from the newest checkpoint that is whole."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from seqnets import TrainConfig
from seqnets.checkpoint import Checkpoints
from seqnets.cli.verify import inspect
from seqnets.errors import UserError
from seqnets.run import read_weights
from seqnets.train import fit
from seqnets.train.progress import Silent
from train.tiny_task import TinyTask

FLIPS = int(os.environ.get("SEQNETS_FLIPS", "300"))  # of the slow test
SEED = int(os.environ.get("SEQNETS_SEED", "1"))
LAST, BEFORE = 20, 10
SMALL = ("config.json", "config.toml", "metrics.jsonl")  # with model.safetensors and the checkpoints, all that is read again


class Reports(Silent):
    def __init__(self):
        self.sentences = []

    def tell(self, sentence):
        self.sentences.append(sentence)


def train(directory, steps, progress=None):
    settings = {"batch_size": 4, "learning_rate": 0.05, "schedule": "constant", "averaging": 0.9}
    config = TrainConfig(steps=steps, log_every=5, save_every=10, evaluate_every=10, **settings)
    return fit(TinyTask(), config, directory=directory, progress=progress)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run up to step 20 whose last two checkpoints are there, and the same run up to step 30; only read."""
    folder = tmp_path_factory.mktemp("damage")
    for name, steps in {"cut": LAST, "straight": 30}.items():
        train(folder / name, steps)
    return folder


def files_of(folder):
    """Return the files that are read again, and how large they are."""
    found = [*(folder / name for name in SMALL), folder / "model.safetensors", *sorted((folder / "checkpoints").rglob("*"))]
    return [(path.relative_to(folder), path.stat().st_size) for path in found if path.is_file()]


def flips(folder, count, seed=0):
    """Return files and bits in them: each file once, then as often as it is large."""
    rng, files = np.random.default_rng(seed), [file for file in files_of(folder) if file[1]]
    sizes = np.array([size for _, size in files], float)
    more = rng.choice(len(files), max(0, count - len(files)), p=sizes / sizes.sum())
    return [(files[n][0], int(rng.integers(8 * files[n][1]))) for n in [*range(len(files)), *more][:count]]


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def part_of(name):
    """Return what `seqnets verify` calls the part that a file belongs to."""
    return name.as_posix() if len(name.parts) == 1 else "/".join(name.parts[:2])


def damaged_parts(folder):
    try:
        return [finding.part for finding in inspect(folder) if finding.damage]
    except UserError as error:
        return ["config.json"] if str(folder / "config.json") in str(error) else [str(error)]


def bits(folder):
    return [(folder / name).read_bytes() for name in ("metrics.jsonl", "model.safetensors")]


def assert_goes_on(runs, folder, name):
    """Check that the run goes on from what is whole, reports it, and ends as the one to which nothing happened."""
    reported = Reports()
    part = part_of(name)
    if part in ("config.json", "metrics.jsonl") and (folder / part).exists():
        before = (folder / part).read_bytes()
        with pytest.raises(UserError, match=part):
            train(folder, 30, reported)
        assert (folder / part).read_bytes() == before
        return
    train(folder, 30, reported)
    if part == "config.toml":
        assert any(f"'{folder / part}' is damaged" in said and "it is written again" in said for said in reported.sentences)
    assert bits(folder) == bits(runs / "straight"), name
    assert damaged_parts(folder) == []
    start = BEFORE if part == f"checkpoints/{LAST}" else LAST
    assert any(f"after step {start}" in sentence for sentence in reported.sentences), reported.sentences
    moved = any(f"checkpoint of step {LAST}" in said and "moved aside to" in said for said in reported.sentences)
    assert moved == (start == BEFORE) == (folder / "checkpoints-damaged" / str(LAST)).exists()


def harmed(runs, tmp_path, name, harm):
    folder = tmp_path / "run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(runs / "cut", folder)
    harm(folder / name)
    assert damaged_parts(folder) == [part_of(name)], name
    return folder


def test_every_file_may_lose_a_bit_and_verify_names_it(runs, tmp_path):
    for name, bit in flips(runs / "cut", 24):
        folder = harmed(runs, tmp_path, name, lambda path, bit=bit: flip(path, bit))
        if name.name == "model.safetensors":
            with pytest.raises(UserError):
                read_weights(folder / name)


@pytest.mark.parametrize("chosen", [0, -3])
def test_a_run_with_a_flipped_bit_goes_on_from_what_is_whole(runs, tmp_path, chosen):
    newest = [(name, bit) for name, bit in flips(runs / "cut", 60) if part_of(name) == f"checkpoints/{LAST}"]
    name, bit = newest[chosen]
    assert_goes_on(runs, harmed(runs, tmp_path, name, lambda path: flip(path, bit)), name)


HARMS = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "halved": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.parametrize("harm", ["truncated", *(pytest.param(name, marks=pytest.mark.slow) for name in list(HARMS)[1:])])
def test_files_that_are_no_longer_whole_are_found(runs, tmp_path, harm):
    for name in [name for name, size in files_of(runs / "cut") if size and (name.name != "config.json" or harm != "deleted")]:
        folder = harmed(runs, tmp_path, name, HARMS[harm])
    assert_goes_on(runs, folder, name)


@pytest.mark.parametrize("name", SMALL[:2])
@pytest.mark.parametrize("harm", ["truncated", "emptied"])
def test_a_run_whose_small_files_are_damaged(runs, tmp_path, name, harm):
    assert_goes_on(runs, harmed(runs, tmp_path, Path(name), HARMS[harm]), Path(name))


def test_without_its_metrics_a_run_goes_on_and_says_so(runs, tmp_path):
    folder = harmed(runs, tmp_path, Path("metrics.jsonl"), HARMS["halved"])
    with pytest.raises(UserError, match=r"metrics.jsonl' is damaged: .* remove it to continue without the figures so far"):
        train(folder, 30)
    (folder / "metrics.jsonl").unlink()
    reported = Reports()
    train(folder, 30, reported)
    assert any("the figures up to step 20 are lost" in said for said in reported.sentences)
    assert damaged_parts(folder) == []
    lines = (runs / "straight" / "metrics.jsonl").read_text().splitlines()
    assert (folder / "metrics.jsonl").read_text().splitlines() == [line for line in lines if json.loads(line)["step"] > LAST]


def test_an_older_run_without_checksums_is_gone_on_with(runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs / "cut", folder)
    config = json.loads((folder / "config.json").read_text())
    old = {name: value for name, value in config.items() if name not in ("files", "checksum")} | {"format_version": 1}
    (folder / "config.json").write_text(json.dumps(old))
    for step in (BEFORE, LAST):
        seal_as_of_old(folder / "checkpoints" / str(step))
    found = list(inspect(folder))
    assert not any(finding.damage for finding in found)
    without = {finding.part for finding in found if not finding.checksum}
    assert without == {*SMALL, f"checkpoints/{BEFORE}", f"checkpoints/{LAST}"}
    train(folder, 30)
    assert bits(folder) == bits(runs / "straight")
    assert all(finding.checksum for finding in inspect(folder) if finding.part != f"checkpoints/{LAST}")


def seal_as_of_old(checkpoint):
    """Take the checksums away that a checkpoint of an older seqnets did not have."""
    (checkpoint / "files.json").unlink()
    path = checkpoint / "record" / "metadata"
    sealed = json.loads(path.read_text())
    del sealed["list_of_files"], sealed["record"]["metrics_checksum"]
    digest = hashlib.sha256(json.dumps([sealed["record"], sealed["checksums"]], sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**sealed, "digest": digest}))


@pytest.mark.parametrize("harm", HARMS)
def test_weights_are_made_again_from_the_best_checkpoint(runs, tmp_path, harm):
    shutil.copytree(runs / "cut", tmp_path / "run")
    HARMS[harm](tmp_path / "run" / "model.safetensors")
    reported = Reports()
    train(tmp_path / "run", LAST, reported)  # which is complete: nothing is trained
    assert bits(tmp_path / "run") == bits(runs / "cut")
    assert any(f"the weights are taken from the checkpoint of step {LAST} again" in said for said in reported.sentences)


def test_where_no_checkpoint_is_whole_nothing_is_overwritten(runs, tmp_path):
    shutil.copytree(runs / "cut", tmp_path / "run")
    for step in (BEFORE, LAST):
        for file in (tmp_path / "run" / "checkpoints" / str(step)).rglob("*"):
            if file.is_file():
                file.write_bytes(b"")
    before = bits(tmp_path / "run")
    with pytest.raises(UserError, match=r"every checkpoint of .* is damaged; start again in another folder"):
        train(tmp_path / "run", 30)
    assert bits(tmp_path / "run") == before
    assert len(list((tmp_path / "run" / "checkpoints-damaged").iterdir())) == 2


@pytest.mark.slow
def test_three_hundred_flipped_bits_are_found_and_gone_on_from(runs, tmp_path):
    for name, bit in flips(runs / "cut", FLIPS, seed=SEED):
        assert_goes_on(runs, harmed(runs, tmp_path, name, lambda path, bit=bit: flip(path, bit)), name)


def test_a_damaged_checkpoint_can_be_read_around(runs, tmp_path):
    said = []
    shutil.copytree(runs / "cut" / "checkpoints", tmp_path / "checkpoints")
    flip(tmp_path / "checkpoints" / str(LAST) / "files.json", 100)
    with Checkpoints(tmp_path / "checkpoints", tell=said.append) as checkpoints:
        assert checkpoints.latest().step == BEFORE
    assert len(said) == 1
