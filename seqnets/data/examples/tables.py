"""Rows of text columns from CSV, TSV and JSON Lines files."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from seqnets.decoders import json_value, read_text, rows_of
from seqnets.errors import UserError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
DELIMITERS = ",\t;|"
MAX_BAD_SHARE = 0.01
"""The share of a file's entries that may be unusable: they are counted and left out. Above this share, the file is refused."""

Row = tuple[str, ...]
Record = tuple[int, list[str]]
Tell = Callable[[str], None]
Column = str | Sequence[str]
Item = TypeVar("Item")
_NAMED_DELIMITER = re.compile(r"\s*sep=(.)\s*(?:\n|$)", re.IGNORECASE)


def read_table(
    path: str | Path,
    columns: Sequence[Column],
    *,
    texts: Sequence[int] = (),
    filled: Sequence[int] = (),
    named: bool = True,
    tell: Tell | None = None,
) -> list[Row]:
    """Read some columns of a table.

    The columns of a .csv file are separated by commas, semicolons, tabs or bars, whichever separates the names in its
    first line; a first line such as `sep=;` names the character. A row with more cells than the first line is joined
    if only one column holds free text. Rows that cannot be used are left out, up to 1% of all.

    Args:
        path: a file that ends in .csv, .tsv, .jsonl or .ndjson (also with .gz), in UTF-8; any other file is read like .tsv.
        columns: their names, in the first line of a CSV or TSV file or as the keys of JSON objects; a list gives
            several names for a column, of which the first present one is used.
        texts: which of the columns hold free text, as places in `columns`.
        filled: which columns may not be blank, as places in `columns`.
        named: whether the first line must name them; if not, a file whose first line does not gives its columns in order.
        tell: called with a sentence about the rows that are left out; without it, they become a warning.

    Returns:
        For every row the values of the columns, in the order asked for.

    Raises:
        UserError: the file cannot be read, lacks a column, or has too many rows that cannot be used; the message says where.

    Example:
        >>> read_table("no/such.csv", ["text", "label"])
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.csv': No such file or directory; check the path
    """
    path, wanted = Path(path), [[column] if isinstance(column, str) else list(column) for column in columns]
    kind, text = table_kind(path), read_whole(path)
    found = _objects(text, path, wanted) if kind in JSON_LINES else _rows(text, path, wanted, texts, named)
    found = attempts(partial(_filled, wanted=wanted, filled=filled), found)
    rows, remarks = sifted(found, "rows")
    if not rows:
        raise UserError(f"'{path}' has no rows; each gives {' and '.join(names[0] for names in wanted)}")
    report(remarks, tell)
    return rows


def sifted(found: Iterable[Item | UserError], what: str) -> tuple[list[Item], list[str]]:
    """Separate usable entries from unusable ones.

    Args:
        found: entries, with an error in place of each unusable one.
        what: what the entries are, in the plural.

    Returns:
        The usable entries; a sentence about the others, if there are any.

    Raises:
        UserError: more than 1% cannot be used; the message is that of the first error.

    Example:
        >>> sifted([*range(199), UserError("line 3 is short; fill it in")], "rows")[1]
        ['1 of 200 rows cannot be used and is left out: line 3 is short; fill it in']
    """
    entries: list[Item] = []
    errors: list[UserError] = []
    for entry in found:
        if isinstance(entry, UserError):
            errors.append(entry)
        else:
            entries.append(entry)
    total, bad = len(entries) + len(errors), len(errors)
    if bad > MAX_BAD_SHARE * total:
        more = f" ({bad:,} of {total:,} {what} cannot be used; up to {MAX_BAD_SHARE:.0%} would be left out)" if bad > 1 else ""
        raise UserError(f"{errors[0]}{more}")
    verb = "is" if bad == 1 else "are"
    about = ": " if bad == 1 else ", for example "
    return entries, [f"{bad:,} of {total:,} {what} cannot be used and {verb} left out{about}{errors[0]}"] if bad else []


def attempts(read: Callable[..., Iterable[Item]], items: Iterable[tuple | UserError]) -> Iterator[Item | UserError]:
    """Yield `read` of the parts of each item, or the error that it raises; errors among the items pass through.

    Example:
        >>> list(attempts(lambda number: [1 / number], [(2,), (4,)]))
        [0.5, 0.25]
    """
    for item in items:
        try:
            yield from [item] if isinstance(item, UserError) else read(*item)
        except UserError as error:
            yield error


def table_kind(path: str | Path) -> str:
    """Return the extension that gives the file's format, in lower case and without .gz.

    Example:
        >>> table_kind("Reviews.CSV.gz")
        '.csv'
    """
    path = Path(path)
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def read_whole(path: str | Path) -> str:
    """Return the text of a file in UTF-8, unpacked if its name ends in .gz; a byte order mark is left out.

    Raises:
        UserError: it cannot be read, or is not UTF-8.
    """
    return read_text(path)


def text_lines(text: str) -> list[str]:
    r"""Return the lines of a text, blank ones too: only \n, \r\n and \r end a line.

    Example:
        >>> text_lines("a\u2028b\r\n\nc\n")
        ['a\u2028b', '', 'c']
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n") if text else []


def json_lines(text: str, path: str | Path) -> Iterator[tuple[str, dict] | UserError]:
    """Yield the objects of JSON Lines, each with its place for errors; an error in place of a line without one.

    Example:
        >>> list(json_lines('{"a": 1}', "a.jsonl"))
        [("line 1 of 'a.jsonl'", {'a': 1})]
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"line {number:,} of '{path}'"
            try:
                yield where, _object(line, path, number)
            except UserError as error:
                yield error


class Sheet(NamedTuple):
    """A table of text, cell by cell.

    Attributes:
        path: the file, for errors.
        delimiter: what separates its cells.
        rows: the rows that are not blank, each with its line number.
    """

    path: str
    delimiter: str
    rows: list[Record]


def sheet(text: str, path: str, fits: Callable[[list[str]], bool], default: str = ",") -> Sheet:
    r"""Split a table into cells.

    Its rows are those of `seqnets.decoders.rows_of`.

    Args:
        text: of the file.
        path: of the file.
        fits: a test for the cells of the first row; the first delimiter that passes it is used.
        default: the delimiter where none does.

    Example:
        >>> sheet('a;b\n1;"x; y"\n', "t.csv", lambda cells: cells == ["a", "b"]).rows
        [(1, ['a', 'b']), (2, ['1', 'x; y'])]
    """
    named = _NAMED_DELIMITER.match(text)
    start = named.end() if named else 0
    first = next(filter(str.strip, re.split(r"[\r\n]+", text[start:], maxsplit=3)), "")
    by_count = sorted(DELIMITERS, key=first.count, reverse=True)
    tries = [named[1]] if named else [default, *(each for each in by_count if each != default and each in first)]
    delimiter = next((each for each in tries if fits(next(rows_of(first, each), (0, [""]))[1])), tries[0])
    shift = text.count("\n", 0, start)
    return Sheet(path, delimiter, [(line + shift, cells) for line, cells in rows_of(text[start:], delimiter)])


def fitted(found: Sheet, rows: Iterable[Record], width: int, needed: Sequence[int], texts: Iterable[int]) -> Iterator[Any]:
    """Yield rows of at most `width` cells; a longer row is joined where there is only one way to do it.

    There is one way if a single column holds free text: one of `texts`, or a column outside `needed` whose cell has a space.

    Args:
        found: the table.
        rows: the rows that hold values.
        width: number of columns.
        needed: the columns whose values will be read.
        texts: the needed columns that hold free text.

    Yields:
        Rows, and an error in place of one with too few cells, or with too many that could belong to several columns.
    """
    rows = list(rows)
    others = set(range(width)) - set(needed)
    whole = (cells for _, cells in rows if len(cells) <= width)
    free = {*texts} | {place for cells in whole for place in others & set(range(len(cells))) if " " in cells[place].strip()}
    for line, cells in rows:
        joined = _joined(cells, width, free, found.delimiter)
        if len(joined) > width or any(" " in joined[place].strip() for place in others - free if len(cells) > width):
            what = f"{len(cells)} cells for {width} columns"
            fix = f"put quotation marks around text with a {_NAMES.get(found.delimiter, 'delimiter')} in it"
            yield UserError(f"line {line:,} of '{found.path}' has {what}, which can be read in several ways; {fix}")
        else:
            yield line, joined


_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def _joined(cells: list[str], width: int, free: set[int], delimiter: str) -> list[str]:
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    surplus = len(cells) - width
    if surplus <= 0 or len(free) != 1:
        return cells
    place = min(free)
    end = place + surplus + 1
    return [*cells[:place], delimiter.join(cells[place:end]), *cells[end:]]


def _object(line: str, path: str | Path, number: int) -> dict:
    found = json_value(line, path, line=number)
    if not isinstance(found, dict):
        raise UserError(f"line {number:,} of '{path}' is not a JSON object but {line.strip()[:40]!r}")
    return found


Placed = tuple[str, Row]


def _filled(where: str, row: Row, wanted: Sequence[Sequence[str]], filled: Sequence[int]) -> Iterator[Row]:
    blank = next((place for place in filled if not row[place].strip()), None)
    if blank is not None:
        raise UserError(f"{where} has an empty {wanted[blank][0]!r}; fill it in")
    yield row


def _objects(text: str, path: Path, wanted: Sequence[Sequence[str]]) -> Iterator[Placed | UserError]:
    def values(where: str, found: dict) -> Iterator[Placed]:
        chosen = [next((found[name] for name in names if found.get(name) is not None), None) for names in wanted]
        if None in chosen:
            missing = wanted[chosen.index(None)][0]
            raise UserError(f"{where} has no {missing!r}; it has {', '.join(found)}")
        yield where, tuple(map(str, chosen))

    return attempts(values, json_lines(text, path))


def _rows(
    text: str, path: Path, wanted: Sequence[Sequence[str]], texts: Sequence[int], named: bool
) -> Iterator[Placed | UserError]:
    found = sheet(text, str(path), lambda cells: None not in places_of(cells, wanted), SEPARATORS.get(table_kind(path), "\t"))
    header = found.rows[0][1] if found.rows else []
    places = places_of(header, wanted)
    begin = 0 if None in places else 1
    if None in places:
        if named:
            missing = wanted[places.index(None)][0]
            shown = ", ".join(header)[:100]
            raise UserError(f"the first line of '{path}' does not name the column {missing!r}, only {shown!r}; add it")
        places = list(range(len(wanted)))
    columns = cast("list[int]", places)
    rows = fitted(found, found.rows[begin:], len(header), columns, [columns[place] for place in texts])
    yield from attempts(partial(_chosen, columns=columns, wanted=wanted, path=path), rows)


def places_of(header: Sequence[str], wanted: Sequence[Sequence[str]]) -> list[int | None]:
    """Return the column of each wanted value, by the first of its names that is in the header; None where it has none.

    Example:
        >>> places_of(["Image Name", "Question"], [["image", "image_name"], ["question"], ["answer"]])
        [0, 1, None]
    """
    names = [plain_name(name) for name in header]
    return [next((names.index(plain_name(name)) for name in each if plain_name(name) in names), None) for each in wanted]


def plain_name(name: str) -> str:
    """Return the name of a column in lower case, with _ for spaces and hyphens, so that spellings compare.

    Example:
        >>> plain_name(' "Image Name"')
        'image_name'
    """
    return re.sub(r"[\s-]+", "_", name.strip(' \t\r"').lower())


def _chosen(line: int, cells: list[str], columns: Sequence[int], wanted: Sequence[Sequence[str]], path: Path) -> Iterator[Placed]:
    if len(cells) <= max(columns):
        has = f"{len(cells)} column{'s'[: len(cells) != 1]}"
        raise UserError(f"line {line:,} of '{path}' has {has}; it needs {' and '.join(names[0] for names in wanted)}")
    yield f"line {line:,} of '{path}'", tuple(cells[column] for column in columns)


def report(remarks: Iterable[str], tell: Tell | None) -> None:
    """Pass remarks to `tell`, or issue warnings where it is not given, so that nothing is lost silently.

    Example:
        >>> report(["1 row is left out"], print)
        1 row is left out
    """
    for remark in remarks:
        tell(remark) if tell else warnings.warn(remark, stacklevel=3)
