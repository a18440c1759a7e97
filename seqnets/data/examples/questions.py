"""Questions about pictures and their answers: easy_vqa, VQA v2, and tables."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.data.examples.tables import JSON_LINES, SEPARATORS, read_table, table_kind
from seqnets.decoders import read_json
from seqnets.errors import UserError


class Question(NamedTuple):
    """A question, the name or number of its picture, and the answer."""

    image: str
    text: str
    answer: str


def read_questions(path: str | Path, annotations: str | Path = "") -> list[Question]:
    """Read questions with their answers.

    Args:
        path: a table (.csv, .tsv, .jsonl) with the columns image, question and answer; easy_vqa's JSON, a list of
            [question, answer, image number]; or VQA v2's JSON, an object with the list `questions`.
        annotations: VQA v2's file of answers.

    Raises:
        UserError: a file cannot be read, is of another form, or holds a question without an answer.

    Example:
        >>> read_questions("no/such.json")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.json': No such file or directory; check the path
    """
    path = Path(path)
    if table_kind(path) in (*SEPARATORS, *JSON_LINES):
        found = [Question(*row) for row in read_table(path, ("image", "question", "answer"))]
    else:
        content = read_json(path)
        found = list(_of_triples(content, path) if isinstance(content, list) else _of_objects(content, path, annotations))
    if not found:
        raise UserError(f"'{path}' holds no question")
    return found


def images_by_name(folder: str | Path, paths: list[Path]) -> dict[str, Path]:
    """Return the pictures of a folder by all that a question may call them.

    That is the path within the folder, the file's name with and without its ending, and the number in which the name ends,
    as in COCO_val2014_000000000042.jpg. What two files share, neither has.

    Example:
        >>> found = images_by_name("a", [Path("a/COCO_val2014_0042.jpg"), Path("a/dog.png")])
        >>> found["42"].name, found["dog"].name
        ('COCO_val2014_0042.jpg', 'dog.png')
    """
    named: dict[str, Path] = {}
    shared: set[str] = set()
    for path in paths:
        for name in _names(path, Path(folder)):
            if named.setdefault(name, path) != path:
                shared.add(name)
    return {name: path for name, path in named.items() if name not in shared}


def _names(path: Path, folder: Path) -> set[str]:
    digits = path.stem[len(path.stem.rstrip("0123456789")) :]
    within = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
    return {within, path.name, path.stem, *([str(int(digits))] if digits else [])}


def _of_triples(content: list, path: Path) -> Iterator[Question]:
    for place, entry in enumerate(content):
        if not isinstance(entry, list) or len(entry) != 3 or not all(isinstance(part, str) for part in entry[:2]):
            raise UserError(f"entry {place} of '{path}' is not [question, answer, image number] but {str(entry)[:60]}")
        yield Question(str(entry[2]), entry[0], entry[1])


def _of_objects(content: Any, path: Path, annotations: str | Path) -> Iterator[Question]:
    questions = _entries(content, "questions", path)
    if not annotations:
        raise UserError(f"'{path}' holds VQA questions without answers; give the file of answers as --annotations FILE")
    answers = {entry.get("question_id"): entry for entry in _entries(read_json(annotations), "annotations", Path(annotations))}
    for entry in questions:
        answer = answers.get(entry.get("question_id"), {}).get("multiple_choice_answer")
        if answer is None or "question" not in entry or "image_id" not in entry:
            raise UserError(
                f"question {entry.get('question_id')!r} of '{path}' lacks its text, image or answer in '{annotations}'"
            )
        yield Question(str(entry["image_id"]), entry["question"], answer)


def _entries(content: Any, name: str, path: Path) -> list[Mapping[str, Any]]:
    entries = content.get(name) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f"'{path}' has no list {name!r}; give easy_vqa's or VQA v2's JSON, or a table")
    return entries
