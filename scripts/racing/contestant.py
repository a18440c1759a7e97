"""A contestant of a benchmark, seen from the benchmark."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, NamedTuple, cast


class Measured(NamedTuple):
    """Seconds a step, of the clock and of the processor (all threads)."""

    seconds: float
    cpu: float


class Contestant:
    """A process that does one piece of work when asked; its program ends in `racing.worker.serve`.

    Args:
        module: the program, to be found from `scripts`.
        words: its command line.
        environment: variables that it gets beside ours.
    """

    def __init__(self, module: str, *words: str, environment: dict[str, str] | None = None):
        command = [sys.executable, "-m", module, *words]
        self.command, self.megabytes, self._repeats = " ".join(command), 0.0, 1
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, **(environment or {})},
        )
        self._input, self._output = cast(IO[str], self.process.stdin), cast(IO[str], self.process.stdout)
        self.begun = self._answer()

    def calibrate(self, seconds: float) -> None:
        """Choose how many calls fill so many seconds."""
        call = min(self.measure().seconds for _ in range(2)) * self.begun["steps"]
        self._repeats = max(1, round(seconds / call))

    def measure(self) -> Measured:
        """Do the work, and return what a step of it took."""
        print(self._repeats, file=self._input, flush=True)
        answer = self._answer()
        self.megabytes = answer["megabytes"]
        steps = self._repeats * self.begun["steps"]
        return Measured(answer["seconds"] / steps, answer["cpu"] / steps)

    def close(self) -> None:
        """End the process."""
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        line = self._output.readline()
        if not line:
            raise SystemExit(f"a contestant ended early: {self.command}")
        return json.loads(line)
