"""Processes that are killed, for real: kill -9, SIGTERM, SIGINT, a second SIGINT. Hundreds of kills are in tests/faults."""

import random
import re
import signal
import subprocess
import time

import pytest

STEPS = "160"


@pytest.fixture
def start(tiny_program, tmp_path):
    """Starts the tiny program on a folder under the temporary one; what still runs at the end is killed."""
    started = []

    def begin(name, *words, steps=STEPS):
        with (tmp_path / f"{name}.err").open("a") as errors:
            command = [*tiny_program, str(tmp_path / name), steps, *words]
            process = subprocess.Popen(command, stderr=errors)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def checkpoints(directory):
    folder = directory / "checkpoints"
    return {int(path.name) for path in folder.iterdir() if path.name.isdigit()} if folder.exists() else set()


def wait_for_checkpoint(process, directory, after, patience=120.0):
    deadline = time.monotonic() + patience
    while process.poll() is None and not any(step > after for step in checkpoints(directory)):
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.002)


def assert_same_run(one, other):
    for name in ("metrics.jsonl", "samples.jsonl", "model.safetensors", "config.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def kill_and_continue(start, directory, kills, name="cut"):
    rng = random.Random(kills)
    for _ in range(kills):
        process = start(name)
        wait_for_checkpoint(process, directory, max(checkpoints(directory), default=0))
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.wait()
    assert start(name).wait(120) == 0


def test_killed_runs_end_as_one_that_was_not(start, tmp_path):
    assert start("straight").wait(120) == 0
    kill_and_continue(start, tmp_path / "cut", kills=3)
    assert "continuing" in (tmp_path / "cut.err").read_text()
    assert "damaged" not in (tmp_path / "cut.err").read_text()
    assert_same_run(tmp_path / "straight", tmp_path / "cut")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves_within_five_seconds(start, tmp_path, number, code):
    process = start("run", steps="100000000")
    wait_for_checkpoint(process, tmp_path / "run", 0)
    asked = time.monotonic()
    process.send_signal(number)
    assert process.wait(30) == code
    assert time.monotonic() - asked < 5
    errors = (tmp_path / "run.err").read_text()
    step = int(re.search(r"stopped at step ([\d,]+), which is saved", errors)[1].replace(",", ""))
    assert max(checkpoints(tmp_path / "run")) == step
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_signal_ends_an_evaluation_that_takes_minutes(start, tmp_path):
    process = start("run", "slow-evaluation")
    wait_for_checkpoint(process, tmp_path / "run", 0)
    time.sleep(0.5)  # the evaluation after step 30 has begun, and sleeps
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert time.monotonic() - asked < 5
    assert max(checkpoints(tmp_path / "run")) == 30


def test_a_second_interrupt_leaves_at_once(start, tmp_path):
    process = start("run", "slow-evaluation")
    wait_for_checkpoint(process, tmp_path / "run", 0)
    process.send_signal(signal.SIGSTOP)  # both arrive while it cannot act on the first
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    assert process.wait(30) in (130, 143)
