"""Checkpoints that survive what disks do."""

import json
import shutil
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from orbax.checkpoint import Checkpointer

from seqnets import manifest
from seqnets.checkpoint import Checkpoint, Checkpoints
from seqnets.errors import UserError

ARRAYS = {
    "params.rnn.layers.0.kernel": np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32),
    "carry.0": np.linspace(0, 1, 7).astype(ml_dtypes.bfloat16),
    "step": np.int32(3),
    "flag": np.array(True),
    "keys": np.array([1, 2**32 - 1], np.uint32),
}


@pytest.fixture
def reported():
    """The sentences reported."""
    return []


@pytest.fixture
def checkpoints(tmp_path, reported):
    """Checkpoints of a folder."""
    with Checkpoints(tmp_path / "checkpoints", 2, reported.append) as opened:
        yield opened


def save(checkpoints, *steps, best=()):
    for step in steps:
        arrays = {**ARRAYS, "step": np.int32(step)}
        checkpoints.save(Checkpoint(step, arrays, {"loss": 1 / step, "none": None}), best=step in best)
    return checkpoints.wait()


def assert_is_step(found, step):
    assert found.step == found.arrays["step"] == step
    assert found.record == {"loss": 1 / step, "none": None}
    for name in ARRAYS.keys() - {"step"}:
        assert isinstance(found.arrays[name], np.ndarray)
        assert found.arrays[name].dtype == ARRAYS[name].dtype
        assert found.arrays[name].tobytes() == ARRAYS[name].tobytes()


def test_what_was_saved_is_restored_bit_for_bit(checkpoints):
    save(checkpoints, 10)
    assert_is_step(checkpoints.latest(), 10)


def test_nothing_to_restore(checkpoints):
    assert checkpoints.latest() is None
    assert checkpoints.steps() == []


def test_keeps_the_last_and_the_best(checkpoints):
    save(checkpoints, 10, 20, 30, 40, 50, best={20, 30})
    assert checkpoints.steps() == [30, 40, 50]
    save(checkpoints, 60, best={60})
    assert checkpoints.steps() == [50, 60]


def test_a_step_is_saved_once(checkpoints, reported):
    save(checkpoints, 10)
    assert save(checkpoints, 10)
    assert_is_step(checkpoints.latest(), 10)
    assert reported == []


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def files_of(checkpoints, step):
    return sorted(path for path in (checkpoints.directory / str(step)).rglob("*") if path.is_file() and path.stat().st_size)


def check_flips(checkpoints, count):
    """Flip bits of any of the checkpoint's files, one at a time, and have each of them noticed."""
    rng = np.random.default_rng(1)
    original = checkpoints.directory / "20"
    kept = checkpoints.directory.with_name("kept")
    shutil.copytree(original, kept)
    for _ in range(count):
        files = files_of(checkpoints, 20)
        file = files[rng.integers(len(files))]
        flip(file, int(rng.integers(8 * file.stat().st_size)))
        with pytest.raises(UserError, match="step 20 is damaged"):
            checkpoints.read(20)
        shutil.rmtree(original)
        shutil.copytree(kept, original)


def test_flipped_bits_never_pass_unnoticed(checkpoints):
    save(checkpoints, 10, 20)
    check_flips(checkpoints, 12)


@pytest.mark.slow
def test_three_hundred_flipped_bits_never_pass_unnoticed(checkpoints):
    save(checkpoints, 10, 20)
    check_flips(checkpoints, 300)


@pytest.mark.parametrize("harm", ["truncate", "empty", "delete"])
def test_a_harmed_checkpoint_is_moved_aside_and_the_one_before_is_used(checkpoints, reported, harm):
    save(checkpoints, 10, 20)
    largest = max(files_of(checkpoints, 20), key=lambda path: path.stat().st_size)
    content = largest.read_bytes()
    largest.unlink() if harm == "delete" else largest.write_bytes(content[: len(content) // 2] if harm == "truncate" else b"")
    assert_is_step(checkpoints.latest(), 10)
    assert len(reported) == 1
    assert "the checkpoint of step 20" in reported[0]
    assert f"moved aside to '{checkpoints.directory.with_name('checkpoints-damaged') / '20'}'" in reported[0]
    assert checkpoints.steps() == [10]
    save(checkpoints, 20)
    assert_is_step(checkpoints.latest(), 20)


def without_list(checkpoints, step):
    """Make a checkpoint into one as they were before they had a list of files: with checksums of its arrays alone."""
    (checkpoints.directory / str(step) / "files.json").unlink()
    path = checkpoints.directory / str(step) / "record" / "metadata"
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "list_of_files"}))


def test_a_missing_list_of_files_is_noticed(checkpoints, reported):
    save(checkpoints, 10, 20)
    (checkpoints.directory / "20" / "files.json").unlink()
    assert_is_step(checkpoints.latest(), 10)
    assert "its list of files, files.json, is missing" in reported[0]


def test_an_old_checkpoint_without_a_list_of_files_is_read(checkpoints, reported):
    save(checkpoints, 10)
    without_list(checkpoints, 10)
    assert_is_step(checkpoints.latest(), 10)
    assert reported == []
    assert not checkpoints.is_listed(10)


def test_a_changed_record_is_noticed(checkpoints):
    save(checkpoints, 10)
    without_list(checkpoints, 10)
    path = checkpoints.directory / "10" / "record" / "metadata"
    sealed = json.loads(path.read_text())
    sealed["record"]["loss"] = 0.2
    path.write_text(json.dumps(sealed))
    with pytest.raises(UserError, match="its record does not match"):
        checkpoints.read(10)


def test_an_exchanged_array_is_noticed(checkpoints, tmp_path):
    save(checkpoints, 10)
    without_list(checkpoints, 10)
    with Checkpoints(tmp_path / "other") as other:
        other.save(Checkpoint(10, {**ARRAYS, "keys": np.array([1, 3], np.uint32)}, {}))
        other.wait()
        shutil.rmtree(checkpoints.directory / "10" / "state")
        shutil.copytree(other.directory / "10" / "state", checkpoints.directory / "10" / "state")
    with pytest.raises(UserError, match=r"array 'keys' does not match its checksum|array 'step' does not"):
        checkpoints.read(10)


def test_a_save_that_fails_is_reported_and_the_next_one_succeeds(checkpoints, reported, monkeypatch):
    save(checkpoints, 10)
    real = Checkpointer.save

    def full(*args, **options):
        (checkpoints.directory / "20.saving.orbax-checkpoint-tmp").mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpointer, "save", full)
    assert not save(checkpoints, 20)
    assert reported == ["a checkpoint could not be saved, the older ones are kept: [Errno 28] No space left on device"]
    assert sorted(path.name for path in checkpoints.directory.iterdir()) == ["10"]
    monkeypatch.setattr(Checkpointer, "save", real)
    assert save(checkpoints, 30)
    assert_is_step(checkpoints.latest(), 30)


def test_poll_reports_a_failure_without_waiting(checkpoints, reported, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    save(checkpoints, 10)
    monkeypatch.setattr(Checkpointer, "save", full)
    checkpoints.save(Checkpoint(20, ARRAYS, {}))
    while checkpoints.poll():
        pass
    assert "No space left" in reported[0]


@pytest.mark.parametrize("name", ["20.orbax-checkpoint-tmp-17", "20.saving", "20.saving.orbax-checkpoint-tmp", "5.deleting"])
def test_leftovers_of_a_killed_process_are_removed(checkpoints, name):
    save(checkpoints, 10)
    (checkpoints.directory / name).mkdir()
    (checkpoints.directory / name / "half").write_text("half")
    assert checkpoints.steps() == [10]
    assert_is_step(checkpoints.latest(), 10)
    assert checkpoints.directory.exists()
    assert [path.name for path in checkpoints.directory.iterdir()] == ["10"]


def test_a_checkpoint_appears_whole_and_goes_whole(checkpoints, monkeypatch):
    seen = []

    def watched(real):
        def call(path, *words, **options):
            seen.append(all_whole(checkpoints))
            return real(path, *words, **options)

        return call

    monkeypatch.setattr(Path, "rename", watched(Path.rename))
    monkeypatch.setattr(shutil, "rmtree", watched(shutil.rmtree))
    save(checkpoints, 10, 20, 30, 40)
    assert checkpoints.steps() == [30, 40]
    assert len(seen) >= 8
    assert all(seen)


def all_whole(checkpoints):
    return all(manifest.broken(checkpoints.directory / str(step)) is None for step in checkpoints.steps())
