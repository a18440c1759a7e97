"""Labeled texts from tables, and from one folder or one file per class."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from seqnets.data.examples.config import LabeledTextConfig
from seqnets.data.examples.tables import JSON_LINES, SEPARATORS, Tell, read_table, read_whole, table_kind, text_lines
from seqnets.errors import UserError


def read_labeled_texts(
    sources: Sequence[str | Path], config: LabeledTextConfig, *, tell: Tell | None = None
) -> tuple[list[str], list[str]]:
    """Read texts and their labels.

    Args:
        sources: tables (.csv, .tsv, .jsonl; also .gz) that name their columns; folders of folders, where each inner
            folder is a label and each file in it a text; or files of other kinds, each of which is a label whose lines
            are texts. A folder of files stands for its files.
        config: names the columns.
        tell: called with a sentence about rows that cannot be used, up to 1% of a table; without it, they become a warning.

    Returns:
        N texts and N labels, stripped of white space; blank lines are left out.

    Raises:
        UserError: a source is missing, cannot be read, or holds no text.

    Example:
        >>> read_labeled_texts(["no/such"], LabeledTextConfig())
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such': there is no such file or folder; check the path
    """
    pairs = [pair for source in sources for pair in _pairs(Path(source), config, tell) if pair[0].strip()]
    if not pairs:
        raise UserError(f"{' '.join(map(str, sources))} holds no text; give a table, a folder for each label or a file for each")
    return [text for text, _ in pairs], [label.strip() for _, label in pairs]


def _pairs(path: Path, config: LabeledTextConfig, tell: Tell | None) -> Iterator[tuple[str, str]]:
    if not path.exists():
        raise UserError(f"cannot read '{path}': there is no such file or folder; check the path")
    if path.is_dir():
        yield from _of_folder(path, config, tell)
    elif table_kind(path) in (*SEPARATORS, *JSON_LINES):
        columns = (config.text_column, config.label_column)
        yield from ((row[0], row[1]) for row in read_table(path, columns, texts=[0], filled=[1], tell=tell))
    else:
        label = path.name.partition(".")[0]
        yield from ((line, label) for line in text_lines(read_whole(path)))


def _of_folder(path: Path, config: LabeledTextConfig, tell: Tell | None) -> Iterator[tuple[str, str]]:
    inside = _visible(path)
    labels = [entry for entry in inside if entry.is_dir()]
    if not labels:
        for file in inside:
            yield from _pairs(file, config, tell)
    for label in labels:
        yield from ((read_whole(file), label.name) for file in sorted(label.rglob("*")) if _is_text(file))


def _visible(path: Path) -> list[Path]:
    return [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]


def _is_text(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".")
