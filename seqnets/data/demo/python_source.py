"""The class of every character of Python source: the embedded default data of text classification and labeling."""

import io
import keyword
import tokenize
from collections.abc import Iterator

from seqnets.data.demo.library_text import standard_library
from seqnets.errors import UserError

SPACE, CODE, COMMENT, DOCUMENTATION = "space", "code", "comment", "documentation"
CHARACTER_CLASSES = ("comment", "documentation", "keyword", "name", "number", "operator", "space", "string")

_PLAIN = {tokenize.COMMENT: COMMENT, tokenize.NUMBER: "number", tokenize.OP: "operator", tokenize.STRING: "string"}
_BETWEEN = (tokenize.NL, tokenize.COMMENT)
_STARTS = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


def character_classes(source: str) -> list[str]:
    """Label every character of a program.

    Args:
        source: the source of a whole module.

    Returns:
        One of `CHARACTER_CLASSES` for each character. A string that begins a statement is documentation.

    Raises:
        tokenize.TokenError, SyntaxError: it is not Python.

    Example:
        >>> list(dict.fromkeys(character_classes("x = 1  # one")))
        ['name', 'space', 'operator', 'number', 'comment']
    """
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    classes, before = [SPACE] * len(source), tokenize.ENCODING
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
        classes[begin:end] = [_class_of(token, before)] * (min(end, len(source)) - begin)
        before = before if token.type in _BETWEEN else token.type
    return classes


def library_lines(per_class: int) -> tuple[list[str], list[str]]:
    """Return lines of Python's standard library with their labels: code, comment or documentation.

    Indentation, number signs and quotation marks at the edges are removed, so that only the words give the label away.

    Args:
        per_class: the most lines of each kind, taken evenly from all modules.

    Returns:
        The lines and their labels.

    Example:
        >>> lines, labels = library_lines(5)
        >>> len(lines), sorted(set(labels))
        (15, ['code', 'comment', 'documentation'])
    """
    kinds: dict[str, dict[str, None]] = {CODE: {}, COMMENT: {}, DOCUMENTATION: {}}
    for source, classes in _modules():
        for line, kind in _lines(source, classes):
            kinds[kind].setdefault(line)  # each line once
    chosen = [(line, kind) for kind, lines in kinds.items() for line in _evenly(list(lines), per_class)]
    return [line for line, _ in chosen], [kind for _, kind in chosen]


def library_chunks(length: int, count: int) -> tuple[list[str], list[list[str]]]:
    """Return pieces of Python's standard library, whole lines, with the class of every character.

    Args:
        length: the most characters in a piece.
        count: the most pieces, taken evenly from all modules.

    Returns:
        The pieces, and for each a list of `CHARACTER_CLASSES`.

    Example:
        >>> pieces, classes = library_chunks(80, 4)
        >>> [len(piece) == len(kinds) <= 80 for piece, kinds in zip(pieces, classes)]
        [True, True, True, True]
    """
    found = [piece for source, classes in _modules() for piece in _pieces(source, classes, length)]
    chosen = _evenly(found, count)
    return [text for text, _ in chosen], [kinds for _, kinds in chosen]


def _modules() -> Iterator[tuple[str, list[str]]]:
    read = 0
    for path in standard_library():
        source = path.read_text("ascii")
        try:
            yield source, character_classes(source)
            read += 1
        except (tokenize.TokenError, SyntaxError):  # some files are broken on purpose
            continue
    if not read:
        raise UserError("no module of Python's standard library could be read, which is the default data; give a FILE")


def _class_of(token: tokenize.TokenInfo, before: int) -> str:
    if token.type == tokenize.NAME:
        return "keyword" if keyword.iskeyword(token.string) else "name"
    if token.type == tokenize.STRING and before in _STARTS:
        return DOCUMENTATION
    if tokenize.tok_name[token.type].startswith("FSTRING"):
        return "string"
    return _PLAIN.get(token.type, SPACE)


def _lines(source: str, classes: list[str]) -> Iterator[tuple[str, str]]:
    place = 0
    for line in source.splitlines(keepends=True):
        first = place + len(line) - len(line.lstrip())
        place += len(line)
        words = line.strip().strip("#\"' \t")
        if sum(map(str.isalpha, words)) >= 3 and classes[first] != "string":
            yield words, classes[first] if classes[first] in (COMMENT, DOCUMENTATION) else CODE


def _pieces(source: str, classes: list[str], length: int) -> Iterator[tuple[str, list[str]]]:
    ends = []
    for line in source.splitlines(keepends=True):
        ends.append((ends[-1] if ends else 0) + len(line))
    begin, last = 0, 0
    for end in [*ends, len(source) + length + 1]:
        if end - begin > length:
            if begin < last <= begin + length:
                yield source[begin:last], classes[begin:last]
            begin = last
        last = end


def _evenly(items: list, count: int) -> list:
    if len(items) <= count:
        return items
    return [items[index * len(items) // count] for index in range(count)]
