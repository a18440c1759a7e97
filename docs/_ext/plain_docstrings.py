"""From our docstrings to reST: plain text, in which only code in backticks and formulas in dollars are special."""

import re

_FORMULA = re.compile(r"^( *)\$\$(.+?)\$\$", re.DOTALL | re.MULTILINE)
_REFERENCES = re.compile(r"^( *)References:\n((?:\1 +\S.*\n?)+)", re.MULTILINE)
_PIECES = re.compile(r"(``?[^`]+``?|\$(?=\S)[^$\n]+?(?<=\S)\$)")
_STARS_OF_ARGUMENTS = re.compile(r"^(\s*\*{1,2}\w)")
_SPECIAL = re.compile(r"([\\|*]|_\b(?!\w)|(?<=[A-Z])\.$)")  # the last is a list's "F." to reST, and a size to us


def to_rest(text: str) -> str:
    r"""Return a docstring as reST.

    Example:
        >>> print(to_rest(r"The norm |x| of `x`, $\sqrt{x}$."))
        The norm \|x\| of `x`, :math:`\sqrt{x}`.
    """
    text = _REFERENCES.sub(lambda found: f"{found[1]}References:\n{_listed(found[2])}", text)
    blocks, end = [], 0
    for found in _FORMULA.finditer(text):
        blocks += [_lines(text[end : found.start()]), _displayed(found[2], found[1])]
        end = found.end()
    return "".join([*blocks, _lines(text[end:])])


def _listed(text: str) -> str:
    """Make a list item of each work; the next one begins after a line that ends with a period or a parenthesis."""
    begins, lines = True, []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        lines.append(f"{indent}{'- ' if begins else '  '}{line.lstrip()}")
        begins = line.rstrip().endswith((".", ")"))
    return "\n".join(lines) + "\n"


def _displayed(formula: str, indent: str) -> str:
    lines = [f"{indent}   {line.strip()}" for line in formula.strip().splitlines()]
    return "\n".join([f"{indent}.. math::", "", *lines, ""])


def _lines(text: str) -> str:
    return "\n".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    if line.lstrip().startswith((">>>", "... ")):
        return line
    pieces = _PIECES.split(line)
    texts = [_special(piece) if at % 2 else _escaped(piece, at == 0) for at, piece in enumerate(pieces)]
    return "".join(f"\\ {text}" if at and not at % 2 and text[:1].isalnum() else text for at, text in enumerate(texts))


def _special(piece: str) -> str:
    return f":math:`{piece[1:-1]}`" if piece[0] == "$" else piece


def _escaped(text: str, begins: bool) -> str:
    stars = _STARS_OF_ARGUMENTS.match(text) if begins else None
    kept = stars[0] if stars else ""
    return kept + _SPECIAL.sub(r"\\\1", text[len(kept) :])
