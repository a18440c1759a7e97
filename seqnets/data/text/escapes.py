"""Backslash escapes for characters that are hard to type on a command line."""

import re

from seqnets.errors import UserError

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
KNOWN = r"\n \t \r \0 \\ \xNN \uNNNN"


def unescaped(text: str, name: str) -> str:
    r"""Return a text with its escapes resolved.

    Args:
        text: the text as typed.
        name: what to call it in an error.

    Raises:
        UserError: a backslash is followed by another character.

    Example:
        >>> unescaped(r"a\x62\u0063", "--stop")
        'abc'
        >>> unescaped(r"a\q", "--stop")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: --stop has an unknown escape '\q'; known are \n \t \r \0 \\ \xNN \uNNNN
    """

    def one(match: re.Match[str]) -> str:
        code = match[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise UserError(rf"{name} has an unknown escape '\{code}'; known are {KNOWN}")
        return _ESCAPES[code]

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.|\Z)", one, text, flags=re.DOTALL)
