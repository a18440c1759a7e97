"""One value and its type: checked, parsed, and described in words."""

import math
import types
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin

from seqnets.errors import UserError
from seqnets.settings.ranges import NOT_NEGATIVE, Range

_ARTICLES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list"}
WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def whole(name: str, value: Any, allowed: Range = NOT_NEGATIVE) -> int:
    """Return a whole number as a plain `int`.

    Raises:
        UserError: it is not a whole number, or is out of range.

    Example:
        >>> from seqnets.settings import POSITIVE
        >>> whole("samples", 2.5, POSITIVE)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: samples must be a whole number, not 2.5
    """
    number = checked(value, int, name)
    allowed.check(name, number)
    return number


def choice(name: str, value: Any, options: Iterable[Any]) -> Any:
    """Return a value that is one of the options.

    Raises:
        UserError: it is not.

    Example:
        >>> choice("merge", "add", ("concatenate", "sum"))
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: merge must be 'concatenate' or 'sum', not 'add'
    """
    options = tuple(options)
    if value not in options:
        raise UserError(f"{name} must be {_either(options)}, not {shown(value)}")
    return value


def parsed(text: str, hint: Any) -> Any:
    """Parse one value typed on a command line.

    Args:
        text: the typed text; lists are comma-separated.
        hint: the type of the value.

    Raises:
        UserError: the text does not have that type.

    Example:
        >>> parsed("1e-3", float), parsed("none", int | None), parsed("true", bool), parsed("1,2", tuple[int, ...])
        (0.001, None, True, (1, 2))
    """
    options = _options(hint)
    if type(None) in options and text.lower() == "none":
        return None
    if get_origin(hint) is tuple:
        return _converted([parsed(part, get_args(hint)[0]) for part in text.split(",")] if text else [], hint)
    for option in options:
        value = _typed(text, option)
        if value is not None:
            return _converted(value, hint)
    raise UserError(f"must be {described(hint)}, not {text!r}")


def described(hint: Any) -> str:
    """Return the description of a type in words.

    Example:
        >>> described(Literal["chars", "bytes"]), described(int | None)
        ("'chars' or 'bytes'", 'a whole number or none')
    """
    if get_origin(hint) is Literal:
        return _either(get_args(hint))
    if len(options := _options(hint)) > 1:
        return " or ".join("none" if option is type(None) else described(option) for option in options)
    if get_origin(hint) is tuple:
        return f"a list, each {described(get_args(hint)[0])}"
    return _ARTICLES.get(hint, getattr(hint, "__name__", str(hint)))


def checked(value: Any, hint: Any, name: str) -> Any:
    """Return a value as its type has it; a whole number may stand for a number, a list for a tuple, "none" for None.

    Raises:
        UserError: it has another type; the message names the setting.

    Example:
        >>> checked(3, float, "train.clip_norm")
        3.0
    """
    try:
        return _converted(value, hint)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{name} must be {described(hint)}, not {shown(_plain_number(value))}") from None


def _converted(value: Any, hint: Any) -> Any:
    options, value = _options(hint), _plain_number(value)
    if type(None) in options and value in (None, "none"):
        return None
    for option in options:
        if get_origin(option) is tuple and isinstance(value, list | tuple):
            return tuple(_converted(element, get_args(option)[0]) for element in value)
        if get_origin(option) is Literal and any(value == right and type(value) is type(right) for right in get_args(option)):
            return value
        if option is float and type(value) is int:
            return float(value)
        if type(value) is option:
            return value
    raise UserError(f"must be {described(hint)}, not {shown(value)}")


def shown(value: Any) -> str:
    """Return a value for an error, in at most 80 characters.

    Example:
        >>> len(shown("a" * 1000))
        80
    """
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _either(options: Iterable[Any]) -> str:
    *rest, last = map(repr, options)
    return f"{', '.join(rest)} or {last}" if rest else last


def _plain_number(value: Any) -> Any:
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value  # NumPy's or JAX's


def _typed(text: str, option: Any) -> Any:
    if option is bool:
        return WORDS.get(text.lower())
    if get_origin(option) is Literal:
        return next((right for right in get_args(option) if str(right) == text), None)
    try:
        value = option(text)
    except (TypeError, ValueError):
        return None
    return None if isinstance(value, float) and math.isnan(value) else value


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
