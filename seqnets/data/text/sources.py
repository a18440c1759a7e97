"""Where a text comes from: files, gzip files, folders, globs, pipes and standard input, read in blocks."""

import codecs
import glob
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from seqnets.data.public_sets import located, names_like
from seqnets.decoders import reading, unpacked
from seqnets.errors import UserError
from seqnets.places import expanded_pattern

Progress = Callable[[int, int], None]

BLOCK_BYTES = 1 << 22
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Source:
    """One text that can be read again and again: a file (gzip if its name ends in .gz) or bytes in memory.

    Args:
        name: what the user calls it, for errors.
        path: its path; "" for bytes in memory.
        content: the bytes in memory.
        temporary: whether the file is a copy of something that cannot be read twice.
    """

    name: str
    path: str = ""
    content: bytes = b""
    temporary: bool = False

    @property
    def is_gzip(self) -> bool:
        """Whether the file is decompressed while it is read."""
        return self.path.endswith(".gz")

    @property
    def size(self) -> int:
        """The stored size in bytes, compressed or not."""
        return os.stat(self.path).st_size if self.path else len(self.content)

    def blocks(self) -> Iterator[tuple[bytes, int]]:
        """Yield the content block by block, each with the number of stored bytes read so far.

        Raises:
            UserError: the file cannot be read, or is not a complete gzip file.
        """
        if not self.path:
            for start in range(0, len(self.content), BLOCK_BYTES):
                yield self.content[start : start + BLOCK_BYTES], min(start + BLOCK_BYTES, len(self.content))
            return
        with reading(self.name), open(self.path, "rb") as stored:
            content = unpacked(stored, self.name) if self.is_gzip else stored
            while block := content.read(BLOCK_BYTES):
                yield block, stored.tell()


@contextmanager
def opened(names: Sequence[str | os.PathLike[str]], in_memory: int, spool: Callable[[], Path]) -> Iterator[list[Source]]:
    """Find all named texts, in order, and keep those that can be read only once.

    Args:
        names: files, folders, globs, "-" for standard input, or names of public texts such as "tiny-shakespeare".
        in_memory: bytes up to which a pipe is held in memory; a longer one is copied to a temporary file.
        spool: gives the folder for temporary files.

    Raises:
        UserError: something is missing, unreadable, named twice, or a glob or folder holds no text.
    """
    with ExitStack() as stack:
        sources = []
        for path in find(names):
            if path == "-" or _is_pipe(path):
                sources.append(stack.enter_context(_held(path, in_memory, spool)))
            else:
                sources.append(Source(path, path))
        yield sources


@contextmanager
def _held(path: str, in_memory: int, spool: Callable[[], Path]) -> Iterator[Source]:
    name = "standard input" if path == "-" else path
    with reading(name), _pipe(path) as pipe:
        head = _read_up_to(pipe, in_memory + 1)
        if len(head) <= in_memory:
            copy = None
        else:
            copy = _copied(head, pipe, spool())
            head = b""
    try:
        yield Source(name, copy or "", head, temporary=True)
    finally:
        if copy:
            os.unlink(copy)


def _read_up_to(pipe: BinaryIO, limit: int) -> bytes:
    parts, held = [], 0
    while held < limit and (part := pipe.read(min(BLOCK_BYTES, limit - held))):
        parts.append(part)
        held += len(part)
    return b"".join(parts)


def _copied(head: bytes, pipe: BinaryIO, folder: Path) -> str:
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".spool", delete=False) as copy:
        try:
            copy.write(head)
            while block := pipe.read(BLOCK_BYTES):
                copy.write(block)
        except BaseException:
            os.unlink(copy.name)
            raise
    return copy.name


@contextmanager
def _pipe(path: str) -> Iterator[BinaryIO]:
    if path != "-":
        with open(path, "rb") as pipe:
            yield pipe
        return
    if sys.stdin is None or sys.stdin.closed:
        raise UserError("'-' means standard input, but it is closed; pipe a text in, or name a file")
    yield getattr(sys.stdin, "buffer", sys.stdin)  # pyright: ignore


def find(names: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the paths of all named texts: "-" stays, folders and globs are listed in sorted order.

    A folder gives its files and those of its subfolders in order of name; links are followed, but no folder or file is
    taken twice. Hidden files, empty files, and files with a zero byte in their first 8 KB (unless they begin with the mark
    of UTF-16) are left out.

    Raises:
        UserError: as for `opened`.
    """
    paths = [path for name in names for path in _expanded(located(expanded_pattern(os.fspath(name)), "text"))]
    seen: set[str] = set()
    for path in paths:
        place = path if path == "-" else os.path.realpath(path)
        if place in seen:
            raise UserError(f"{path!r} is named twice among the texts; name it once")
        seen.add(place)
    return paths


def _expanded(name: str) -> list[str]:
    if name == "-":
        return [name]
    mode = _mode(name)
    if mode is None:
        return _globbed(name)
    if stat.S_ISDIR(mode):
        return _texts_in(name)
    return [name]


def _mode(name: str) -> int | None:
    try:
        return os.stat(name).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        shown = name if len(name) < 100 else f"{name[:60]}... ({len(name):,} characters)"
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {shown!r}: {reason}; give the path of a text file") from None


def _globbed(pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        hint = names_like(pattern, "text")
        raise UserError(f"there is no file or folder {pattern!r}; check the path (from '{os.getcwd()}'){hint}")
    matches = sorted(glob.glob(pattern, recursive=True), key=lambda match: match.split(os.sep))  # as in a folder
    # ** matches a folder and its files; the files alone are enough
    files = [match for match in matches if not os.path.isdir(match)]
    texts = files or [path for match in matches for path in _texts_in(match)]
    if not texts:
        raise UserError(f"no file matches the pattern {pattern!r} (from '{os.getcwd()}'); check it, or name a file")
    return texts


def _texts_in(folder: str) -> list[str]:
    texts = [path for path in _files_in(folder, set()) if _looks_like_text(path)]  # one file under two names counts once
    if not texts:
        raise UserError(f"folder {folder!r} holds no text file; give a folder with texts, or name the files")
    return texts


def _files_in(folder: str, taken: set[tuple[int, int]]) -> Iterator[str]:
    if not _is_new(folder, taken):
        return
    with reading(folder):
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
        if _is_run(folder, names):  # training must not read its own output
            return
    for path in (os.path.join(folder, name) for name in names):
        if os.path.isdir(path):
            yield from _files_in(path, taken)
        elif os.path.isfile(path) and _is_new(path, taken):
            yield path


def _is_run(folder: str, names: list[str]) -> bool:
    if not {"config.json", "config.toml"} <= set(names):
        return False
    with open(os.path.join(folder, "config.json"), "rb") as file:
        return b'"seqnets-run"' in file.read(1024)


def _is_new(path: str, taken: set[tuple[int, int]]) -> bool:
    place = os.stat(path)
    before = len(taken)
    taken.add((place.st_dev, place.st_ino))
    return len(taken) > before


def _looks_like_text(path: str) -> bool:
    source = Source(path, path)
    with reading(path), open(path, "rb") as stored:
        head = (unpacked(stored, path) if source.is_gzip else stored).read(8192)
    return bool(head) and (b"\0" not in head or head.startswith(_UTF16_MARKS))


def _is_pipe(path: str) -> bool:
    return not stat.S_ISREG(os.stat(path).st_mode)
