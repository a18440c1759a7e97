r"""How much of a text keeps to the form of its language: Python by its own parser, C and LaTeX by their pairs.

Samples of a character model of code almost compile (Karpathy, "The unreasonable effectiveness of recurrent neural networks",
2015). This module says how nearly.
"""

import codeop
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from seqnets import settings
from seqnets.data.text.scanners import scan

WrittenLanguage = Literal["python", "c", "latex"]
_MOST_TRIES = 500  # at lines that may follow a statement, before it counts as one that does not end


@dataclass(frozen=True)
class Fault:
    """The first place that breaks the form: its line, counted from 1, and what is wrong there."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line:,}: {self.reason}"


@dataclass(frozen=True)
class WellFormed:
    """What was counted in a text, and what of it keeps to the form.

    Attributes:
        counts: for each kind of thing, how many are right, and how many there are.
        fault: the first that is wrong; None if all are right.
    """

    counts: Mapping[str, tuple[int, int]]
    fault: Fault | None = None

    def share(self, kind: str) -> float:
        """Return the share of a kind that is right; 1 where the text has none.

        Example:
            >>> WellFormed({"braces": (3, 4)}).share("braces")
            0.75
        """
        right, total = self.counts[kind]
        return right / total if total else 1.0


def well_formed(text: str, language: WrittenLanguage) -> WellFormed:
    r"""Count what keeps to the form of a language.

    Python is cut into its outermost statements, each of which is parsed; nothing is run. In C, brackets outside of comments
    and strings need their partners. In LaTeX, environments, braces and formulas do, and a formula ends before an empty line.
    What is still open where the text ends counts as wrong.

    Args:
        text: any text.
        language: what it is written in.

    Returns:
        Counts of "statements" (Python), of "round brackets", "square brackets" and "braces" (C), or of "environments",
        "braces" and "formulas" (LaTeX).

    Raises:
        UserError: the language is unknown.

    Example:
        >>> well_formed("x = (1,\n     2)\ny = = 3\n", "python")
        WellFormed(counts={'statements': (1, 2)}, fault=Fault(line=3, reason='invalid syntax'))
        >>> str(well_formed("int f(void) { return g(1]; }", "c").fault)
        "line 1: ']' closes nothing"
    """
    settings.choice("language", language, ("python", "c", "latex"))
    if language == "python":
        return _statements(text)
    if language == "c":
        return _pairs(text, tuple(_BRACKETS.values()), _marks_of_c(text))
    return _pairs(text, ("environments", "braces", "formulas"), _marks_of_latex(text))


_CONTINUES = re.compile(r"(?:[ \t#)\]}]|$|(?:else|elif|except|finally)\b)")


def _statements(text: str) -> WellFormed:
    lines = text.split("\n")
    starts = [k for k, line in enumerate(lines) if not _CONTINUES.match(line)] + [len(lines)]
    right = total = at = 0
    fault = None
    while at < len(starts) - 1:
        after, reason = _end_of_statement(lines, starts, at)
        total += 1
        right += not reason
        if reason and fault is None:
            fault = Fault(starts[at] + 1, reason)
        at = after
    return WellFormed({"statements": (right, total)}, fault)


def _end_of_statement(lines: list[str], starts: list[int], at: int) -> tuple[int, str]:
    """Return where the next statement starts, and what is wrong with this one."""
    for after in range(at + 1, min(at + 1 + _MOST_TRIES, len(starts))):
        reason = _reason("\n".join(lines[starts[at] : starts[after]]) + "\n")
        if not reason:
            return after, ""
        if reason != _INCOMPLETE:
            return at + 1, reason
    return at + 1, _INCOMPLETE


_INCOMPLETE = "it does not end"


def _reason(source: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "" if codeop.compile_command(source, symbol="exec") else _INCOMPLETE
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        return getattr(error, "msg", None) or str(error) or "it is nested too deeply"


class _Mark(NamedTuple):
    """A bracket, or what stands for one: what it does ("open", "close", "either" or "break"), its kind and what joins a pair."""

    does: str
    kind: str
    pair: str
    text: str
    place: int


_BRACKETS = {"()": "round brackets", "[]": "square brackets", "{}": "braces"}
_LATEX = re.compile(
    r"\\(?P<does>begin|end)\s*\{(?P<name>[^{}\n]*)\}|(?P<formula>\\[()\[\]]|\$\$?)|\\.|(?P<brace>[{}])|(?P<gap>\n[ \t]*(?=\n))",
    re.S,
)


def _marks_of_c(text: str) -> Iterator[_Mark]:
    marks = scan(text, "c")
    hidden = marks["comment"] | marks["string"]
    for found in re.finditer(r"[()\[\]{}]", text):
        if not hidden[found.start()]:
            pair = next(pair for pair in _BRACKETS if found[0] in pair)
            yield _Mark("open" if pair[0] == found[0] else "close", _BRACKETS[pair], pair, found[0], found.start())


def _marks_of_latex(text: str) -> Iterator[_Mark]:
    hidden = scan(text, "latex")["comment"]
    for found in _LATEX.finditer(text):
        mark, place = found[0], found.start()
        if hidden[place] and not found["gap"]:
            continue
        if found["does"]:
            yield _Mark("open" if found["does"] == "begin" else "close", "environments", found["name"], mark, place)
        elif found["brace"]:
            yield _Mark("open" if mark == "{" else "close", "braces", "{}", mark, place)
        elif found["formula"] and mark[0] == "$":
            yield _Mark("either", "formulas", mark, mark, place)
        elif found["formula"]:
            pair = "round" if mark[1] in "()" else "square"
            yield _Mark("open" if mark[1] in "([" else "close", "formulas", pair, mark, place)
        elif found["gap"]:
            yield _Mark("break", "formulas", "", "an empty line", place)


def _pairs(text: str, kinds: Sequence[str], marks: Iterator[_Mark]) -> WellFormed:
    waiting: list[_Mark] = []
    counts = {kind: [0, 0] for kind in kinds}
    faults: list[tuple[_Mark, str]] = []
    for mark in marks:
        if mark.does == "break":
            faults += [(left, "does not end before an empty line") for left in waiting if left.kind == mark.kind]
            waiting = [left for left in waiting if left.kind != mark.kind]
            continue
        counts[mark.kind][1] += 1
        partner = _partner(waiting, mark) if mark.does != "open" else -1
        if partner >= 0:
            faults += [(left, f"is not closed before {mark.text!r}") for left in waiting[partner + 1 :]]
            del waiting[partner:]
            counts[mark.kind][0] += 2
        elif mark.does == "close":
            faults.append((mark, "closes nothing"))
        else:
            waiting.append(mark)
    faults += [(left, "is open where the text ends") for left in waiting]
    first = next((Fault(text.count("\n", 0, mark.place) + 1, f"{mark.text!r} {reason}") for mark, reason in faults), None)
    return WellFormed({kind: (right, total) for kind, (right, total) in counts.items()}, first)


def _partner(waiting: Sequence[_Mark], mark: _Mark) -> int:
    """Return where the innermost open mark of the same pair is, or -1."""
    return next((k for k in range(len(waiting) - 1, -1, -1) if waiting[k][1:3] == mark[1:3]), -1)
