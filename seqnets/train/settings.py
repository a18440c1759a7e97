"""Settings as TOML, for runs that were not begun by the command line."""

import json
from collections.abc import Mapping
from typing import Any


def toml(sections: Mapping[str, Any]) -> str:
    """Return nested mappings of plain values as TOML; None is left out.

    Example:
        >>> print(toml({"task": "text", "train": {"steps": 10, "clip_norm": 5.0, "schedule": "cosine"}}))
        task = "text"
        <BLANKLINE>
        [train]
        steps = 10
        clip_norm = 5.0
        schedule = "cosine"
        <BLANKLINE>
    """
    return "\n".join(_table("", sections)) + "\n"


def _table(name: str, entries: Mapping[str, Any]) -> list[str]:
    plain = [f"{key} = {_value(value)}" for key, value in entries.items() if not isinstance(value, Mapping | None)]
    tables = {key: value for key, value in entries.items() if isinstance(value, Mapping)}
    lines = ["", f"[{name}]", *plain] if name else plain
    return lines + [line for key, value in tables.items() for line in _table(f"{name}.{key}".lstrip("."), value)]


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)
