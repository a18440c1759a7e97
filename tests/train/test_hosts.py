"""Several real processes train what one trains, and end when one of them is gone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqnets.errors import UserError
from seqnets.train.hosts import join_hosts
from train.device_program import free_port

ROOT = Path(__file__).parents[2]
WORDS = [
    *("train", "text", str(ROOT / "README.md"), "--model.hidden-features", "16", "--data.window", "8"),
    *("--train.batch-size", "8", "--train.log-every", "4", "--train.evaluate-every", "8", "--train.save-every", "8"),
    *("--train.schedule", "constant", "--train.warmup-steps", "0"),
]


def start(folder, steps, count=1, *more):
    several = {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}", "JAX_NUM_PROCESSES": str(count)} if count > 1 else {}
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    words = [sys.executable, "-m", "seqnets.cli", *WORDS, "--out", str(folder), "--train.steps", str(steps), *more]
    logs = [folder.with_name(f"{folder.name}-{number}.log") for number in range(count)]
    return [_launched(words, environment | several, number, log) for number, log in enumerate(logs)], logs


def _launched(words, environment, number, log):
    several = {"JAX_PROCESS_ID": str(number)} if "JAX_NUM_PROCESSES" in environment else {}
    with log.open("w") as output:
        return subprocess.Popen(words, env=environment | several, stdout=output, stderr=subprocess.STDOUT)


def finish(started, timeout=200):
    processes, logs = started
    codes = [process.wait(timeout) for process in processes]
    assert codes == [0] * len(codes), logs[0].read_text()[-3000:]


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_two_processes_train_what_one_trains_and_one_goes_on(tmp_path):
    finish(start(tmp_path / "two", 16, 2))
    finish(start(tmp_path / "two", 24))  # the checkpoint of two processes, on one
    finish(start(tmp_path / "one", 24))
    two, one = ({(line["step"], "loss" in line): line for line in lines(tmp_path / name)} for name in ("two", "one"))
    assert one.keys() == two.keys()
    for key, line in one.items():
        assert two[key] == pytest.approx(line, rel=2e-4, abs=2e-5)


@pytest.mark.slow
def test_a_killed_process_is_noticed_and_the_run_goes_on(tmp_path):
    folder = tmp_path / "run"
    processes, logs = start(folder, 10_000, 2, "--restarts", "2", "--train.save-every", "50", "--train.evaluate-every", "0")

    def reached(step):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if any((folder / "checkpoints").glob(str(step))):
                return time.monotonic()
            time.sleep(0.1)
        raise AssertionError(logs[0].read_text()[-3000:])

    try:
        reached(50)
        saved = max(int(path.name) for path in (folder / "checkpoints").glob("[0-9]*") if path.name.isdigit())
        child = subprocess.check_output(["pgrep", "-P", str(processes[1].pid)], text=True).split()[0]
        killed = time.monotonic()
        os.kill(int(child), signal.SIGKILL)
        again = reached(saved + 100 - saved % 50)
        assert again - killed < 60  # on a busy machine; half of that on an idle one
        assert "continuing" in logs[0].read_text()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"JAX_NUM_PROCESSES": "2"}, "JAX_NUM_PROCESSES is set and JAX_COORDINATOR_ADDRESS is not"),
        ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "2"}, "must be a number from 0"),
        ({"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "two", "JAX_PROCESS_ID": "0"}, "must be a number from 0"),
    ],
)
def test_half_an_environment_is_refused(environment, message):
    with pytest.raises(UserError, match=message):
        join_hosts("env", environment)
