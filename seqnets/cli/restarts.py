"""Training in a separate process, which `seqnets train --restarts N` starts again after a crash."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

_SEQNETS = [sys.executable, "-m", "seqnets.cli"]
ENDED = {0, 2, 3, 130, 143}  # done, bad input, diverged, stopped: a restart would change nothing

# a separate group: Ctrl-C then reaches the process only through us; a second one would mean "exit immediately"
_APART: dict[str, Any] = {"start_new_session": True}
_PASSED_ON: dict[int, int] = {}
if sys.platform == "win32":  # where a separate group has Ctrl-C turned off, and SIGTERM would end it at once
    _APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    _PASSED_ON = dict.fromkeys((signal.SIGINT, signal.SIGTERM), signal.CTRL_BREAK_EVENT)


def supervise(words: Sequence[str], restarts: int) -> int:
    """Run `seqnets train WORDS` in a separate process, again after each crash, and return its exit code.

    Training continues from the saved state (`--resume auto`), so a crash costs the steps since the last checkpoint. SIGINT and
    SIGTERM are passed on.

    Args:
        words: the arguments after `seqnets train`, without --restarts.
        restarts: how often to start again.
    """
    command = [*_SEQNETS, "train", *words]
    for left in range(restarts, -1, -1):
        code = _run(command)
        if code in ENDED or left == 0:
            return code
        print(
            f"seqnets: the training ended with code {code}; starting it again ({left - 1} more allowed)",
            file=sys.stderr,
            flush=True,
        )
    raise AssertionError("unreachable")


def train_aside(words: Sequence[str]) -> int:
    """Run `seqnets train WORDS` in a separate process whose results go to standard error too, and return its exit code.

    SIGINT and SIGTERM are passed on.
    """
    return _run([*_SEQNETS, "train", *words], stdout=2)


def _run(command: list[str], stdout: int | None = None) -> int:
    process = subprocess.Popen(command, stdout=stdout, **_APART)
    asked: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        process.send_signal(_PASSED_ON.get(number, number))

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:  # also if it came before the process had installed its handler
        return 128 + asked[0]
    return 128 - code if code < 0 else code
