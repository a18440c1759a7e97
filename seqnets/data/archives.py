"""Archives unpacked with care: links, devices, names that lead elsewhere and too many bytes are refused."""

import bz2
import gzip
import lzma
import os
import secrets
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, NamedTuple

from seqnets.decoders import Bounded, reading
from seqnets.errors import UserError

MAX_BYTES, MAX_FILES = 64 << 30, 2_000_000
_BLOCK = 1 << 20
_SLACK, _HEADER_BYTES = 16 << 20, 4096  # the limits on headers of a tar archive: in total, and for each file
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
_MORE_HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
)  # fmt: skip
_PACKED: dict[bytes, tuple[str, Any]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\0": ("xz", lzma.LZMAFile),
}


class _Member(NamedTuple):
    name: str
    folder: bool
    unsafe: str  # what it is, if it is neither a file nor a folder
    open: Callable[[], IO[bytes]]


def extract_archive(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
) -> Path:
    """Unpack a zip or tar archive (plain, gzip, bzip2 or xz) into a new folder, all of it or nothing.

    Every name is checked before anything is written, and bytes are counted as they come, whatever the archive says of its
    own size. Files get the usual permissions only.

    Args:
        archive: the file; its kind is recognized from its content.
        folder: must not exist yet, or be empty.
        max_bytes: an archive that unpacks to more is refused.
        max_files: an archive with more files is refused.

    Returns:
        The folder.

    Raises:
        UserError: the archive is damaged, encrypted or of no known kind; holds a link, a device, or a name that is absolute
            or has `..` in it; or is too large. Nothing stays behind.

    Example:
        >>> extract_archive("no/such.zip", "folder")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.zip': No such file or directory; check the path
    """
    archive, folder = Path(archive), Path(folder)
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise UserError(f"'{folder}' exists and is not empty; give a new folder to unpack '{archive}' into")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.part"
    staging.mkdir()  # with the mode that the umask gives
    try:
        with _readable(archive), _members(archive, max_bytes) as members:
            _unpack(members, staging, str(archive), max_bytes, max_files)
        if folder.exists():
            folder.rmdir()
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return folder


def safe_name(name: str, archive: str = "the archive") -> PurePosixPath:
    r"""Return a member's path, which leads into the folder that it is unpacked into and nowhere else.

    Raises:
        UserError: it is absolute, has `..`, a drive, a backslash or a control character in it.

    Example:
        >>> safe_name("images/./a.jpg")
        PurePosixPath('images/a.jpg')
        >>> safe_name("../a.jpg", "'x.tar'")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: 'x.tar' holds '../a.jpg', which leads out of the folder; do not unpack it
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive or "\\" in name:
        raise UserError(f"{archive} holds {name!r}, which leads out of the folder; do not unpack it")
    if any(ord(character) < 32 for character in name):
        raise UserError(f"{archive} holds a name with a control character, {name!r}; do not unpack it")
    return path


def _unpack(members: Iterator[_Member], folder: Path, archive: str, max_bytes: int, max_files: int) -> None:
    left = max_bytes
    for number, member in enumerate(members, start=1):
        path = folder / safe_name(member.name, f"'{archive}'")
        if member.unsafe:
            raise UserError(f"'{archive}' holds {member.name!r}, {member.unsafe}; do not unpack it")
        if number > max_files:
            raise UserError(f"'{archive}' holds more than the {max_files:,} files allowed; raise max_files if that is right")
        if member.folder:
            path.mkdir(parents=True, exist_ok=True)
            continue
        if path == folder:
            raise UserError(f"'{archive}' holds a file without a name, {member.name!r}; do not unpack it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as content, open(path, "xb") as file:
            left -= _copied(content, file, left)
        if left < 0:
            raise UserError(_too_much(archive, max_bytes))


def _copied(content: IO[bytes], file: IO[bytes], limit: int) -> int:
    done = 0
    while done <= limit and (block := content.read(_BLOCK)):
        done += len(block)
        file.write(block)
    return done


def _too_much(archive: str, max_bytes: int) -> str:
    return f"'{archive}' unpacks to more than the {max_bytes:,} bytes allowed; raise max_bytes if that is right"


@contextmanager
def _members(archive: Path, max_bytes: int) -> Iterator[Iterator[_Member]]:
    with open(archive, "rb") as file:
        start = file.read(8)
        kind, unpack = next((found for mark, found in _PACKED.items() if start.startswith(mark)), ("tar", None))
        file.seek(_TAR_MARK_AT)
        is_tar = unpack is not None or file.read(len(_TAR_MARK)) == _TAR_MARK  # which may hold a zip archive at its end
        if not is_tar and zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as found:
                yield _of_zip(found)
            return
        file.seek(0)
        words = {"name": f"'{archive}'", "kind": kind, "too_much": _too_much(str(archive), max_bytes)}
        stream = Bounded(unpack(file) if unpack else file, max_bytes + _SLACK, **words)
        with tarfile.open(fileobj=stream.buffered(), mode="r|", tarinfo=_Header) as found:
            yield _of_tar(found, stream)


def _of_zip(file: zipfile.ZipFile) -> Iterator[_Member]:
    for entry in file.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        unsafe = "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "a link" if kind == stat.S_IFLNK else "a device"
        # `filename` ends at a zero byte and has its separators changed; what the archive says is in `orig_filename`
        yield _Member(entry.orig_filename, entry.filename.endswith("/"), unsafe, lambda entry=entry: file.open(entry))


def _of_tar(file: tarfile.TarFile, stream: Bounded) -> Iterator[_Member]:
    while (entry := file.next()) is not None:
        unsafe = "" if entry.isreg() or entry.isdir() else "a link" if entry.issym() or entry.islnk() else "a device"
        yield _Member(entry.name, entry.isdir(), unsafe, lambda entry=entry: _content(file, entry))
        stream.limit += _HEADER_BYTES
        file.members.clear()  # pyright: ignore[reportAttributeAccessIssue]  or all of them would be kept
    while file.fileobj is not None and file.fileobj.read(_BLOCK):
        pass  # to the very end, where the checksum of the packing is


def _content(file: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    found = file.extractfile(entry)
    if found is None:
        raise tarfile.TarError(f"{entry.name} has no content")
    return found


class _Header(tarfile.TarInfo):
    """A header of a tar archive: refused where tarfile would stop silently or read a header of any size into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        try:
            header = super().frombuf(buf, encoding, errors)
        except (tarfile.TruncatedHeaderError, tarfile.InvalidHeaderError):  # pyright: ignore[reportAttributeAccessIssue]
            raise tarfile.ReadError("damaged header") from None
        if header.type in _MORE_HEADERS and header.size > _SLACK // 4:
            raise UserError(f"the archive has a header of {header.size:,} bytes; do not unpack it")
        if header.type == tarfile.GNUTYPE_SPARSE or header.size < 0:
            raise UserError("the archive has a file with holes, or of a negative size; pack it without --sparse")
        return header


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    with reading(archive, advice="download it again"):
        try:
            yield
        except FileExistsError as error:
            raise UserError(f"'{archive}' holds {Path(error.filename).name!r} twice; do not unpack it") from None
        except tarfile.ReadError:
            raise UserError(f"'{archive}' is not a complete zip or tar archive; download it again") from None
