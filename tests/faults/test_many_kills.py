"""Hundreds of processes killed, for real, at any moment: no checkpoint is lost, and the run ends as one that was not killed.

They are forked from a process that has imported what training needs, so that a kill costs a second and not five.
`SEQNETS_KILLS` says how many kills (200 at any moment, a quarter of it for the other two), `SEQNETS_SEED` when they come.
"""

import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest

from seqnets import manifest
from seqnets.cli.verify import inspect
from train.test_kill import assert_same_run, checkpoints
from train.tiny_task import run

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("SEQNETS_KILLS", "200"))
SEED = int(os.environ.get("SEQNETS_SEED", "0"))
FORKS = multiprocessing.get_context("forkserver")
STEPS = 300


class Trainings:
    """Trainings in processes of their own, below one folder."""

    def __init__(self, folder):
        self.folder, self.process = folder, None

    def start(self, name):
        """Start a training, or go on with it."""
        self.directory, self.errors = self.folder / name, self.folder / f"{name}.err"
        self.before, self._read = checkpoints(self.directory), self.errors.stat().st_size if self.errors.exists() else 0
        self.process = FORKS.Process(target=run, args=(str(self.errors), str(self.directory), str(STEPS)), daemon=True)
        self.process.start()

    @property
    def ended(self):
        return self.process.exitcode is not None

    @property
    def output(self):
        """What this process has printed so far."""
        return self.errors.read_text()[self._read :] if self.errors.exists() else ""

    def wait_for(self, condition, patience=120.0):
        """Wait until a condition holds or the process has ended."""
        deadline = time.monotonic() + patience
        while not self.ended and not condition():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.002)

    def kill(self):
        """Kill it, and check that all checkpoints are whole and that the newest is no older than it was."""
        self.process.kill()
        self.process.join()
        found = checkpoints(self.directory)
        assert max(found, default=0) >= max(self.before, default=0)
        for step in found:
            folder = self.directory / "checkpoints" / str(step)
            assert manifest.is_sealed(folder), folder
            assert manifest.broken(folder) is None

    def assert_ended_as(self, other):
        """Check that the run came to its end, whole, and with the same files as another."""
        assert self.process.exitcode == 0, self.output
        assert "damaged" not in self.errors.read_text()
        assert_same_run(self.folder / other, self.directory)
        assert not any(finding.damage for finding in inspect(self.directory))


@pytest.fixture(scope="module")
def server():
    """The process that others are forked from."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
        FORKS.set_forkserver_preload(["train.tiny_task", "orbax.checkpoint", "matplotlib.backends.backend_agg"])
        yield


@pytest.fixture
def trainings(server, tmp_path):
    """Trainings, after one that was not killed, `straight`, and how many seconds that took; what still runs is killed."""
    started = Trainings(tmp_path)
    started.start("straight")
    started.wait_for(lambda: "step 7/" in started.output)
    begun = time.monotonic()
    started.wait_for(lambda: False)
    started.assert_ended_as("straight")
    started.seconds = time.monotonic() - begun
    yield started
    started.process.kill()


def test_kills_at_any_moment(trainings):
    rng, kills, early, runs = random.Random(SEED), 0, 0, 0
    while kills < KILLS:
        runs += 1
        while True:
            trainings.start(f"cut{runs}")
            starting = rng.random() < 0.25  # while it opens the folder, restores, compiles
            trainings.wait_for(lambda word="ready" if starting else " loss ": word in trainings.output)
            time.sleep(rng.uniform(0, trainings.seconds / 4))
            if trainings.ended:
                break
            trainings.kill()
            kills, early = kills + 1, early + starting
        trainings.assert_ended_as("straight")
    print(f"{kills} kills of {runs} runs, {early} of them timed from the start of the process")


def test_termination_followed_by_a_kill(trainings):
    pairs, unsaved, runs = 0, 0, 0
    while pairs < KILLS // 4:
        runs += 1
        while True:
            trainings.start(f"cut{runs}")
            newest = max(trainings.before, default=0)
            trainings.wait_for(lambda newest=newest: max(checkpoints(trainings.directory), default=0) > newest)
            trainings.process.terminate()
            time.sleep(0.1)
            if trainings.process.exitcode == 0:  # it had come to its end
                break
            pairs, unsaved = pairs + 1, unsaved + (not trainings.ended)
            trainings.kill()
        trainings.assert_ended_as("straight")
    print(f"{pairs} pairs of signals to {runs} runs, {unsaved} of them ended by the kill")


def test_kills_while_an_old_checkpoint_is_deleted(trainings):
    rng, kills, halves, runs = random.Random(SEED), 0, 0, 0
    while kills < KILLS // 4:
        runs += 1
        while True:
            trainings.start(f"cut{runs}")
            folder = trainings.directory / "checkpoints"
            left = {*folder.glob("*.deleting")}  # by the kill before
            trainings.wait_for(lambda folder=folder, left=left: {*folder.glob("*.deleting")} - left)
            time.sleep(rng.uniform(0, 0.002))
            if trainings.ended:
                break
            trainings.kill()
            kills, halves = kills + 1, halves + bool({*folder.glob("*.deleting")} - left)
        trainings.assert_ended_as("straight")
    print(f"{kills} kills of {runs} runs, {halves} of them with a checkpoint half deleted")
    assert halves > 0
