"""Captions in files of lines: CSV and its kin, JSON Lines, and the token files of Flickr8k and Flickr30k."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seqnets.data.captions.caption_set import Entry
from seqnets.decoders import json_value, rows_of
from seqnets.errors import UserError

IMAGE = ("image", "image_name", "image_path", "image_file", "img", "file", "file_name", "filename", "filepath", "path", "name")
CAPTION = ("caption", "captions", "comment", "text", "sentence", "sentences", "description", "title", "raw")
SPLIT = ("split", "set", "partition", "subset")
_DELIMITERS = ",\t|;"
_TOKEN_LINE = re.compile(r"(?P<image>[^\t]+)#(?P<number>\d+)\t(?P<caption>.*)")


def is_token_file(first: str) -> bool:
    r"""Tell whether a line is `name.jpg#0<tab>caption`.

    Example:
        >>> is_token_file("1000268201_693b08cb0e.jpg#0\tA child .")
        True
    """
    return bool(_TOKEN_LINE.fullmatch(first))


def token_file(text: str, path: str) -> Iterator[Entry]:
    r"""Yield the captions of a token file: `name.jpg#0<tab>caption` in every line.

    Raises:
        UserError: a line is not of that form.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        match = _TOKEN_LINE.fullmatch(line.rstrip("\r"))
        if not match:
            raise UserError(f"line {number:,} of '{path}' is not 'name.jpg#0', a tab and a caption, but {line.strip()[:60]!r}")
        yield Entry(match["image"], match["caption"], f"line {number:,} of '{path}'")


def table(text: str, path: str) -> Iterator[Entry]:
    """Yield the captions of a table whose first line names a column of images and one of captions.

    Columns are parted by commas, tabs, semicolons or bars, whichever the first line has; fields may be quoted, but for
    tabs and bars. A caption in the last column may have the separator in it.

    Raises:
        UserError: the first line names no such columns, or a line has too few; the message says which.
    """
    delimiter = max(_DELIMITERS, key=text.split("\n", 1)[0].count)
    rows = rows_of(text, delimiter, path)
    _, header = next(rows, (0, []))
    image, caption, split = _columns(header, path)
    for number, row in rows:
        where = f"line {number:,} of '{path}'"
        last = delimiter.join(row[caption:]) if caption == len(header) - 1 else _cell(row, caption, header, where)
        _cell(row, caption, header, where)
        yield Entry(_cell(row, image, header, where), last, where, "" if split is None else _cell(row, split, header, where))


def json_lines(text: str, path: str) -> Iterator[Entry]:
    """Yield the captions of JSON Lines: objects with an image and a caption, or a list of captions.

    Raises:
        UserError: a line is no such object; the message says which, and at which column its JSON is broken.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        yield from captioned_object(json_value(line, path, line=number), f"line {number:,} of '{path}'")


def captioned_object(found: Any, where: str) -> Iterator[Entry]:
    """Yield the captions of an object that has an image and a caption or several.

    Raises:
        UserError: it is no such object.
    """
    if not isinstance(found, Mapping):
        raise UserError(f'{where} must be {{"image": ..., "caption": ...}}, not {_short(found)}')
    image, captions = _member(found, IMAGE, where, "image"), _member(found, CAPTION, where, "caption")
    split = next((found[name] for name in SPLIT if found.get(name) is not None), "")
    for caption in captions if isinstance(captions, list) else [captions]:
        text = caption.get("raw") if isinstance(caption, Mapping) else caption
        if not isinstance(text, str) or not isinstance(image, str) or not isinstance(split, str):
            wrong = text if not isinstance(text, str) else image if not isinstance(image, str) else split
            raise UserError(f"{where} must have texts for image and caption, not {_short(wrong)}")
        number = found.get("image_id", found.get("cocoid"))
        yield Entry(image, text, where, split, number if type(number) in (int, str) else None)


def _member(found: Mapping[str, Any], names: Sequence[str], where: str, what: str) -> Any:
    name = next((name for name in names if found.get(name) is not None), None)
    if name is None:
        raise UserError(f"{where} has no {what!r} but {', '.join(map(str, found))[:80] or 'nothing'}; call it {what!r}")
    return found[name]


def _columns(header: Sequence[str], path: str) -> tuple[int, int, int | None]:
    names = [name.strip().lower() for name in header]
    image, caption, split = (next((names.index(n) for n in known if n in names), None) for known in (IMAGE, CAPTION, SPLIT))
    if image is None or caption is None:
        what = "images" if image is None else "captions"
        shown = ", ".join(header)[:100]
        raise UserError(f"the first line of '{path}' names no column of {what}, only {shown!r}; begin it with: image,caption")
    return image, caption, split


def _cell(row: Sequence[str], column: int, header: Sequence[str], where: str) -> str:
    if column >= len(row):
        has = f"{len(row)} column{'s'[: len(row) != 1]}"
        raise UserError(f"{where} has {has} and lacks column {column + 1}, {header[column].strip()!r}; fill it in")
    return row[column]


def _short(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
