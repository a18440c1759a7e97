"""What other programs take of the processor while something is measured."""

import math
import os
import time
from collections.abc import Sequence


class ForeignLoad:
    """The share of the processor that other programs took since this was made.

    Args:
        processes: numbers of the processes that are not foreign, beside this one.
    """

    def __init__(self, processes: Sequence[int]) -> None:
        self._own = [os.getpid(), *processes]
        self._begin, self._before = time.perf_counter(), self._foreign_seconds()

    def share(self) -> float:
        """Return it, from 0 to 1; not a number where the system does not tell."""
        elapsed = time.perf_counter() - self._begin
        return (self._foreign_seconds() - self._before) / elapsed / (os.cpu_count() or 1)

    def _foreign_seconds(self) -> float:
        try:
            with open("/proc/stat") as file:
                everything = sum(map(int, file.readline().split()[1:4])) / os.sysconf("SC_CLK_TCK")
            return everything - sum(map(_process_seconds, self._own))
        except OSError:
            return math.nan


def _process_seconds(number: int) -> float:
    with open(f"/proc/{number}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
