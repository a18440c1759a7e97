"""The embedded default text, which needs no download."""

import sysconfig
from pathlib import Path

from seqnets.errors import UserError

# written by the build and full of paths and numbers, or mostly tables
_GENERATED = ("_sysconfigdata", "stringprep", "sre_constants", "__phello__")
_FEWEST_BYTES = 200_000


def standard_library(folder: str | Path | None = None) -> tuple[Path, ...]:
    """Return the running interpreter's own modules: a few megabytes of Python, read in place.

    The top-level modules of the standard library in sorted order, pure ASCII, without packages, tests and
    generated tables: about 150 files, 4.4 MB and 96 distinct characters in Python 3.11.

    Args:
        folder: where to look; the interpreter's standard library by default.

    Returns:
        The paths, for `read_text(*paths)`.

    Raises:
        UserError: the interpreter has no source of its library.

    Example:
        >>> [path.name for path in standard_library() if path.stem in ("ast", "zipimport", "_weakrefset")]
        ['_weakrefset.py', 'ast.py', 'zipimport.py']
    """
    folder = Path(folder or sysconfig.get_path("stdlib"))
    modules = tuple(path for path in sorted(folder.glob("*.py")) if _is_plain_source(path))
    found = sum(path.stat().st_size for path in modules)
    if found < _FEWEST_BYTES:
        raise UserError(
            f"this Python has no source of its standard library (found {found:,} bytes of it at '{folder}'), which is "
            "the default text; give a text: seqnets train FILE"
        )
    return modules


def _is_plain_source(path: Path) -> bool:
    try:
        return not path.name.startswith(_GENERATED) and path.is_file() and path.read_bytes().isascii()
    except OSError:
        return False
