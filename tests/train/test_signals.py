"""Requests to stop, within one process."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from seqnets.train.signals import Interrupted, StopRequest


def test_the_first_signal_is_noted_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested == signal.SIGTERM
        assert stop.acknowledge() == signal.SIGTERM
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert not [thread for thread in threading.enumerate() if thread.name == "seqnets-signals"]


def test_an_interruptible_block_ends_at_once_and_only_it():
    with StopRequest() as stop:
        with pytest.raises(Interrupted) as interrupted, stop.interruptible():
            _interrupt_and_sleep()
        assert interrupted.value.exit_code == 130
        with pytest.raises(Interrupted), stop.interruptible():
            pytest.fail("a block that is entered after the signal must not run")
        stop.acknowledge()


def _interrupt_and_sleep():
    signal.raise_signal(signal.SIGINT)
    time.sleep(60)


def test_nothing_is_installed_outside_the_main_thread():
    before, seen = signal.getsignal(signal.SIGINT), []

    def elsewhere():
        with StopRequest():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


BLOCKED = """
import signal
from seqnets.train.signals import StopRequest
with StopRequest() as stop:
    print("ready", flush=True)
    {wait}
"""


def run_blocked(wait, *numbers):
    process = subprocess.Popen([sys.executable, "-c", BLOCKED.format(wait=wait)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    began = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.3)
    code = process.wait(30)
    process.communicate()
    return code, time.monotonic() - began


# the handler notes the first signal between two calls of C, but nobody acknowledges it
BUSY = "import ctypes; libc = ctypes.CDLL(None); [libc.usleep(900_000) for _ in iter(int, 1)]"


def test_a_process_that_does_not_acknowledge_leaves_in_time():
    code, seconds = run_blocked(BUSY, signal.SIGTERM)
    assert code == 143
    assert 4 < seconds < 8


def test_a_second_signal_leaves_at_once():
    code, seconds = run_blocked(BUSY, signal.SIGINT, signal.SIGINT)
    assert code == 130
    assert seconds < 3


STEP = """
import os, sys, time
from seqnets.train import signals
signals.PATIENCE_S = 0.2
stop.begin()
end = time.monotonic() + {seconds}
import ctypes; libc = ctypes.CDLL(None)
while time.monotonic() < end: libc.usleep(100_000)
if stop.requested:
    stop.acknowledge(); print("saved", flush=True); sys.exit(7)
"""


def run_step(seconds, *numbers):
    wait = STEP.format(seconds=seconds).strip().replace("\n", "\n    ")
    script = BLOCKED.format(wait=wait)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(0.5)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.5)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def test_a_step_is_waited_for_and_saved_however_long_it_takes():
    code, output, errors = run_step(3, signal.SIGINT)
    assert (code, output) == (7, "saved\n")
    assert errors == "finishing the current step, then saving; press Ctrl-C again to exit immediately\n"


def test_a_second_signal_leaves_a_step_at_once():
    code, output, errors = run_step(60, signal.SIGTERM, signal.SIGINT)
    assert (code, output) == (130, "")
    assert errors.endswith("stopped immediately; the last checkpoint is kept\n")
