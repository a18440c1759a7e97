"""The standard streams of a command: missing ones are replaced, and each takes every character."""

import codecs
import contextlib
import os
import sys
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any

_NAMES = {"stdin": "r", "stdout": "w", "stderr": "w"}
_ERRORS = {"stdout": "seqnets.as_given", "stderr": "backslashreplace"}


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Replace each missing or closed stream by an empty file, and write UTF-8 in any locale.

    A daemon's streams may be closed and those of pythonw are None: `print(file=None)` then writes to standard output, into the
    data, and the next file that is opened takes the closed stream's number, so that messages of libraries end up in it.

    Example:
        >>> with standard_streams():
        ...     print("ready")
        ready
    """
    before = {name: getattr(sys, name) for name in _NAMES}
    _occupy_closed_numbers()
    with contextlib.ExitStack() as opened:
        for name, stream in before.items():
            if stream is None or getattr(stream, "closed", False):
                empty = opened.enter_context(open(os.devnull, _NAMES[name], encoding="utf-8"))
                setattr(sys, name, empty)
        _take_every_character()
        try:
            yield
        finally:
            for name, stream in before.items():
                setattr(sys, name, stream)


def drop_output() -> None:
    """Redirect output that cannot be written to nothing; otherwise Python complains again when it flushes at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _occupy_closed_numbers() -> None:
    for number in range(len(_NAMES)):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest free number, which is this one


def _take_every_character() -> None:
    codecs.register_error(_ERRORS["stdout"], _as_given)
    for name, errors in _ERRORS.items():
        stream: Any = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _as_given(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write bytes of file names that are not UTF-8 unchanged, as `ls` does, and other lone surrogates as escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    number, rest = ord(error.object[error.start]), error.start + 1
    return (bytes([number - 0xDC00]) if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"), rest
