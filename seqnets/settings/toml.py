"""Reads settings from TOML and writes them as TOML."""

import os
from typing import Any

import tomli_w

from seqnets.decoders import read_text, read_toml
from seqnets.settings.records import Record, as_mapping, replaced


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
