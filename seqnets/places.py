"""The user's cache folder, and paths as typed."""

import dataclasses
import glob
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

Record = TypeVar("Record")

IS_WINDOWS = os.name == "nt"
_USER = os.getuid() if hasattr(os, "getuid") else 0  # Windows has no user numbers, and a temporary folder for each user


def user_cache(environment: Mapping[str, str] | None = None) -> Path:
    r"""Return the cache folder: $SEQNETS_CACHE, or the one where the system keeps caches.

    That is `seqnets` in $XDG_CACHE_HOME or ~/.cache on Linux, ~/Library/Caches/seqnets on macOS, and
    %LOCALAPPDATA%\seqnets\Cache on Windows. Without a home, it is inside the system's temporary folder.

    Example:
        >>> user_cache({"SEQNETS_CACHE": "/scratch/seqnets"}).as_posix()
        '/scratch/seqnets'
    """
    environment = os.environ if environment is None else environment
    if chosen := environment.get("SEQNETS_CACHE"):
        return Path(os.path.expanduser(chosen))
    import platformdirs

    try:
        folder = platformdirs.user_cache_path("seqnets", appauthor=False)
    except RuntimeError:  # there is no home; older versions return a path with ~
        return _temporary()
    return folder if folder.is_absolute() else _temporary()


def cache_folder(name: str) -> Path:
    """Return a folder of the user's cache, made if needed; if that is impossible, one in the system's temporary folder.

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
    r"""Return a path or a glob pattern with ~ replaced by the home folder, whose special characters are escaped.

    Example:
        >>> expanded_pattern("texts/*.txt")
        'texts/*.txt'
    """
    whole = os.path.expanduser(name)
    if whole == name or os.path.lexists(whole) or not glob.has_magic(name):
        return whole
    home = Path(name).parts[0]
    return glob.escape(os.path.expanduser(home)) + name[len(home) :]


def absolute_pattern(name: str) -> str:
    """Return a path or a glob pattern in absolute form; "-" is standard input and stays.

    Example:
        >>> absolute_pattern("-"), absolute_pattern("/texts/../a*.txt")
        ('-', '/a*.txt')
    """
    name = name if name == "-" else expanded_pattern(name)
    if name == "-" or os.path.isabs(name) or os.path.lexists(name) or not glob.has_magic(name):
        return name if name == "-" else os.path.abspath(name)
    return os.path.normpath(os.path.join(glob.escape(os.getcwd()), name))


def absolute(path: str) -> str:
    """Return a path in absolute form; ~ is the home folder.

    Example:
        >>> absolute("/a/../b")
        '/b'
    """
    return os.path.abspath(os.path.expanduser(path))


def at_home(settings: Record) -> Record:
    """Return settings with ~ in paths replaced by the home folder: shells expand it only at the start of words.

    Args:
        settings: a frozen dataclass whose sections are frozen dataclasses.
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


def quoted(word: str) -> str:
    """Return a word of a command as the shell of this system reads it.

    Example:
        >>> quoted("runs/novel")
        'runs/novel'
    """
    if not IS_WINDOWS:
        return shlex.quote(word)
    from subprocess import list2cmdline

    return list2cmdline([word])


def is_usable(folder: Path) -> bool:
    """Return whether a folder, made if needed, is writable and, inside the system's temporary folder, can be trusted.

    Example:
        >>> is_usable(Path(__file__) / "below a file")
        False
    """
    shared = _temporary()
    try:
        if folder.is_relative_to(shared):  # where another user may have made it
            shared.mkdir(mode=0o700, exist_ok=True)
            if shared.is_symlink() or shared.stat().st_uid != _USER:
                return False
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"seqnets-{_USER}"
