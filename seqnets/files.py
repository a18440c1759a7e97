"""Atomic writing of files, readable JSON, and checksums of arrays."""

import json
import os
import re
import secrets
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_PART = ".part"
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{8}\.part")


def replace_file(path: Path, content: bytes | str) -> None:
    """Write a file so that readers find the old content or the new, never a part of it.

    A link is followed; a device, a pipe or a socket is written to; a file that is replaced keeps its mode.

    Example:
        >>> replace_file(Path(os.devnull), "gone")
    """
    data = content.encode() if isinstance(content, str) else content
    if stream := _stream(path):
        with stream as file:
            file.write(data)
        return
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name when the block ends without an error, and is removed otherwise.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with whole_file(folder / "a") as file:
        ...     _ = file.write(b"whole")
        >>> [path.name for path in folder.iterdir()]
        ['a']
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{_beginning(path.name)}.{secrets.token_hex(4)}{_PART}")
    try:
        with open(temporary, "xb") as file:  # with the mode that the umask gives
            if path.exists():
                os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None  # which the user knows
        raise


def is_leftover(name: str) -> bool:
    """Return whether a file was left behind by a killed process in `whole_file`.

    Example:
        >>> is_leftover(".config.json.0f3a99c1.part"), is_leftover("config.json")
        (True, False)
    """
    return bool(_LEFTOVER.fullmatch(name))


def remove_leftovers(folder: Path) -> None:
    """Remove the files that killed processes left in a folder; no other process may be writing into it."""
    for path in folder.iterdir():
        if is_leftover(path.name):
            path.unlink(missing_ok=True)


def _stream(path: Path) -> BinaryIO | None:
    """Open anything that is not a regular file, such as /dev/stdout; None for a regular or new file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if os.path.abspath(path).startswith(("/dev/", "/proc/")):
        for own in (sys.stdout, sys.stderr):
            if _is_open_as(own, found):  # opening it again would truncate a file
                own.flush()
                return open(os.dup(own.fileno()), "wb")
    return open(path, "wb") if not stat.S_ISREG(found.st_mode) else None


def _is_open_as(stream: Any, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), found)
    except (AttributeError, OSError, ValueError):  # closed, or not a file
        return False


def _beginning(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:200])  # with the suffix, a long name would be too long


def json_text(value: Any) -> str:
    """Return JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def checksum(array: np.ndarray) -> str:
    """Return a checksum of an array's bytes, shape and dtype.

    Example:
        >>> checksum(np.zeros(2, np.float32)) == checksum(np.zeros(2, np.int32))
        False
    """
    # CRC-32 finds every burst of up to 32 flipped bits, at several times the speed of SHA-256
    return f"{zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data):08x} {array.dtype} {list(array.shape)}"
