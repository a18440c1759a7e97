"""A training that hangs for good is ended by its watchdog, and started again where that is asked for."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("hanging_cli.py")
WORDS = [
    *("text", str(PROGRAM), "--model.hidden-features", "4", "--model.embedding-features", "3", "--model.layers", "1"),
    *("--data.window", "4", "--data.validation-fraction", "0", "--train.batch-size", "2", "--train.steps", "40"),
    *("--train.save-every", "10", "--train.evaluate-every", "0", "--train.watchdog", "8", "--train.steps-per-dispatch", "1"),
]


def environment(**more):
    return {**os.environ, "JAX_PLATFORMS": "cpu", **more}


def test_a_training_that_hangs_ends_with_the_stacks_of_its_threads(tmp_path):
    words = [sys.executable, str(PROGRAM), "train", *WORDS, "--out", str(tmp_path / "run")]
    begun = time.monotonic()
    done = subprocess.run(words, env=environment(HANG_AFTER="25"), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "Timeout (0:00:08)!" in done.stderr
    assert "in hanging" in done.stderr  # the thread that waits for the text
    assert "in _train" in done.stderr  # the one that waits for it
    assert time.monotonic() - begun < 100
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.isdigit()} == {"10", "20"}


@pytest.mark.slow
@pytest.mark.parametrize("times", ["once", "always"])
def test_it_is_started_again(tmp_path, times):
    once = {"HANG_ONCE": str(tmp_path / "hung")} if times == "once" else {}
    words = [sys.executable, str(PROGRAM), "train", *WORDS, "--out", str(tmp_path / "run"), "--restarts", "1"]
    done = subprocess.run(
        words, env=environment(HANG_AFTER="25", **once), capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == (0 if times == "once" else 1)
    assert done.stderr.count("Timeout (0:00:08)!") == (1 if times == "once" else 2)
    assert "the training ended with code 1; starting it again (0 more allowed)" in done.stderr
    assert "after step 20" in done.stderr
    if times == "once":
        assert (tmp_path / "run" / "checkpoints" / "40").is_dir()
