"""The prose is plain English: no word of the list below in documents, docstrings, comments, help or messages."""

import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
SOURCES = sorted((ROOT / "seqnets").rglob("*.py"))

FORBIDDEN = {  # what is meant instead
    r"\b(?:tells?|told|telling)\b": "reports, lists, says, recognized",
    r"(?<!\bthere )\b(?:is|are) (?-i:none)\b": "there is no, is not",
    r"\b(?:so|as) many (?!as\b)\w+ (?:at most|a|on)\b|\bat (?:most|every) so many\b|\bfor so long\b": "this many, at most N",
    r"\bof late\b": "recent",
    r"\bparted\b": "separated",
    r"\banew\b": "again",
    r"\bgone on with\b|\bgo(?:es)? on with\b": "continues",
    r"\bbelongs? into\b": "belongs in",
    r"\bwhoever\b": "anyone",
    r"\bof several \w+ (?:one|each|only)\b": "only one of several",
    r"\bside[ ]heads?\b": "auxiliary heads",
    r"\bsigns?\b": "special tokens",
    r"\bif need be\b": "if needed",
    r"\bsave (?:for|those|texts)\b": "except",
    r"\bin silence\b": "silently",
    r"\bstrangers\b": "unknown sources",
    r"\bone an? (?:image|step|row|layer|word|sample|example)\b|\ba (?:second|day) a\b": "per",
    r"\bwhere left out\b": "by default",
    r"\bwords after `seqnets\b": "arguments after",
    r"\b(?:fav[o]ur|col[o]ur|gr[e]y|neighb[o]ur|behavi[o]ur|cent[r]e)\w*\b": "American spelling",
    r"\b(?:label[l]ed|model[l]ing|recogni[s]e|normali[s]e)\w*\b": "American spelling",
}
ALLOWED = [  # titles, other meanings, and names of code
    r"Show(?:, Attend)? and Tell",
    r"\btell(?=:|\()",
    r"`[^`\n]*`",
    r"\bnumber signs\b",
]
_WORDS = re.compile("|".join(f"({pattern})" for pattern in FORBIDDEN), re.IGNORECASE)
_ALLOWED = re.compile("|".join(ALLOWED))


def mistakes(text: str) -> list[str]:
    """The forbidden words in a text, each with its line and what to write instead."""
    text, advice = _ALLOWED.sub(lambda found: "_" * len(found[0]), text), list(FORBIDDEN.values())
    return [
        f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0]!r} ({advice[found.lastindex - 1]})"
        for found in _WORDS.finditer(text)
    ]


def prose(source: str) -> str:
    """A Python file with its code blanked: what is left are comments and strings of at least two words, in their lines."""
    lines = [""] * (source.count("\n") + 2)
    for line, text in _pieces(source):
        for offset, part in enumerate(text.split("\n")):
            lines[line - 1 + offset] += f" {part}"
    return "\n".join(lines)


def _pieces(source: str) -> Iterator[tuple[int, str]]:
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in kinds and " " in token.string.strip():
            yield token.start[0], re.sub(r"(?m)^\s*(?:>>>|\.\.\.) .*$|\{[^{}]*\}", "", token.string)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_are_plain_english(path):
    assert not mistakes(re.sub(r"```.*?```", lambda block: "\n" * block[0].count("\n"), path.read_text(), flags=re.S))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_plain_english_and_begin_with_an_installation(path):
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]
    assert not mistakes("\n\n".join(text for kind, text in cells if kind == "markdown"))
    assert next(text for kind, text in cells if kind == "code").startswith("%pip install -q ")


def test_docstrings_comments_help_and_messages_are_plain_english():
    assert len(SOURCES) > 200
    found = {str(path.relative_to(ROOT)): mistakes(prose(path.read_text())) for path in SOURCES}
    assert not {path: wrong for path, wrong in found.items() if wrong}


def test_the_check_finds_words_in_every_kind_of_prose():
    source = 'x = 1  # is told\n\n\ndef f(told):\n    """The state of late."""\n    raise ValueError(f"it is none of {told}")\n'
    assert mistakes(prose(source)) == [
        "line 1: 'told' (reports, lists, says, recognized)",
        "line 5: 'of late' (recent)",
        "line 6: 'is none' (there is no, is not)",
    ]
    assert not mistakes(prose('told = "told"\n"""Show, Attend and Tell.\n\ntell: called with a sentence\n"""\n'))
