"""Handles SIGINT and SIGTERM: the first signal asks the loop to save and exit, a second one exits immediately.

Windows has SIGBREAK as well (Ctrl-Break, and what reaches a process of another group); it counts as SIGINT.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_BREAK = getattr(signal, "SIGBREAK", signal.SIGINT)
SIGNALS = tuple(dict.fromkeys((signal.SIGINT, signal.SIGTERM, _BREAK)))
PATIENCE_S = 4.5


def exit_code(number: int) -> int:
    """Return the exit code of a process that a signal stopped.

    Example:
        >>> exit_code(signal.SIGINT), exit_code(signal.SIGTERM)
        (130, 143)
    """
    return 128 + (signal.SIGINT if number == _BREAK else number)


class Interrupted(KeyboardInterrupt):
    """A signal stopped the training; its state is saved.

    Attributes:
        exit_code: 130 for SIGINT, 143 for SIGTERM.
    """

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message or f"stopped by {signal.Signals(number).name}")
        self.exit_code = exit_code(number)


class StopRequest:
    """Records SIGINT and SIGTERM inside its block; does nothing outside the main thread.

    The loop asks `requested` between steps. Python runs a handler only between two of its own instructions, so a
    thread also listens and exits immediately on a second signal. Before `begin`, while compilation blocks the main thread
    and nothing can be lost, it exits 4.5 seconds after the first; after `begin`, the current step is finished and saved.

    Example:
        >>> with StopRequest() as stop:
        ...     stop.requested is None
        True
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self._acknowledged = threading.Event()
        self._begun = threading.Event()
        self._interruptible = False
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._listen()
            for number in SIGNALS:
                self._undo.callback(signal.signal, number, signal.signal(number, self._note))
        return self

    def __exit__(self, *_: Any) -> None:
        self._undo.close()

    def begin(self) -> None:
        """Mark that there are steps to save from now on."""
        self._begun.set()

    def acknowledge(self) -> int:
        """Mark that the request is being handled, and return the signal's number."""
        self._acknowledged.set()
        return self.requested or signal.SIGINT

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise `Interrupted` immediately inside this block, where there is nothing to save."""
        self._interruptible = True
        try:
            if self.requested:
                raise Interrupted(self.requested)
            yield
        finally:
            self._interruptible = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = number
        if self._interruptible:
            self._interruptible = False
            raise Interrupted(number)

    def _listen(self) -> None:
        ours, pythons = socket.socketpair()
        for end in (ours, pythons):
            end.setblocking(False)
            self._undo.callback(end.close)
        listener = threading.Thread(target=self._watch, args=(ours,), name="seqnets-signals", daemon=True)
        listener.start()
        self._undo.callback(listener.join)
        self._undo.callback(pythons.send, b"\0")
        self._undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False))

    def _watch(self, ours: socket.socket) -> None:
        first = _next_signal(ours, None)
        if not first:
            return
        second = _next_signal(ours, PATIENCE_S)
        if second is None and (self._begun.is_set() or self._acknowledged.is_set()):
            if not self._acknowledged.is_set():
                _say("finishing the current step, then saving; press Ctrl-C again to exit immediately")
            second = _next_signal(ours, None)
        if second != 0:
            _leave(second or first)


def _next_signal(ours: socket.socket, timeout: float | None) -> int | None:
    while select.select([ours], [], [], timeout)[0]:
        number = ours.recv(1)[0]
        if number in (0, *SIGNALS):
            return number
    return None


def _leave(number: int) -> None:
    _say("stopped immediately; the last checkpoint is kept", before="\x1b[?25h")  # a live display hides the cursor
    os._exit(exit_code(number))


def _say(sentence: str, before: str = "") -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write((before if sys.stderr.isatty() else "") + sentence + "\n")
        sys.stderr.flush()
