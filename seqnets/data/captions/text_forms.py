"""Captions in files of lines: tables, JSON Lines, token files such as Flickr8k's, and a .txt for each picture."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from seqnets.data.captions.caption_set import Entry
from seqnets.data.examples.tables import Sheet, attempts, fitted, places_of, plain_name, read_whole, sheet, text_lines
from seqnets.data.examples.tables import json_lines as objects_of
from seqnets.data.images.names import EXTENSIONS
from seqnets.errors import UserError

IMAGE = ("image", "image_name", "image_path", "image_file", "img", "file", "file_name", "filename", "filepath", "path", "name")
IMAGE += (
    "photo",
    "picture",
    "image_filename",
    "img_name",
    "image_id",
    "imageid",
    "img_id",
)  # the last three are used where no other column names images
CAPTION = ("caption", "captions", "comment", "text", "sentence", "sentences", "description", "title", "raw")
SPLIT = ("split", "set", "partition", "subset")
_NUMBERED = re.compile(r"(?:caption|comment|sentence|text|description)s?_?\d+")
_TOKEN_LINE = re.compile(r"(?P<image>[^\t]+?)(?:#[A-Za-z]+)?#\d+\t(?P<caption>.*)")
_SPACED_TOKEN_LINE = re.compile(r"(?P<image>[^\t]+?\.\w+)(?:#[A-Za-z]+)?#\d+ +(?P<caption>[^\t]*)")

Found = Iterator[Entry | UserError]


def is_token_file(first: str) -> bool:
    r"""Say whether a line is `name.jpg#0<tab>caption`, perhaps with a language: `name.jpg#zhm#0 caption`.

    Example:
        >>> is_token_file("1000268201_693b08cb0e.jpg#0\tA child ."), is_token_file("a.jpg#zhm#0 一只狗")
        (True, True)
    """
    return _token(first) is not None


def _token(line: str) -> re.Match[str] | None:
    return _TOKEN_LINE.fullmatch(line) or (_SPACED_TOKEN_LINE.fullmatch(line) if "\t" not in line else None)


def token_file(text: str, path: str) -> Found:
    r"""Yield the captions of a token file: `name.jpg#0<tab>caption` in every line."""

    def read(number: int, line: str) -> Iterator[Entry]:
        match = _token(line)
        if not match:
            raise UserError(f"line {number:,} of '{path}' is not 'name.jpg#0', a tab and a caption, but {line.strip()[:60]!r}")
        yield Entry(match["image"], match["caption"], f"line {number:,} of '{path}'")

    return attempts(read, ((number, line) for number, line in enumerate(text_lines(text), start=1) if line.strip()))


def text_files(folder: str) -> Found:
    """Yield the captions of a folder with a .txt for each picture, which may be beside it or elsewhere.

    Every line of a .txt is a caption of the picture with the same name and another extension.
    """
    paths = [Path(parent, name) for parent, _, names in sorted(os.walk(folder)) for name in sorted(names)]
    texts = [path for path in paths if path.suffix.lower() == ".txt" and not path.name.startswith(".")]
    if not texts:
        raise UserError(f"the folder '{folder}' has no .txt; give a captions file, or the folder with a .txt for each picture")
    pictures = {path.with_suffix(""): path for path in paths if path.suffix.lower() in EXTENSIONS}

    def read(path: Path) -> Iterator[Entry]:
        name = pictures.get(path.with_suffix(""), path.with_suffix("")).relative_to(folder).as_posix()
        lines = list(filter(str.strip, text_lines(read_whole(path)))) or [""]
        yield from (Entry(name, line, f"'{path}'") for line in lines)

    return attempts(read, zip(texts))


class _Columns(NamedTuple):
    """The columns of a table's values, its number of columns, and its first row of values."""

    image: int
    captions: list[int]
    split: int | None
    width: int
    begin: int = 1


def table(text: str, path: str) -> Found:
    """Yield the captions of a table whose first line names a column of images and one or more columns of captions.

    Commas, tabs, semicolons or bars separate the columns. A caption may contain the separator if it is the only text of
    its row. Without a first line of names the columns must be unambiguous: one of image files and one of texts.

    Raises:
        UserError: the first line names no such columns, and the columns are ambiguous.
    """
    found = sheet(text, path, lambda cells: bool(_named(cells)) or _image_column(cells) is not None, _most_frequent(text))
    if not found.rows:
        raise UserError(f"'{path}' is empty; give lines such as: dog.jpg,a dog runs (after a first line: image,caption)")
    columns = _named(found.rows[0][1]) or _certain(found) or _refuse(found)
    places = [columns.image, *columns.captions, *([columns.split] if columns.split is not None else [])]

    def read(line: int, cells: list[str]) -> Iterator[Entry]:
        where = f"line {line:,} of '{path}'"
        needed = places if len(columns.captions) == 1 else [columns.image]
        lacking = next((place for place in needed if place >= len(cells)), None)
        if lacking is not None:
            has = f"{len(cells)} column{'s'[: len(cells) != 1]}"
            name = f", {found.rows[0][1][lacking].strip()!r}" if columns.begin else ""
            raise UserError(f"{where} has {has} and lacks column {lacking + 1}{name}; fill it in")
        split = cells[columns.split] if columns.split is not None and columns.split < len(cells) else ""
        yield from (Entry(cells[columns.image], cells[place], where, split) for place in columns.captions if place < len(cells))

    return attempts(read, fitted(found, found.rows[columns.begin :], columns.width, places, columns.captions))


def _most_frequent(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",\t|;", key=first.count)


def _named(header: Sequence[str]) -> _Columns | None:
    image, caption, split = places_of(header, [IMAGE, CAPTION, SPLIT])
    numbered = [place for place, name in enumerate(header) if _NUMBERED.fullmatch(plain_name(name))]
    captions = numbered if caption is None else [caption]
    return None if image is None or not captions else _Columns(image, captions, split, len(header))


def _image_column(cells: Sequence[str]) -> int | None:
    """Return the only cell that is the name of an image file."""
    places = [place for place, cell in enumerate(cells) if PurePosixPath(cell.strip()).suffix.lower() in EXTENSIONS]
    return places[0] if len(places) == 1 and len(cells) > 1 else None


def _certain(found: Sheet) -> _Columns | None:
    """Return the columns of a table without names: images first or last, and one text beside any numbers."""
    image = _image_column(found.rows[0][1])
    rows = [cells for _, cells in found.rows]
    width = min(map(len, rows))
    if image is None or width < 2:
        return _Columns(0, [1], None, 2, 0) if image == 0 and len(rows[0]) == 2 else None
    if width == 2:  # more cells in other rows belong to the caption
        last = image > 0
        return _Columns(int(last), [int(not last)], None, 2, 0) if image == (len(rows[0]) - 1) * last else None
    numbers = {place for place in range(width) if all(cells[place].strip().isdigit() for cells in rows)}
    texts = set(range(width)) - numbers - {image}
    return _Columns(image, sorted(texts), None, width, 0) if len(texts) == 1 and image < width else None


def _refuse(found: Sheet) -> _Columns:
    header = found.rows[0][1]
    image, _ = places_of(header, [IMAGE, CAPTION])
    shown, what = ", ".join(header)[:100], "images" if image is None else "captions"
    between = "<tab>" if found.delimiter == "\t" else found.delimiter
    names = between.join(["image", "caption", *["other"] * (len(header) - 2)])
    fix = "begin the file with a line that names its columns, such as"
    fix = f"{'separate image and caption by a comma, and ' if len(header) == 1 else ''}{fix}: {names}"
    raise UserError(f"the first line of '{found.path}' does not name a column of {what}, only {shown!r}; {fix}")


def json_lines(text: str, path: str) -> Found:
    """Yield the captions of JSON Lines: objects with an image and a caption, or a list of captions."""
    lines = (line if isinstance(line, UserError) else (line[1], line[0]) for line in objects_of(text, path))
    return attempts(captioned_object, lines)


def captioned_object(found: Any, where: str) -> Iterator[Entry]:
    """Yield the captions of an object that has an image and one or more captions.

    Raises:
        UserError: it is not such an object.
    """
    if not isinstance(found, Mapping):
        raise UserError(f'{where} must be {{"image": ..., "caption": ...}}, not {_short(found)}')
    image = _member(found, IMAGE, where, "image")
    image = str(image) if type(image) is int else image
    split = next((found[name] for name in SPLIT if found.get(name) is not None), "")
    number = next((found[name] for name in ("image_id", "cocoid") if type(found.get(name)) in (int, str)), None)
    for caption in _captions(found, where):
        text = caption.get("raw") if isinstance(caption, Mapping) else caption
        if not isinstance(text, str) or not isinstance(image, str) or not isinstance(split, str):
            wrong = text if not isinstance(text, str) else image if not isinstance(image, str) else split
            raise UserError(f"{where} must have texts for image and caption, not {_short(wrong)}")
        yield Entry(image, text, where, split, number)


def _captions(found: Mapping[str, Any], where: str) -> list[Any]:
    numbered = [value for name, value in found.items() if _NUMBERED.fullmatch(plain_name(str(name))) and value is not None]
    if numbered and not any(found.get(name) is not None for name in CAPTION):
        return numbered
    captions = _member(found, CAPTION, where, "caption")
    return captions if isinstance(captions, list) else [captions]


def _member(found: Mapping[str, Any], names: Sequence[str], where: str, what: str) -> Any:
    plain = {plain_name(str(name)): value for name, value in found.items() if value is not None}
    name = next((name for name in names if name in plain), None)
    if name is None:
        raise UserError(f"{where} has no {what!r} but {', '.join(map(str, found))[:80] or 'nothing'}; call it {what!r}")
    return plain[name]


def _short(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
