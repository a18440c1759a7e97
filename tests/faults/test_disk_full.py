"""A disk that is full for a while costs no checkpoint and no bit of the result."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "train" / "tiny_task.py"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own of six megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6M", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only the administrator may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def start(folder, steps, errors):
    with errors.open("a") as output:
        return subprocess.Popen([sys.executable, str(TINY), str(folder), str(steps), "constant"], stderr=output, env=os.environ)


def fill(path):
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            with contextlib.suppress(OSError):  # until there is no room for so many bytes
                while True:
                    file.write(bytes(size))


def wait_for(condition, patience=120):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def steps_in(run):
    return sorted(int(path.name) for path in (run / "checkpoints").glob("[0-9]*") if path.name.isdigit())


@pytest.mark.slow
def test_a_full_disk_is_reported_and_survived(small_disk, tmp_path):
    run, errors, filler = small_disk / "run", tmp_path / "errors", small_disk / "filler"
    process = start(run, 100_000_000, errors)
    try:
        wait_for(lambda: steps_in(run))
        fill(filler)
        wait_for(lambda: "No space left" in errors.read_text() or process.poll() is not None)
        kept = steps_in(run)
        assert kept
        filler.unlink()
        if process.poll() is None:  # it went on: a save succeeds again
            wait_for(lambda: steps_in(run) and max(steps_in(run)) > max(kept))
        assert "Traceback" not in errors.read_text().partition("seqnets.errors.UserError")[0], errors.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()
    last = max(steps_in(run)) + 10
    assert start(run, last, errors).wait(120) == 0, errors.read_text()[-2000:]
    assert start(tmp_path / "straight", last, errors).wait(120) == 0
    for name in ("metrics.jsonl", "model.safetensors"):
        assert (run / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
