"""Rows of text columns out of CSV, TSV and JSON Lines files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from seqnets.decoders import json_value, read_text, rows_of
from seqnets.errors import UserError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")

Row = tuple[str, ...]


def read_table(path: str | Path, columns: Sequence[str], *, named: bool = True) -> list[Row]:
    """Read some columns of a table.

    Args:
        path: a file that ends in .csv, .tsv, .jsonl or .ndjson (also with .gz), in UTF-8; any other is read like .tsv.
        columns: their names, in the first line of a CSV or TSV file or as the keys of JSON objects.
        named: whether the first line must name them; if not, a file whose first line does not gives its columns in order.

    Returns:
        For every row the values of the columns, in the order asked for.

    Raises:
        UserError: the file cannot be read, lacks a column, or has a row without a value; the message says where.

    Example:
        >>> read_table("no/such.csv", ["text", "label"])
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.csv': No such file or directory; check the path
    """
    path = Path(path)
    kind = table_kind(path)
    text = read_whole(path)
    rows = _objects(text, path, columns) if kind in JSON_LINES else _lines(text, path, columns, SEPARATORS.get(kind, "\t"), named)
    found = list(rows)
    if not found:
        raise UserError(f"'{path}' has no rows; each gives {' and '.join(columns)}")
    return found


def table_kind(path: str | Path) -> str:
    """Return the ending that tells how a file is written, in lower case and without .gz.

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


def _objects(text: str, path: Path, columns: Sequence[str]) -> Iterator[Row]:
    for number, found in json_lines(text, path):
        missing = [name for name in columns if found.get(name) is None]
        if missing:
            raise UserError(f"line {number:,} of '{path}' has no {missing[0]!r}; it has {', '.join(found)}")
        yield tuple(str(found[name]) for name in columns)


def json_lines(text: str, path: Path) -> Iterator[tuple[int, dict]]:
    """Yield the objects of JSON Lines with their line numbers, counted from 1.

    Raises:
        UserError: a line is no JSON object.

    Example:
        >>> list(json_lines('{"a": 1}', Path("a.jsonl")))
        [(1, {'a': 1})]
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        found = json_value(line, path, line=number)
        if not isinstance(found, dict):
            raise UserError(f"line {number:,} of '{path}' is not a JSON object but {line.strip()[:40]!r}")
        yield number, found


def _lines(text: str, path: Path, columns: Sequence[str], separator: str, named: bool) -> Iterator[Row]:
    rows = rows_of(text, separator, path)
    number, first = next(rows, (0, []))
    places = _places(first, path, columns, named)
    if places is None:
        places = range(len(columns))
        yield _cells(first, places, columns, path, number)
    for number, row in rows:
        yield _cells(row, places, columns, path, number)


def _places(first: list[str], path: Path, columns: Sequence[str], named: bool) -> list[int] | None:
    names = [name.strip().lower() for name in first]
    if all(name.lower() in names for name in columns):
        return [names.index(name.lower()) for name in columns]
    if not named:
        return None
    missing = next(name for name in columns if name.lower() not in names)
    raise UserError(f"the first line of '{path}' names no column {missing!r} but {', '.join(first)[:100]!r}")


def _cells(row: list[str], places: Sequence[int], columns: Sequence[str], path: Path, number: int) -> Row:
    if len(row) <= max(places):
        raise UserError(f"line {number:,} of '{path}' has {len(row)} columns; it needs {' and '.join(columns)}")
    return tuple(row[place] for place in places)
