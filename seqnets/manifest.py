"""Sizes and checksums of files, which detect the change of any bit: a list in a folder, or inside a JSON file."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqnets.decoders import json_value, reading
from seqnets.errors import UserError
from seqnets.files import json_text, replace_file

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
        "file 'a' does not match its checksum"
    """
    replace_file(folder / NAME, _listing({name: _figures(folder / name) for name in _names(folder)}))


def is_sealed(folder: Path) -> bool:
    """Return whether the folder has such a list."""
    return (folder / NAME).exists()


def broken(folder: Path) -> str | None:
    """Describe what is wrong with a sealed folder; None if every bit is unchanged."""
    path = folder / NAME
    try:
        with reading(path):
            text = path.read_text("utf-8")
            files = dict[str, Any](json.loads(text)["files"])
            fits = text == _listing(files)
    except UserError as error:
        return f"its list of files cannot be read: {error}"
    if not fits:
        return "its list of files does not match its checksum"
    there = set(_names(folder))
    for name in sorted({*files, *there}):
        if name not in there or name not in files:
            return f"file {name!r} is {'missing' if name in files else 'not on its list'}"
        if _figures(folder / name) != files[name]:
            return f"file {name!r} does not match its checksum"
    return None


def figures(content: bytes | str) -> str:
    """Return the size and the checksum of a file's content.

    Example:
        >>> figures("whole")
        '5 c459294f'
    """
    data = content.encode() if isinstance(content, str) else content
    return f"{len(data)} {zlib.crc32(data):08x}"


def sealed_json(stated: Mapping[str, Any]) -> str:
    """Return readable JSON that contains its own checksum as `checksum`.

    Example:
        >>> text = sealed_json({"steps": 20})
        >>> is_whole(text), is_whole(text.replace("20", "21"))
        (True, False)
    """
    text = json_text({**stated, "checksum": ""})
    return _exchanged(text, "", figures(text))


def is_whole(text: str) -> bool:
    """Return whether the text of `sealed_json` matches its checksum."""
    found = json_value(text, "the JSON")
    stated = found.get("checksum") if isinstance(found, Mapping) else None
    return stated is not None and stated == figures(_exchanged(text, stated, ""))


def _exchanged(text: str, old: Any, new: str) -> str:
    before, _, after = text.rpartition(f'"checksum": "{old}"')
    return f'{before}"checksum": "{new}"{after}'


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path != folder / NAME)


def _figures(path: Path) -> list[int]:
    content = path.read_bytes()
    return [len(content), zlib.crc32(content)]


def _listing(files: dict[str, list[int]]) -> str:
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return json.dumps({"files": files, "sha256": digest}, sort_keys=True, indent=1) + "\n"
