"""A training is started again where that may help, and nowhere else."""

import signal
import sys

import pytest

from seqnets.cli import restarts


@pytest.mark.parametrize("code", [0, 2, 3, 130, 143], ids=["done", "bad input", "diverged", "interrupted", "terminated"])
def test_what_would_end_the_same_way_is_not_started_again(monkeypatch, code):
    begun = []
    monkeypatch.setattr(restarts, "_run", lambda command: begun.append(command) or code)
    assert restarts.supervise(["a.txt"], 5) == code
    assert len(begun) == 1


@pytest.mark.parametrize("code", [1, 134, 137, 139])
def test_a_fault_or_a_kill_is_tried_again_as_often_as_allowed(monkeypatch, capsys, code):
    codes = [code] * 3
    monkeypatch.setattr(restarts, "_run", lambda command: codes.pop())
    assert restarts.supervise(["a.txt"], 2) == code
    assert codes == []
    assert capsys.readouterr().err.count(f"ended with code {code}; starting it again") == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_counts_as_shells_count_it(number):
    command = [sys.executable, "-S", "-c", f"import os; os.kill(os.getpid(), {int(number)})"]
    assert restarts._run(command) == 128 + number
