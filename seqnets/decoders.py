"""The border to untrusted files: their unpacked size is limited, and every error of a decoder becomes one sentence.

Every reader of a file goes through `reading`, or through one of the functions below that do.
"""

import errno
import gzip
import io
import json
import lzma
import os
import re
import tomllib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from seqnets.errors import UserError

if TYPE_CHECKING:
    import numpy as np

# a compressed file may unpack to this many times its size, more than any real text or table; the second is always allowed
MAX_RATIO, ALWAYS_ALLOWED = 100, 256 << 20
_UNPACKING = (OSError, zlib.error, lzma.LZMAError, EOFError)
_CUT = 150
_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;]*m")

AnyPath = str | os.PathLike[str]


@contextmanager
def reading(path: AnyPath, what: str = "", advice: str = "get it again") -> Iterator[None]:
    """Turn any error of a decoder in the block into one sentence that names the file.

    Args:
        path: the file.
        what: text before its name, such as "the file of labels".
        advice: what to do with a damaged file.

    Raises:
        UserError: the block raised an error.

    Example:
        >>> with reading("a.json", "the file of labels"):
        ...     json.loads("[" * 100_000)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: the file of labels 'a.json' cannot be read: it is nested too deeply; get it again
    """
    name = named(path, what)
    try:
        yield
    except UserError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8 (at byte {error.start:,}); save it as UTF-8") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # errors of writing, not of reading
            raise
        if error.errno is None:  # a decoder's own
            raise UserError(f"{name} cannot be read: {_shortened(error)}; {advice}") from error
        raise UserError(f"cannot read {name}: {error.strerror}; check the path") from None
    except RecursionError:
        raise UserError(f"{name} cannot be read: it is nested too deeply; {advice}") from None
    except MemoryError:
        raise UserError(f"{name} cannot be read: it is too large for the memory; {advice}") from None
    except Exception as error:  # decoders fail in many ways on damaged files
        raise UserError(f"{name} cannot be read: {_shortened(error)}; {advice}") from error


def named(path: AnyPath, what: str = "") -> str:
    """Return the name of a file for use in sentences.

    Example:
        >>> named("a.json", "the file of labels")
        "the file of labels 'a.json'"
    """
    return f"{what} '{os.fspath(path)}'".lstrip()


def read_bytes(path: AnyPath, what: str = "", *, packed: bool | None = None) -> bytes:
    """Return the content of a file, unpacked if it is a gzip file.

    Args:
        path: the file.
        what: as for `reading`.
        packed: whether it is a gzip file; None decides by the extension .gz.

    Raises:
        UserError: it cannot be read, or unpacks to more than any real text.
    """
    with reading(path, what), open(path, "rb") as stored:
        packed = Path(path).suffix.lower() == ".gz" if packed is None else packed
        return (unpacked(stored, path) if packed else stored).read()


def read_text(path: AnyPath, what: str = "") -> str:
    """Return the text of a file in UTF-8, unpacked if its name ends in .gz; a byte order mark is left out.

    Raises:
        UserError: it cannot be read, or is not UTF-8.

    Example:
        >>> read_text("no/such.txt")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.txt': No such file or directory; check the path
    """
    content = read_bytes(path, what)
    with reading(path, what):
        return content.decode("utf-8-sig")


def read_json(path: AnyPath, what: str = "") -> Any:
    """Return the value of a JSON file.

    Raises:
        UserError: it cannot be read or is not JSON.
    """
    return json_value(read_text(path, what), path, what)


def json_value(text: str | bytes, path: AnyPath, what: str = "", *, line: int = 0) -> Any:
    """Return the JSON value in a file, or in one of its lines.

    Args:
        text: the JSON.
        path: the file, for errors.
        what: as for `reading`.
        line: the number of the line; 0 for a whole file.

    Raises:
        UserError: it is not JSON.

    Example:
        >>> json_value("[1, 2", "a.json")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: line 1, column 6 of 'a.json' is not JSON: Expecting ',' delimiter
    """
    with reading(path, f"line {line:,} of {what}".rstrip() if line else what):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            at = f"line {error.lineno + max(0, line - 1):,}, column {error.colno} of {named(path, what)}"
            raise UserError(f"{at} is not JSON: {error.msg}") from None


def read_toml(text: str, where: str) -> dict[str, Any]:
    """Return the content of a TOML text.

    Args:
        text: the TOML.
        where: its name in errors.

    Raises:
        UserError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UserError(f"{where} is not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # also for numbers with more digits than Python reads
        raise UserError(f"{where} is not valid TOML: {_shortened(error)}") from None


def read_arrays(path: AnyPath, what: str = "") -> "dict[str, np.ndarray]":
    """Return the arrays of an .npz file, which may not hold Python objects.

    Raises:
        UserError: it cannot be read, is another kind of file, or unpacks to far more than it should.
    """
    import numpy as np  # imported here, because settings and help do not need it

    # opened here, since NumPy does not close a file that it cannot read
    with reading(path, what, "save it with numpy.savez"), open(path, "rb") as content:
        with zipfile.ZipFile(content) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        _check_size(size, os.fstat(content.fileno()).st_size, path)
        content.seek(0)
        with np.load(content, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}


def read_zip_entry(path: AnyPath, entry: str, what: str = "") -> bytes:
    """Return the content of one file in a zip file.

    Args:
        path: the zip file.
        entry: the file in it.
        what: as for `reading`.

    Raises:
        UserError: it cannot be read, lacks the entry, or unpacks to far more than it should.
    """
    with reading(path, what), zipfile.ZipFile(path) as archive:
        if entry not in archive.namelist():
            raise UserError(f"{named(path, what)} has no '{entry}' in it; it has {_few(archive.namelist())}")
        refuse_bomb(archive.getinfo(entry).file_size, path)
        return archive.read(entry)


def refuse_bomb(size: int, path: AnyPath) -> None:
    """Refuse a file whose content is far larger than the file.

    Args:
        size: bytes of the content, as the file states it.
        path: the file.

    Raises:
        UserError: it is more than any real content.
    """
    _check_size(size, os.stat(path).st_size, path)


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "nothing"


def rows_of(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    r"""Yield the rows of a table that are not empty, each with the number of its first line.

    In tables with commas or semicolons, cells may be quoted and have any length. A quotation mark that does not enclose its
    whole cell is an ordinary character, as are all quotation marks in tables with tabs or bars. A carriage return is an
    ordinary character too, unless all lines end in it.

    Example:
        >>> list(rows_of('a,"b\nc"\n', ",")), list(rows_of('"a" dog,b\n', ",")), list(rows_of('a\t"b\n', "\t"))
        ([(1, ['a', 'b\nc'])], [(1, ['"a" dog', 'b'])], [(1, ['a', '"b'])])
    """
    text = text if "\n" in text else text.replace("\r", "\n")
    place, number = 0, 1
    while place < len(text):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        cells, end = _row(text, place, end, delimiter)
        if any(cells):
            yield number, cells
        number += 1 + text.count("\n", place, end)
        place = end + 1


def _row(text: str, place: int, end: int, delimiter: str) -> tuple[list[str], int]:
    """Return the cells that begin at a place, and the end of their line, which quoted cells may move further."""
    if delimiter in "\t|" or text.find('"', place, end) < 0:
        return text[place:end].removesuffix("\r").split(delimiter), end
    quoted = re.compile(rf'"((?:[^"]++|"")*+)"(?={re.escape(delimiter)}|\r?\n|\r?\Z)')
    plain = re.compile(rf"[^{re.escape(delimiter)}\n]*")
    cells: list[str] = []
    while True:
        match = quoted.match(text, place)
        if match:
            cells.append(match[1].replace('""', '"'))
        else:
            match = plain.match(text, place)
            cells.append(match[0])  # pyright: ignore[reportOptionalSubscript]  # it may be empty
        place = match.end()  # pyright: ignore[reportOptionalMemberAccess]
        if text[place : place + 1] != delimiter:
            break
        place += 1
    cells[-1] = cells[-1].removesuffix("\r")
    return cells, place + (text[place : place + 1] == "\r")


def unpacked(stored: BinaryIO, path: AnyPath) -> BinaryIO:
    """Return a stream of a gzip file's content, which stops with an error where it exceeds any real text.

    Args:
        stored: the file, at its beginning.
        path: its name, for errors.
    """
    size = os.fstat(stored.fileno()).st_size
    limit, name = _allowed(size), named(path)
    return Bounded(gzip.GzipFile(fileobj=stored), limit, name=name, kind="gzip", too_much=_too_much(path, limit)).buffered()


class Bounded(io.RawIOBase):
    """A stream that may be read up to a limit.

    Args:
        stream: what is read.
        limit: bytes; may be increased while it is read.
        name: name of the file, for errors.
        kind: kind of the file, for errors.
        too_much: the message if there is more.
    """

    def __init__(self, stream: Any, limit: int, *, name: str, kind: str, too_much: str) -> None:
        super().__init__()
        self._stream, self._name, self._kind, self._too_much = stream, name, kind, too_much
        self.limit, self.read_so_far = limit, 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer.

        Raises:
            UserError: the file is damaged, or the limit is exceeded.
        """
        try:
            block = self._stream.read(len(buffer))
        except _UNPACKING as error:
            if getattr(error, "errno", None) is not None:  # an error of the disk, not of the decoder
                raise
            raise UserError(f"{self._name} is not a complete {self._kind} file ({_shortened(error)}); get it again") from None
        buffer[: len(block)] = block
        self.read_so_far += len(block)
        if self.read_so_far > self.limit:
            raise UserError(self._too_much)
        return len(block)

    def buffered(self) -> BinaryIO:
        """Return the stream with a buffer."""
        return cast(BinaryIO, io.BufferedReader(self, 1 << 18))


def _allowed(size: int) -> int:
    return max(ALWAYS_ALLOWED, MAX_RATIO * size)


def _check_size(size: int, stored: int, path: AnyPath) -> None:
    if size > _allowed(stored):
        raise UserError(_too_much(path, _allowed(stored)))


def _too_much(path: AnyPath, limit: int) -> str:
    return f"{named(path)} unpacks to more than {limit:,} bytes, far more than its size; unpack it yourself if that is right"


def _shortened(error: Exception) -> str:
    text = " ".join(_TERMINAL_CODE.sub("", str(error)).split()) or type(error).__name__
    text = f"it has no {text}" if isinstance(error, KeyError) else text
    return text if len(text) <= _CUT else f"{text[: _CUT - 3]}..."
