"""Of several processes one is killed or hangs, the first or another: all are started again, and little is lost."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from train.host_commands import Hosts

pytestmark = pytest.mark.slow
EVERY = 200
WITHIN_S = 60  # on a busy machine; half of that on an idle one
WORDS = ["--train.save-every", str(EVERY), "--train.evaluate-every", "0", "--train.log-every", "20"]
PROGRAM = Path(__file__).with_name("hanging_cli.py")


def until(reached, hosts, seconds):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "\n".join(hosts.output(number)[-3000:] for number in range(2))
        time.sleep(0.05)


@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_process_is_missed_and_the_run_goes_on(tmp_path, number):
    with Hosts(tmp_path / "run", 100_000, 2, "--restarts", "2", *WORDS) as hosts:
        until(lambda: len(hosts.saved()) > 1, hosts, 180)
        reached, saved = hosts.lines("timing")[-1]["step"], hosts.saved()[-1]
        child = subprocess.check_output(["pgrep", "-P", str(hosts.processes[number].pid)], text=True).split()[0]
        os.kill(int(child), signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: "continuing" in hosts.output(0), hosts, WITHIN_S)
        lines = len(hosts.lines("timing"))
        until(lambda: len(hosts.lines("timing")) > lines, hosts, WITHIN_S)
        seconds = time.monotonic() - killed
        print(f"killed at step {reached:,}, whole at {saved:,}, steps are taken again after {seconds:.1f} s")
        begun = int(re.search(r"after step ([\d,]+)", hosts.output(0))[1].replace(",", ""))
        assert begun >= saved  # no whole checkpoint is lost
        assert begun > reached - 2 * EVERY  # the interval, and what was being written


@pytest.mark.parametrize("number", [0, 1])
def test_a_process_that_hangs_is_found_and_the_run_is_finished(tmp_path, number):
    hangs = {"HANG_AFTER": "25", "HANG_ONCE": str(tmp_path / "hung")}
    environments = [hangs if number == who else {"HANG_AFTER": "1000"} for who in range(2)]
    words = ["--restarts", "2", "--train.watchdog", "10", "--train.steps-per-dispatch", "1"]
    with Hosts(tmp_path / "run", 40, 2, *words, program=[str(PROGRAM)], environments=environments) as hosts:
        until(lambda: "hung" in os.listdir(tmp_path), hosts, 120)
        hung = time.monotonic()
        hosts.finish()
        print(f"hung, found, started again and finished in {time.monotonic() - hung:.1f} s")
        assert "Timeout (0:00:10)!" in hosts.output(0) + hosts.output(1)
        assert "in hanging" in hosts.output(number)  # the thread that waits for the text, of the one that hangs
        assert "after step 24" in hosts.output(0)
