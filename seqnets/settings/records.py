"""Frozen dataclasses as settings: checked, listed, and replaced one by one."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, get_origin, get_type_hints

from seqnets.errors import UserError
from seqnets.settings.ranges import Range
from seqnets.settings.values import checked, shown
from seqnets.suggestion import nearest

Record = TypeVar("Record")
Mark = TypeVar("Mark")


class Remark(str):
    """A sentence about a setting that help adds to its docstring: `momentum: Annotated[float, RATE, Remark("...")]`."""


def settle(record: Any, section: str = "") -> None:
    """Check all settings of a frozen dataclass and convert NumPy numbers to plain ones; for its `__post_init__`.

    Args:
        record: each field must have its annotated type and be in the `Range` of its annotation; numbers must be finite, and
            None is in every range.
        section: prefix of the names in errors.

    Raises:
        UserError: a setting has the wrong type or is out of range; the message names it.

    Example:
        >>> from seqnets.settings import POSITIVE
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
    prefix, ranges = f"{section}." if section else "", _marks(type(record), Range)
    for field, hint in _hints(type(record)).items():
        value = checked(getattr(record, field), hint, prefix + field)
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{prefix}{field} must be a finite number, not {value!r}")
        object.__setattr__(record, field, value)
        if field in ranges and value is not None:
            ranges[field].check(prefix + field, value)


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


def remarks(kind: type) -> dict[str, Remark]:
    """Return the remarks of a dataclass, by setting.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Model:
        ...     layers: Annotated[int, Remark("More layers are slower.")] = 1
        >>> remarks(Model)
        {'layers': 'More layers are slower.'}
    """
    return _marks(kind, Remark)


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


def as_mapping(record: Any) -> dict[str, Any]:
    """Return the settings as TOML and JSON values: None becomes "none", a tuple a list, a section a mapping.

    Example:
        >>> from seqnets.data import TextConfig
        >>> as_mapping(TextConfig())["window"]
        128
    """
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


@cache
def _marks(kind: type, mark: type[Mark]) -> dict[str, Mark]:
    hints = get_type_hints(kind, include_extras=True)
    found = {name: hint.__metadata__ for name, hint in hints.items() if get_origin(hint) is Annotated}
    return {name: each for name, marks in found.items() for each in marks if isinstance(each, mark)}


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
            changes[key] = checked(value, hints[key], f"{where}: {name}")
    try:
        return dataclasses.replace(record, **changes)
    except UserError as error:  # a value out of range, reported by the section itself
        raise UserError(f"{where}: {error}") from None


def _elsewhere(key: str, record: Any, section: str) -> str:
    homes = [name for name, _ in names(type(record)) if name.endswith(f".{key}")] if not section else []
    return f"; it belongs in the section [{homes[0].rpartition('.')[0]}]" if homes else ""


def _section(value: Any, where: str, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where}: {name} is a section, not the value {shown(value)}; write it as [{name}] with keys below")
    return value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return as_mapping(value)
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    return "none" if value is None else value
