"""Where things lie: the user's cache folder, and paths as they were typed."""

import dataclasses
import glob
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

Record = TypeVar("Record")

_USER = os.getuid() if hasattr(os, "getuid") else 0  # Windows has no numbers, and a temporary folder for each user


def user_cache(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what can be made again: $SEQNETS_CACHE, or seqnets in $XDG_CACHE_HOME or ~/.cache.

    Where there is neither, nor a home, it is a folder of the system's temporary one.

    Example:
        >>> user_cache({"SEQNETS_CACHE": "/scratch/seqnets"}).as_posix()
        '/scratch/seqnets'
    """
    environment = os.environ if environment is None else environment
    if chosen := environment.get("SEQNETS_CACHE"):
        return Path(os.path.expanduser(chosen))
    base = os.path.expanduser(environment.get("XDG_CACHE_HOME") or "~/.cache")
    return _temporary() if base.startswith("~") else Path(base) / "seqnets"


def cache_folder(name: str) -> Path:
    """Return a folder of the user's cache, made if need be; one of the system's temporary folder where that cannot be.

    Raises:
        OSError: neither can be written to.

    Example:
        >>> cache_folder("native").name
        'native'
    """
    for base in (user_cache(), _temporary()):
        if is_usable(base / name):
            return base / name
    raise OSError(f"no folder to write to: tried '{user_cache()}' and '{_temporary()}'; set SEQNETS_CACHE to one")


def expanded_pattern(name: str) -> str:
    r"""Return a path or a glob pattern with ~ replaced by the home folder, whose own characters are none of a pattern's.

    Example:
        >>> expanded_pattern("texts/*.txt")
        'texts/*.txt'
    """
    whole = os.path.expanduser(name)
    if whole == name or os.path.lexists(whole) or not glob.has_magic(name):
        return whole
    home, separator, rest = name.partition("/")
    return glob.escape(os.path.expanduser(home)) + separator + rest


def absolute_pattern(name: str) -> str:
    """Return a path or a glob pattern as it means the same from any folder; "-" is standard input and stays.

    Example:
        >>> absolute_pattern("-"), absolute_pattern("/texts/../a*.txt")
        ('-', '/a*.txt')
    """
    name = name if name == "-" else expanded_pattern(name)
    if name == "-" or os.path.isabs(name) or os.path.lexists(name) or not glob.has_magic(name):
        return name if name == "-" else os.path.abspath(name)
    return os.path.normpath(os.path.join(glob.escape(os.getcwd()), name))


def absolute(path: str) -> str:
    """Return a path as it means the same from any folder, ~ for the home folder.

    Example:
        >>> absolute("/a/../b")
        '/b'
    """
    return os.path.abspath(os.path.expanduser(path))


def at_home(settings: Record) -> Record:
    """Return settings whose paths begin with the home folder where ~ was written: shells expand it in words alone.

    Args:
        settings: a frozen dataclass, its sections frozen dataclasses too.
    """
    changes = {}
    for field in dataclasses.fields(settings):  # pyright: ignore[reportArgumentType]
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = at_home(value)
        elif isinstance(value, str | tuple) and field.name != "separator":
            changes[field.name] = tuple(map(_at_home, value)) if isinstance(value, tuple) else _at_home(value)
    return dataclasses.replace(settings, **changes)  # pyright: ignore[reportArgumentType]


def _at_home(value: Any) -> Any:
    return expanded_pattern(value) if isinstance(value, str) and value.startswith("~") else value


def is_usable(folder: Path) -> bool:
    """Say whether a folder, made if need be, can be written to, and trusted where it lies in the system's temporary folder.

    Example:
        >>> is_usable(Path("/proc/no/such"))
        False
    """
    shared = _temporary()
    try:
        if folder.is_relative_to(shared):  # where somebody else may have been before
            shared.mkdir(mode=0o700, exist_ok=True)
            if shared.is_symlink() or shared.stat().st_uid != _USER:
                return False
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"seqnets-{_USER}"
