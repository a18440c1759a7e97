"""Questions about pictures and their answers, in the files of the usual sets."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.data.examples.tables import JSON_LINES, SEPARATORS, Tell, attempts, read_table, report, sifted, table_kind
from seqnets.decoders import read_json, reading
from seqnets.errors import UserError

IMAGE = ("image", "image_filename", "image_name", "img_name", "file_name", "filename", "imageId", "image_id", "img_id")
QUESTION, ANSWER = ("question",), ("answer", "multiple_choice_answer")


class Question(NamedTuple):
    """A question, the name or number of its picture, the answer, and the modules that find it if the file says them."""

    image: str
    text: str
    answer: str
    layout: str = ""


def read_questions(path: str | Path, annotations: str | Path = "", *, tell: Tell | None = None) -> list[Question]:
    """Read questions with their answers.

    Args:
        path: a table (.csv, .tsv, .jsonl) with the columns image, question and answer, or JSON in one of `JSON_FORMS`.
        annotations: VQA v2's file of answers.
        tell: called with a sentence about questions that cannot be used, up to 1%; without it, they become a warning.

    Raises:
        UserError: a file cannot be read, has another form, or holds more questions without an answer.

    Example:
        >>> read_questions("no/such.json")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.json': No such file or directory; check the path
    """
    path = Path(path)
    if table_kind(path) in (*SEPARATORS, *JSON_LINES):
        return [Question(*row) for row in read_table(path, (IMAGE, QUESTION, ANSWER), texts=(1, 2), filled=(0, 1, 2), tell=tell)]
    content = read_json(path)
    with reading(path, advice=f"give {forms()}"):
        form = next((form for form in JSON_FORMS if form.fits(content)), None)
        if form is None:
            raise UserError(f"'{path}' is JSON, but its form is unknown; give {forms()}")
        found, remarks = sifted(form.read(content, path, annotations), "questions")
    if not found:
        raise UserError(f"'{path}' holds no questions")
    report(remarks, tell)
    return found


def forms() -> str:
    """Return the names of all forms that `read_questions` reads, for help and errors."""
    return ", ".join([*(form.name for form in JSON_FORMS), "or a table (.csv, .tsv, .jsonl) with image, question and answer"])


Found = Iterator[Question | UserError]


def _triples(content: list, path: Path, annotations: str | Path) -> Found:
    def read(place: int, entry: Any) -> Iterator[Question]:
        if not isinstance(entry, list) or len(entry) != 3 or not all(isinstance(part, str) for part in entry[:2]):
            raise UserError(f"entry {place} of '{path}' is not [question, answer, image number] but {str(entry)[:60]}")
        yield _filled(f"entry {place} of '{path}'", entry[2], entry[0], entry[1])

    return attempts(read, enumerate(content))


def _vqa(content: Mapping[str, Any], path: Path, annotations: str | Path) -> Found:
    if not annotations:
        raise UserError(f"'{path}' holds VQA questions without answers; give the file of answers as --annotations FILE")
    answers = {entry.get("question_id"): entry for entry in _entries(read_json(annotations), "annotations", Path(annotations))}

    def read(entry: Mapping[str, Any]) -> Iterator[Question]:
        number = entry.get("question_id")
        answer = answers.get(number, {}).get("multiple_choice_answer")
        if answer is None or "question" not in entry or "image_id" not in entry:
            raise UserError(f"question {number!r} of '{path}' lacks its text, image or answer in '{annotations}'")
        yield _filled(f"question {number!r} of '{path}'", entry["image_id"], entry["question"], answer)

    return attempts(read, ((entry,) for entry in _entries(content, "questions", path)))


def _asked(path: Path, place: Any, entry: Any) -> Iterator[Question]:
    """Yield the question of an object that has all three values; a group of entries may share the image."""
    where = f"question {place} of '{path}'"
    if not isinstance(entry, Mapping):
        raise UserError(f"{where} is not an object but {str(entry)[:60]}")
    values = [next((entry[name] for name in names if entry.get(name) is not None), None) for names in (IMAGE, QUESTION, ANSWER)]
    if None in values:
        missing = ("image", "question", "answer")[values.index(None)]
        raise UserError(f"{where} has no {missing!r}; it has {', '.join(map(str, entry))[:80]}")
    question = _filled(where, *values)
    layout = entry.get("layout", "")
    if isinstance(layout, list):
        from seqnets.data.examples.layouts import of_module_names  # loads NumPy, which the help of a verb does without

        layout = of_module_names(layout, question.text, where)
    yield question._replace(layout=str(layout or ""))


def _listed(content: list, path: Path, annotations: str | Path) -> Found:
    return attempts(partial(_asked, path), enumerate(content))


def _inside(content: Mapping[str, Any], path: Path, annotations: str | Path) -> Found:
    return _listed(content["questions"], path, annotations)


def _by_number(content: Mapping[str, Any], path: Path, annotations: str | Path) -> Found:
    return attempts(partial(_asked, path), content.items())


def _grouped(content: list, path: Path, annotations: str | Path) -> Found:
    groups = ([{"image_id": group.get("id"), **entry} for entry in group["qas"]] for group in content)
    return _listed(list(chain.from_iterable(groups)), path, annotations)


def _filled(where: str, image: Any, text: Any, answer: Any) -> Question:
    values = {"image": image, "question": text, "answer": answer}
    for name, value in values.items():
        if isinstance(value, bool | list | Mapping) or not str(value).strip():
            raise UserError(f"{where} has no text for {name!r} but {str(value)[:60]!r}; fill it in")
    return Question(*map(str, values.values()))


def _entries(content: Any, name: str, path: Path) -> list[Mapping[str, Any]]:
    entries = content.get(name) if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f"'{path}' has no list {name!r}; give {forms()}")
    return entries


class Form(NamedTuple):
    """A form of JSON: its name, a test for a file's content, and the reader of its questions."""

    name: str
    fits: Callable[[Any], bool]
    read: Callable[[Any, Path, str | Path], Iterable[Question | UserError]]


def _first(content: Any, kind: type) -> Any:
    return content[0] if isinstance(content, list) and content and isinstance(content[0], kind) else {}


def _questions(content: Any) -> list:
    return content["questions"] if isinstance(content, Mapping) and isinstance(content.get("questions"), list) else []


JSON_FORMS = (
    Form("easy_vqa's JSON", lambda content: content == [] or bool(_first(content, list)), _triples),
    Form("CLEVR's JSON", lambda content: any(name in _first(_questions(content), dict) for name in ANSWER), _inside),
    Form("VQA v2's JSON", lambda content: isinstance(content, Mapping) and "questions" in content, _vqa),
    Form("Visual Genome's JSON", lambda content: isinstance(_first(content, dict).get("qas"), list), _grouped),
    Form("VQA-RAD's or SLAKE's JSON", lambda content: "question" in _first(content, dict), _listed),
    Form(
        "GQA's JSON",
        lambda content: isinstance(content, Mapping) and bool(content) and all(isinstance(v, Mapping) for v in content.values()),
        _by_number,
    ),
)
