"""The file of --figure: checked before any work begins, and replaced atomically."""

import io
import sys
from functools import cache
from pathlib import Path
from typing import Any

from seqnets.errors import UserError

FORMATS = ("png", "svg", "pdf", "jpg", "webp")


def check_folder(option: str, path: str | None) -> None:
    """Refuse an output file whose folder does not exist.

    Raises:
        UserError: the folder does not exist.
    """
    if path is not None and not Path(path).absolute().parent.is_dir():
        raise UserError(f"{option} {path}: the folder '{Path(path).parent}' does not exist; make it first")


def check_figure(path: str | None) -> None:
    """Refuse a file of --figure that cannot be written.

    Raises:
        UserError: its folder does not exist, or its extension is not a picture format.

    Example:
        >>> check_figure("dog.png")
        >>> check_figure("dog.doc")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: --figure dog.doc: cannot draw a 'doc'; end it in .png, .svg, .pdf, .jpg or .webp
    """
    check_folder("--figure", path)
    if path is not None and _format(Path(path)) not in FORMATS:
        *most, last = (f".{name}" for name in FORMATS)
        raise UserError(f"--figure {path}: cannot draw a {_format(Path(path))!r}; end it in {', '.join(most)} or {last}")


def write_figure(figure: Any, path: Path) -> None:
    """Write a matplotlib figure in the format of the file's extension; PNG without one."""
    from seqnets.files import replace_file

    content = io.BytesIO()
    figure.savefig(content, format=_format(path))
    replace_file(path.with_suffix(path.suffix or ".png"), content.getvalue())


@cache
def say(sentence: str) -> None:
    """Print a sentence about figures on standard error, once for all of them."""
    print(f"seqnets: {sentence}", file=sys.stderr)


def _format(path: Path) -> str:
    return path.suffix[1:].lower() or FORMATS[0]
