"""The file of --figure: checked before any work begins, and replaced atomically."""

import io
import sys
from collections.abc import Iterable
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


def check_figure(path: str | None, option: str = "--figure") -> None:
    """Refuse a file of --figure, or of another option, that cannot be written.

    Raises:
        UserError: its folder does not exist, or its extension is not a picture format.

    Example:
        >>> check_figure("dog.png")
        >>> check_figure("dog.doc")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: --figure dog.doc: cannot draw a 'doc'; end it in .png, .svg, .pdf, .jpg or .webp
    """
    check_folder(option, path)
    if path is not None and _format(Path(path)) not in FORMATS:
        *most, last = (f".{name}" for name in FORMATS)
        raise UserError(f"{option} {path}: cannot draw a {_format(Path(path))!r}; end it in {', '.join(most)} or {last}")


def write_figure(figure: Any, path: Path) -> None:
    """Write a matplotlib figure in the format of the file's extension; PNG without one."""
    from seqnets.files import replace_file

    content = io.BytesIO()
    figure.savefig(content, format=_format(path))
    replace_file(path.with_suffix(path.suffix or ".png"), content.getvalue())


def write_sheet(sheet: Any, path: Path) -> None:
    """Write a picture, uint8 `(H, W, 3)`, in the format of the file's extension; PNG without one."""
    kind = _format(path)
    if kind == "svg":
        from seqnets.viz.text import new_figure

        figure = new_figure((sheet.shape[1] / 100, sheet.shape[0] / 100), dpi=100)
        figure.figimage(sheet)
        write_figure(figure, path)
    else:
        from PIL import Image

        from seqnets.files import replace_file

        content = io.BytesIO()
        Image.fromarray(sheet).save(content, {"jpg": "JPEG"}.get(kind, kind.upper()))
        replace_file(path.with_suffix(path.suffix or ".png"), content.getvalue())


def numbered(path: str, names: Iterable[str]) -> list[Path]:
    """Return a file for each of several pictures: the path for one, FILE-NAME for more, and a number where names are alike.

    Example:
        >>> [file.as_posix() for file in numbered("a/f.png", ["x", "y", "x"])], numbered("f", ["x"])[0].name
        (['a/f-x.png', 'a/f-y.png', 'a/f-x-2.png'], 'f.png')
    """
    file, taken, found, names = Path(path), dict[str, int](), list[Path](), list(names)
    for name in names:
        stem = file.stem if len(names) == 1 else f"{file.stem}-{name}"
        taken[stem] = taken.get(stem, 0) + 1
        found.append(file.with_name(f"{stem if taken[stem] == 1 else f'{stem}-{taken[stem]}'}{file.suffix or '.png'}"))
    return found


@cache
def say(sentence: str) -> None:
    """Print a sentence about figures on standard error, once for all of them."""
    print(f"seqnets: {sentence}", file=sys.stderr)


def _format(path: Path) -> str:
    return path.suffix[1:].lower() or FORMATS[0]
