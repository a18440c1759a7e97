"""A list of a folder's files with their sizes and checksums, by which a change of any bit is noticed."""

import hashlib
import json
import zlib
from pathlib import Path

from seqnets.files import replace_file

NAME = "files.json"


def seal(folder: Path) -> None:
    """Write the list of all files below a folder into it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a").write_text("whole")
        >>> seal(folder)
        >>> broken(folder)
        >>> _ = (folder / "a").write_text("whale")
        >>> broken(folder)
        "file 'a' does not fit its checksum"
    """
    replace_file(folder / NAME, _listing({name: _figures(folder / name) for name in _names(folder)}))


def is_sealed(folder: Path) -> bool:
    """Say whether the folder has such a list."""
    return (folder / NAME).exists()


def broken(folder: Path) -> str | None:
    """Say what is wrong with a sealed folder, or return None if every bit is as it was."""
    try:
        text = (folder / NAME).read_text()
        files = json.loads(text)["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its list of files cannot be read: {error}"
    if text != _listing(files):
        return "its list of files does not fit its checksum"
    there = set(_names(folder))
    for name in sorted({*files, *there}):
        if name not in there or name not in files:
            return f"file {name!r} is {'missing' if name in files else 'not on its list'}"
        if _figures(folder / name) != files[name]:
            return f"file {name!r} does not fit its checksum"
    return None


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path != folder / NAME)


def _figures(path: Path) -> list[int]:
    content = path.read_bytes()
    return [len(content), zlib.crc32(content)]


def _listing(files: dict[str, list[int]]) -> str:
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return json.dumps({"files": files, "sha256": digest}, sort_keys=True, indent=1) + "\n"
