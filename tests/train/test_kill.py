"""Processes that are killed, for real: kill -9, SIGTERM, SIGINT, a second SIGINT."""

import os
import random
import re
import signal
import subprocess
import time

import pytest

from seqnets import manifest
from seqnets.cli.verify import inspect

STEPS = "160"
KILLS = int(os.environ.get("SEQNETS_KILLS", "50"))  # of the slow tests
SEED = int(os.environ.get("SEQNETS_SEED", "0"))


@pytest.fixture
def start(tiny_program, compile_cache, tmp_path):
    """Starts the tiny program on a folder under the temporary one; what still runs at the end is killed."""
    started = []

    def begin(name, *words, steps=STEPS):
        with (tmp_path / f"{name}.err").open("a") as errors:
            command = [*tiny_program, str(tmp_path / name), steps, *words]
            process = subprocess.Popen(command, stderr=errors, env=os.environ | compile_cache)
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
    for name in ("metrics.jsonl", "model.safetensors", "config.json"):
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


def wait_until_ready(process, errors, starts, patience=120.0):
    """Wait until the program has imported what it needs, for the given time of this run."""
    deadline = time.monotonic() + patience
    while process.poll() is None and errors.read_text().count("ready") < starts:
        assert time.monotonic() < deadline, "the program does not begin"
        time.sleep(0.01)


def assert_nothing_lost(directory, before):
    """Check that every checkpoint there is whole and has its list of files, and that the newest is no older than it was."""
    found = checkpoints(directory)
    assert max(found, default=0) >= max(before, default=0)
    for step in found:
        folder = directory / "checkpoints" / str(step)
        assert manifest.is_sealed(folder), folder
        assert manifest.broken(folder) is None


@pytest.mark.slow
def test_runs_killed_at_two_hundred_random_moments_end_as_one_that_was_not(start, tmp_path):
    steps = "500"
    assert start("straight", steps=steps).wait(120) == 0
    rng, kills, runs = random.Random(SEED), 0, 0
    while kills < 4 * KILLS:
        runs += 1
        directory, errors, starts = tmp_path / f"cut{runs}", tmp_path / f"cut{runs}.err", 0
        while True:
            before, process, starts = checkpoints(directory), start(directory.name, steps=steps), starts + 1
            wait_until_ready(process, errors, starts)
            time.sleep(rng.uniform(0, 3))
            if process.poll() is not None:  # it came to its end in time
                break
            process.kill()
            process.wait()
            kills += 1
            assert_nothing_lost(directory, before)
        assert process.returncode == 0, errors.read_text()[-2000:]
        assert "damaged" not in errors.read_text()
        assert_same_run(tmp_path / "straight", directory)
        assert not any(finding.damage for finding in inspect(directory))
    print(f"{kills} kills of {runs} runs")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves_within_five_seconds(start, tmp_path, number, code):
    process = start("run", steps="100000000")
    wait_for_checkpoint(process, tmp_path / "run", 0)
    asked = time.monotonic()
    process.send_signal(number)
    assert process.wait(30) == code
    assert time.monotonic() - asked < 5
    told = (tmp_path / "run.err").read_text()
    step = int(re.search(r"stopped at step ([\d,]+), which is saved", told)[1].replace(",", ""))
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


@pytest.mark.slow
def test_termination_followed_by_a_kill_loses_nothing(start, tmp_path):
    assert start("straight").wait(120) == 0
    kills, unsaved, runs = 0, 0, 0
    while kills < KILLS:
        runs += 1
        directory = tmp_path / f"cut{runs}"
        while True:
            before, process = checkpoints(directory), start(directory.name)
            wait_for_checkpoint(process, directory, max(before, default=0))
            process.terminate()
            time.sleep(0.1)
            if process.poll() == 0:  # it had come to its end
                break
            unsaved += process.poll() is None
            process.kill()
            process.wait()
            kills += 1
            assert_nothing_lost(directory, before)
        assert "damaged" not in (tmp_path / f"cut{runs}.err").read_text()
        assert_same_run(tmp_path / "straight", directory)
    print(f"{kills} pairs of signals to {runs} runs, {unsaved} of them before what was reached was saved")


@pytest.mark.slow
def test_kills_while_an_old_checkpoint_is_deleted_lose_nothing(start, tmp_path):
    assert start("straight").wait(120) == 0
    rng, kills, halves, runs = random.Random(SEED), 0, 0, 0
    while kills < KILLS:
        runs += 1
        directory = tmp_path / f"cut{runs}"
        process, known = start(directory.name), set()
        while process.poll() is None:
            found = checkpoints(directory)
            if len(found | known) > 2 and found != known:  # one more than is kept: the oldest is deleted now
                time.sleep(rng.uniform(0, 0.003))
                process.kill()
                process.wait()
                kills += 1
                assert_nothing_lost(directory, known)
                halves += any((directory / "checkpoints").glob("*.*"))
                process, found = start(directory.name), checkpoints(directory)
            known = found
        assert process.returncode == 0
        assert_same_run(tmp_path / "straight", directory)
    print(f"{kills} kills, {halves} of them in the middle of a deletion or a save")
    assert halves > 0
