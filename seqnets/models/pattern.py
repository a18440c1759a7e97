"""Networks from a line of text: `INPUT -> [[CONV -> RELU]*2 -> POOL]*3 -> [FC -> RELU]*2 -> FC`.

pattern = item { "->" item }
item    = ( name | "[" pattern "]" ) [ "*" count ]
name    = INPUT | CONV | NORM | RELU | POOL | DROPOUT | FC
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from seqnets.errors import UserError

NAMES = ("INPUT", "CONV", "NORM", "RELU", "POOL", "DROPOUT", "FC")
MOST_LAYERS = 10_000
DEEPEST = 50


class Token(NamedTuple):
    """A piece of a pattern and where it begins."""

    text: str
    position: int


def parse_pattern(text: str) -> list[Token]:
    """Read a pattern and write out its repetitions.

    Args:
        text: the pattern.

    Returns:
        One token a layer, INPUT first and FC last.

    Raises:
        UserError: the pattern breaks; the message shows where.

    Example:
        >>> [token.text for token in parse_pattern("INPUT -> [CONV -> RELU]*2 -> FC")]
        ['INPUT', 'CONV', 'RELU', 'CONV', 'RELU', 'FC']
        >>> parse_pattern("INPUT -> [CONV -> ]*2 -> FC")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: layer pattern breaks at character 19: expected a layer or '[', found ']'
        INPUT -> [CONV -> ]*2 -> FC
                          ^
    """
    parser = _Parser(text)
    layers = parser.sequence()
    if parser.next.text:
        parser.refuse(parser.next, f"expected '->' or the end, found {parser.next.text!r}")
    _check_order(parser, layers)
    return layers


class _Parser:
    def __init__(self, text: str):
        self.text = re.sub(r"\s", " ", text)
        self.depth = 0
        self._tokens = self._split()
        self.next = next(self._tokens)

    def sequence(self) -> list[Token]:
        layers = self._item()
        while self.next.text == "->":
            self._take()
            layers = layers + self._item()
        return layers

    def refuse(self, token: Token, complaint: str) -> NoReturn:
        pointer = " " * token.position + "^"
        raise UserError(f"layer pattern breaks at character {token.position + 1}: {complaint}\n{self.text}\n{pointer}")

    def _item(self) -> list[Token]:
        token = self._take()
        if token.text == "[":
            self.depth += 1
            if self.depth > DEEPEST:
                self.refuse(token, f"brackets nest more than {DEEPEST} deep")
            layers = self.sequence()
            if self.next.text != "]":
                self.refuse(self.next, f"expected '->' or ']', found {self.next.text or 'the end'!r}")
            self._take()
            self.depth -= 1
        elif token.text in NAMES:
            layers = [token]
        else:
            self._refuse_name(token)
        return self._repeated(layers)

    def _repeated(self, layers: list[Token]) -> list[Token]:
        if self.next.text != "*":
            return layers
        self._take()
        count = self._take()
        if not count.text.isdigit() or int(count.text[:9]) == 0:
            self.refuse(count, f"expected how often to repeat (1 or more), found {count.text or 'the end'!r}")
        if len(layers) * int(count.text[:9]) > MOST_LAYERS:
            self.refuse(count, f"{len(layers)} layers {count.text} times are more than {MOST_LAYERS}")
        return layers * int(count.text)

    def _refuse_name(self, token: Token) -> NoReturn:
        if not token.text[:1].isalpha():
            self.refuse(token, f"expected a layer or '[', found {token.text or 'the end'!r}")
        close = get_close_matches(token.text.upper(), NAMES, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"give one of {', '.join(NAMES)}"
        self.refuse(token, f"no layer is called {token.text!r}; {hint}")

    def _take(self) -> Token:
        token, self.next = self.next, next(self._tokens, self.next)
        return token

    def _split(self) -> Iterator[Token]:
        for found in re.finditer(r"->|\w+|\S", self.text):
            yield Token(found.group(), found.start())
        yield Token("", len(self.text.rstrip()))


def _check_order(parser: _Parser, layers: list[Token]) -> None:
    if layers[0].text != "INPUT":
        parser.refuse(layers[0], f"a pattern begins with INPUT, not {layers[0].text}")
    dense = False
    for token in layers[1:]:
        dense = dense or token.text == "FC"
        if token.text == "INPUT":
            parser.refuse(token, "INPUT can only be first")
        if dense and token.text in ("CONV", "POOL"):
            parser.refuse(token, f"{token.text} needs an image, but FC has flattened it")
    if layers[-1].text != "FC":
        parser.refuse(layers[-1], f"a pattern ends with FC, which gives the logits, not with {layers[-1].text}")
