"""Ends a process that makes no progress, for example one that waits forever for another."""

import faulthandler
import sys


class Watchdog:
    """Prints the stacks of all threads and ends the process with code 1 when `pat` is not called for some time.

    Args:
        seconds: how long without progress is too long; 0 for never.

    Example:
        >>> with Watchdog(0) as dog:
        ...     dog.pat()
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> "Watchdog":
        return self

    def __exit__(self, *_: object) -> None:
        if self._seconds:
            faulthandler.cancel_dump_traceback_later()

    def pat(self) -> None:
        """Report progress."""
        if self._seconds:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=sys.__stderr__ or sys.stderr)
