r"""What a reader of a text has to remember at each character: inside quotes, in a comment, how deep the brackets are.

`scan` marks every character of a prose, Python, C or LaTeX text. It is a small lexer for one pass: it needs no valid program,
since a held-out part of a text begins and ends anywhere.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqnets import settings

Language = Literal["prose", "python", "c", "latex"]


@dataclass(frozen=True)
class Syntax:
    r"""The marks of a language that begin and end what a reader has to remember.

    Attributes:
        line_comment: begins a comment that the line ends; "" for none.
        block_comment: begin and end of a comment; two empty strings for none.
        strings: delimiters of strings, longer ones first; a string of one delimiter ends with its line, longer ones do not.
        condition: a pattern that begins a condition.
        condition_end: the character that ends it outside of brackets; ")" for the bracket that it opened itself.
        math: delimiters of formulas, longer ones first.
        environments: whether `\begin{...}` and `\end{...}` nest.
    """

    line_comment: str = ""
    block_comment: tuple[str, str] = ("", "")
    strings: tuple[str, ...] = ()
    condition: str = ""
    condition_end: str = ""
    math: tuple[str, ...] = ()
    environments: bool = False


SYNTAX: dict[str, Syntax] = {
    "prose": Syntax(strings=('"',)),
    "python": Syntax("#", strings=('"""', "'''", '"', "'"), condition=r"\b(?:if|elif)\b", condition_end=":"),
    "c": Syntax("//", ("/*", "*/"), strings=('"', "'"), condition=r"\bif\s*\(", condition_end=")"),
    "latex": Syntax("%", math=("$$", "$"), environments=True),
}
_OPEN, _CLOSE = "([{", ")]}"
_QUOTES = {'"': '"', "“": "”", "„": "“”", "«": "»"}  # what begins a quotation, and what may end it


def scan(text: str, language: Language) -> dict[str, np.ndarray]:
    r"""Mark every character of a text with what a reader has to remember there.

    A mark holds from the first character that shows it to the last, delimiters included; depths count a bracket from its
    opening character on and leave it at its closing one. Brackets in comments and strings do not count.

    Args:
        text: any text.
        language: what it is written in.

    Returns:
        Arrays `(N,)` by name, booleans or int32.

    Raises:
        UserError: the language is unknown.

    Example:
        >>> marks = scan('x = "a(b" # c\n', "python")
        >>> "".join(".s"[int(inside)] for inside in marks["string"])
        '....sssss.....'
        >>> marks["comment"].sum(), marks["round brackets"].sum()
        (np.int64(3), np.int64(0))
    """
    settings.choice("language", language, SYNTAX)
    found = _of_lines(text) | _of_words(text)
    if language == "prose":
        return found | {"quotes": _quotes(text)}
    return (
        found | _Scanner(text, SYNTAX[language]).marks() | ({"indentation": _indentation(text)} if language == "python" else {})
    )


def guess_language(text: str) -> Language:
    r"""Guess what a text is written in.

    Example:
        >>> guess_language("def f(x):\n    return x\n" * 5), guess_language("It was a dark night.\n")
        ('python', 'prose')
    """
    lines = max(1, text.count("\n"))
    signs = {
        "latex": len(re.findall(r"\\(?:begin|end|label|ref|section)\b", text)) + text.count("$"),
        "c": len(re.findall(r"[;{}]\s*$", text, re.M)),
        "python": len(re.findall(r"^\s*(?:def|class|import|from|if|elif|for|while|try|with|return)\b.*$", text, re.M))
        + len(re.findall(r"\bself\b", text)),
    }
    likeliest = max(signs, key=lambda name: signs[name])
    return likeliest if signs[likeliest] > lines / 5 else "prose"  # pyright: ignore[reportReturnType]


class _Scanner:
    """One pass over a program, character by character."""

    def __init__(self, text: str, syntax: Syntax) -> None:
        self._text, self._syntax = text, syntax
        kinds = {"comment": bool, "string": bool, "if condition": bool, "math": bool, "command": bool}
        depths = ("round brackets", "square brackets", "braces", "environments")
        self._found = {name: np.zeros(len(text), kind) for name, kind in kinds.items()}
        self._found |= {name: np.zeros(len(text), np.int32) for name in depths}
        self._depth = dict.fromkeys(depths, 0)
        self._condition: int | None = None  # the depth of round brackets at which it ends
        self._math = ""
        self._special = re.compile(r"[^\w ,.;=+*<>&|!-]" + (f"|{syntax.condition}" if syntax.condition else ""))

    def marks(self) -> dict[str, np.ndarray]:
        at = 0
        while at < len(self._text):
            at = self._others(at)
            if at < len(self._text):
                at = self._comment(at) or self._string(at) or self._plain(at)
        return {name: marks for name, marks in self._found.items() if self._has(name)}

    def _has(self, name: str) -> bool:
        syntax = self._syntax
        needs = {"string": syntax.strings, "if condition": syntax.condition, "math": syntax.math}
        return bool(needs.get(name, True)) and (syntax.environments or name not in ("environments", "command"))

    def _span(self, name: str, start: int, stop: int) -> int:
        stop = min(stop, len(self._text))
        self._found[name][start:stop] = True
        self._keep(start, stop)
        return stop

    def _keep(self, start: int, stop: int) -> None:
        for name, depth in self._depth.items():
            self._found[name][start:stop] = depth
        self._found["if condition"][start:stop] = self._condition is not None
        self._found["math"][start:stop] |= bool(self._math)

    def _others(self, at: int) -> int:
        """Pass over the characters that change nothing."""
        found = self._special.search(self._text, at)
        stop = found.start() if found else len(self._text)
        self._keep(at, stop)
        return stop

    def _comment(self, at: int) -> int:
        text, (begin, end) = self._text, self._syntax.block_comment
        if begin and text.startswith(begin, at):
            stop = text.find(end, at + len(begin))
            return self._span("comment", at, len(text) if stop < 0 else stop + len(end))
        if self._syntax.line_comment and text.startswith(self._syntax.line_comment, at):
            stop = text.find("\n", at)
            return self._span("comment", at, len(text) if stop < 0 else stop)
        return 0

    def _string(self, at: int) -> int:
        for mark in self._syntax.strings:
            if self._text.startswith(mark, at):
                return self._span("string", at, self._end_of_string(mark, at + len(mark)))
        return 0

    def _end_of_string(self, mark: str, at: int) -> int:
        text = self._text
        while at < len(text):
            if text[at] == "\\":
                at += 2
            elif text.startswith(mark, at):
                return at + len(mark)
            elif text[at] == "\n" and len(mark) == 1:
                return at  # unfinished: an apostrophe, or a line cut
            else:
                at += 1
        return at

    def _plain(self, at: int) -> int:
        text, character = self._text, self._text[at]
        if self._syntax.environments and character == "\\":
            return self._latex_command(at)
        for mark in self._syntax.math:
            if text.startswith(mark, at) and (not self._math or self._math == mark):
                return self._formula(mark, at)
        starts = self._condition is None and self._syntax.condition and re.compile(self._syntax.condition).match(text, at)
        if starts and not (at and (text[at - 1].isalnum() or text[at - 1] == "_")):
            self._condition = self._depth["round brackets"]
        closes = self._bracket(character)
        stop = at + 1
        if self._condition is not None and self._ends_condition(character, closes):
            self._keep(at, stop)
            self._condition = None
        else:
            self._keep(at, stop)
        return stop

    def _bracket(self, character: str) -> bool:
        for name, begin, end in zip(("round brackets", "square brackets", "braces"), _OPEN, _CLOSE):
            if character == begin:
                self._depth[name] += 1
            elif character == end:
                self._depth[name] = max(0, self._depth[name] - 1)
        return character == ")"

    def _ends_condition(self, character: str, closes: bool) -> bool:
        back = self._depth["round brackets"] <= (self._condition or 0)
        if self._syntax.condition_end == ")":
            return closes and back
        return back and character in (self._syntax.condition_end, "\n") and not self._depth["square brackets"]

    def _formula(self, mark: str, at: int) -> int:
        self._math = "" if self._math == mark else mark
        self._keep(at, at + len(mark))
        self._found["math"][at : at + len(mark)] = True
        return at + len(mark)

    def _latex_command(self, at: int) -> int:
        found = re.compile(r"\\(?:[A-Za-z]+\*?|.|$)", re.S).match(self._text, at)
        stop = found.end() if found else at + 1
        name = self._text[at + 1 : stop]
        self._depth["environments"] += name == "begin"
        if name == "end":
            self._depth["environments"] = max(0, self._depth["environments"] - 1)
        self._keep(at, stop)
        self._found["command"][at:stop] = name[:1].isalpha()
        return stop


def _of_lines(text: str) -> dict[str, np.ndarray]:
    breaks = np.array([character == "\n" for character in text], bool)
    return {"position in the line": _since(np.concatenate([[False], breaks[:-1]]) if len(text) else breaks)}


def _of_words(text: str) -> dict[str, np.ndarray]:
    inside_url = np.zeros(len(text), bool)
    for found in re.finditer(r"(?:https?://|www\.)[^\s>\"')\]}]*", text):
        inside_url[found.start() : found.end()] = True
    spaces = np.array([character.isspace() for character in text], bool)
    return {
        "characters since a space": _since(spaces),
        "capital": np.array([character.isupper() for character in text], bool),
        "digit": np.array([character.isdigit() for character in text], bool),
        "web address": inside_url,
    }


def _since(marked: np.ndarray) -> np.ndarray:
    """Count the characters since the last marked one, or since the beginning."""
    places = np.arange(len(marked), dtype=np.int32)
    return places - np.maximum.accumulate(np.where(marked, places, 0)) if len(marked) else places


def _quotes(text: str) -> np.ndarray:
    """Mark what stands in double quotes of any shape; an empty line ends a quotation that was left open."""
    found, ends = np.zeros(len(text), bool), ""
    for at, character in enumerate(text):
        if text.startswith("\n\n", at):
            ends = ""
        closes = bool(ends) and character in ends
        found[at] = bool(ends) or character in _QUOTES
        ends = "" if closes else ends or _QUOTES.get(character, "")
    return found


def _indentation(text: str) -> np.ndarray:
    """Return the spaces that begin each character's line; within them, those read so far."""
    found = np.zeros(len(text), np.int32)
    begin = 0
    for line in text.splitlines(keepends=True):
        depth = len(line) - len(line.lstrip(" "))
        found[begin : begin + len(line)] = np.minimum(np.arange(1, len(line) + 1), depth)
        begin += len(line)
    return found
