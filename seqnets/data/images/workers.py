"""Results by number, computed ahead in worker processes."""

import multiprocessing
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from seqnets.errors import UserError

Result = TypeVar("Result")

_AHEAD = 2  # results waiting or in progress, per worker


class Ahead(Generic[Result]):
    """A function of a number whose next values are computed in advance.

    The processes are spawned when the first value is asked for: a program that uses them needs the usual
    `if __name__ == "__main__":`. They end with this object, or with the process that made it, even if that is killed.

    Args:
        compute: the function; it and its results can be pickled.
        workers: how many processes; 0 computes in this process, on request.
        stop: the number after the last value.

    Example:
        >>> Ahead(abs, workers=0)(-3)
        3
    """

    def __init__(self, compute: Callable[[int], Result], workers: int, stop: int | None = None) -> None:
        self._compute, self._workers, self._stop = compute, workers, stop
        self._waiting: dict[int, Future[Result]] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._worked = False

    def __call__(self, number: int) -> Result:
        """Return the value of a number, and start computing those that follow.

        Raises:
            UserError: a worker process was killed.
        """
        if not self._workers:
            return self._compute(number)
        try:
            self._begin(number)
            result = self._waiting.pop(number).result()
        except BrokenProcessPool:
            raise UserError(_broken(self._worked)) from None
        self._worked = True
        return result

    def _begin(self, number: int) -> None:
        pool = self._pool = self._pool or self._started()
        last = number + self._workers * _AHEAD
        wanted = range(number, last if self._stop is None else min(last, self._stop))
        for stale in self._waiting.keys() - set(wanted):
            self._waiting.pop(stale).cancel()
        for missing in wanted:
            if missing not in self._waiting:
                self._waiting[missing] = pool.submit(_computed, missing)

    def _started(self) -> ProcessPoolExecutor:
        # spawned, because JAX's threads do not survive a fork
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self._workers, context, initializer=_prepare, initargs=(self._compute,))
        weakref.finalize(self, pool.shutdown, wait=False, cancel_futures=True)
        return pool


def _broken(worked: bool) -> str:
    main = sys.modules["__main__"]
    if not worked and getattr(main, "__spec__", None) is None and hasattr(main, "__file__"):  # a script, which the workers import
        return (
            f"the processes that decode images could not start: what '{main.__file__}' calls must stand below "
            'if __name__ == "__main__":; or use no processes (workers=0)'
        )
    return (
        "a process that decodes images was killed, perhaps because the memory is full; "
        "run the same command again with fewer --data.workers"
    )


_function: Any = None


def _prepare(compute: Callable[[int], Any]) -> None:
    global _function
    _function = compute
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training process handles Ctrl-C: it saves first
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _computed(number: int) -> Any:
    return _function(number)
