"""Frozen dataclasses as settings: checked, read from and written to TOML, and overridden one by one."""

import dataclasses
import math
import os
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import tomli_w

from seqnets.decoders import read_text, read_toml
from seqnets.errors import UserError
from seqnets.suggestion import nearest

Record = TypeVar("Record")

_ARTICLES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", tuple: "a list"}
WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Range(NamedTuple):
    """The allowed range of a number; it stands at the setting: `layers: Annotated[int, POSITIVE] = 1`.

    Example:
        >>> Range(above=0, most=1).check("top_p", 1.5)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: top_p must be above 0 and at most 1, not 1.5
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __str__(self) -> str:
        words = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        return " and ".join(f"{word} {_in_words(bound)}" for word, bound in words.items() if bound is not None)

    def check(self, name: str, value: float) -> None:
        """Refuse a number outside the range.

        Raises:
            UserError: the number is outside; the message names the setting.
        """
        inside = (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )
        if not inside:
            raise UserError(f"{name} must be {self}, not {value!r}")


NOT_NEGATIVE, POSITIVE, ABOVE_ZERO = Range(least=0), Range(least=1), Range(above=0)
RATE, SHARE = Range(least=0, below=1), Range(least=0, most=1)
SHARE_ABOVE_ZERO = Range(above=0, most=1)
SEED = Range(least=0, below=1 << 32)  # JAX and NumPy would silently use another seed beyond this
WIDTH = Range(least=1, most=1 << 16)  # a larger layer has tens of gigabytes of weights
LAYERS = Range(least=1, most=1000)


def settle(record: Any, section: str = "") -> None:
    """Check all settings of a frozen dataclass and convert NumPy numbers to plain ones; for its `__post_init__`.

    Args:
        record: each field must have its annotated type and be in the `Range` of its annotation; numbers must be finite, and
            None is in every range.
        section: prefix of the names in errors.

    Raises:
        UserError: a setting has the wrong type or is out of range; the message names it.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Model:
        ...     layers: Annotated[int, POSITIVE] = 1
        ...     def __post_init__(self):
        ...         settle(self, "model")
        >>> Model(0)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: model.layers must be at least 1, not 0
    """
    prefix, ranges = f"{section}." if section else "", _ranges(type(record))
    for field, hint in _hints(type(record)).items():
        value = _checked(getattr(record, field), hint, prefix + field)
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{prefix}{field} must be a finite number, not {value!r}")
        object.__setattr__(record, field, value)
        if field in ranges and value is not None:
            ranges[field].check(prefix + field, value)


def whole(name: str, value: Any, allowed: Range = NOT_NEGATIVE) -> int:
    """Return a whole number as a plain `int`.

    Raises:
        UserError: it is not a whole number, or is out of range.

    Example:
        >>> whole("samples", 2.5, POSITIVE)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: samples must be a whole number, not 2.5
    """
    number = _checked(value, int, name)
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
        raise UserError(f"{name} must be {_either(options)}, not {_shown(value)}")
    return value


def names(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield every setting of a dataclass with its type; those of a section are named section.name.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Model:
        ...     layers: int = 1
        >>> @dataclass(frozen=True)
        ... class Run:
        ...     seed: int = 0
        ...     model: Model = Model()
        >>> list(names(Run))
        [('seed', <class 'int'>), ('model.layers', <class 'int'>)]
    """
    for name, hint in _hints(kind).items():
        if dataclasses.is_dataclass(hint):
            yield from ((f"{name}.{inner}", kind) for inner, kind in names(hint))  # pyright: ignore[reportArgumentType]
        else:
            yield name, hint


def replaced(record: Record, values: Mapping[str, Any], where: str = "the settings") -> Record:
    """Return a copy with some settings changed.

    Args:
        record: a frozen dataclass whose sections are frozen dataclasses.
        values: new values by name; a mapping for a section changes some of the section.
        where: the source of the values, for errors.

    Returns:
        The copy, of the same type.

    Raises:
        UserError: a name is unknown (the message suggests the nearest one) or a value has the wrong type.

    Example:
        >>> from seqnets.data import TextConfig
        >>> replaced(TextConfig(), {"window": 64}).window
        64
        >>> replaced(TextConfig(), {"windw": 64}, "a.toml")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: a.toml: unknown key 'windw'; did you mean 'window'?
    """
    return _replaced(record, values, where, section="")


def loads(text: str, default: Record, where: str = "the settings") -> Record:
    """Read settings from TOML; missing settings stay as in `default`.

    Raises:
        UserError: it is not TOML, a key is unknown or a value has the wrong type; the message names it.

    Example:
        >>> from seqnets.data import TextConfig
        >>> loads('vocabulary = "bytes"', TextConfig()).vocabulary
        'bytes'
    """
    return replaced(default, read_toml(text, where), where)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the content of a TOML file, for `replaced`.

    Raises:
        UserError: the file cannot be read or is not TOML.

    Example:
        >>> read("no/such.toml")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read the configuration 'no/such.toml': No such file or directory; check the path
    """
    return renewed(read_toml(read_text(path, "the configuration"), str(path)))


_RENEWED_NAMES = {"side_heads": "auxiliary_heads"}  # old name: new name, of settings
_RENEWED_VALUES = {"task": {"labeller": "tagger"}, "kind": {"Labeller": "Tagger"}}  # old name


def renewed(found: Any) -> Any:
    """Return the settings that a run folder states with the names that this version has for them.

    Example:
        >>> renewed({"model": {"side_heads": True}})  # old name
        {'model': {'auxiliary_heads': True}}
    """
    if not isinstance(found, dict):
        return found
    values = {
        name: _RENEWED_VALUES.get(name, {}).get(value, value) if isinstance(value, str) else renewed(value)
        for name, value in found.items()
    }
    return {_RENEWED_NAMES.get(name, name): value for name, value in values.items()}


def dumps(record: Any) -> str:
    """Write every setting as TOML, from which `loads` makes an equal record.

    Example:
        >>> from seqnets.data import TextConfig
        >>> loads(dumps(TextConfig(window=32)), TextConfig()) == TextConfig(window=32)
        True
    """
    return tomli_w.dumps(as_mapping(record), multiline_strings=False)


def as_mapping(record: Any) -> dict[str, Any]:
    """Return the settings as TOML and JSON values: None becomes "none", a tuple a list, a section a mapping.

    Example:
        >>> from seqnets.data import TextConfig
        >>> as_mapping(TextConfig())["window"]
        128
    """
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


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


def _either(options: Iterable[Any]) -> str:
    *rest, last = map(repr, options)
    return f"{', '.join(rest)} or {last}" if rest else last


@cache
def _ranges(kind: type) -> dict[str, Range]:
    hints = get_type_hints(kind, include_extras=True)
    marks = {name: hint.__metadata__ for name, hint in hints.items() if get_origin(hint) is Annotated}
    return {name: mark for name, found in marks.items() for mark in found if isinstance(mark, Range)}


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType]


def _replaced(record: Any, values: Mapping[str, Any], where: str, section: str) -> Any:
    hints = _hints(type(record))
    inside = f" in [{section}]" if section else ""
    for key in values:
        if key not in hints:
            raise UserError(f"{where}: unknown key '{key}'{inside}{_elsewhere(key, record, section) or nearest(key, hints)}")
    changes = {}
    for key, value in values.items():
        name = f"{section}.{key}".lstrip(".")
        if dataclasses.is_dataclass(hints[key]):
            changes[key] = _replaced(getattr(record, key), _section(value, where, name), where, name)
        else:
            changes[key] = _checked(value, hints[key], f"{where}: {name}")
    try:
        return dataclasses.replace(record, **changes)
    except UserError as error:  # a value out of range, reported by the section itself
        raise UserError(f"{where}: {error}") from None


def _elsewhere(key: str, record: Any, section: str) -> str:
    homes = [name for name, _ in names(type(record)) if name.endswith(f".{key}")] if not section else []
    return f"; it belongs in the section [{homes[0].rpartition('.')[0]}]" if homes else ""


def _section(value: Any, where: str, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where}: {name} is a section, not the value {_shown(value)}; write it as [{name}] with keys below")
    return value


def _checked(value: Any, hint: Any, name: str) -> Any:
    try:
        return _converted(value, hint)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{name} must be {described(hint)}, not {_shown(_plain_number(value))}") from None


def _in_words(bound: float) -> str:
    return "2^32" if bound == 1 << 32 else f"{bound:,}"


def _plain_number(value: Any) -> Any:
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value  # NumPy's or JAX's


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
    raise UserError(f"must be {described(hint)}, not {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


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


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return as_mapping(value)
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    return "none" if value is None else value
