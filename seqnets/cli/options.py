"""Options for every setting of a run: --section.name, with the words that stand below the setting in its dataclass."""

import ast
import dataclasses
import inspect
import itertools
import textwrap
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from seqnets import settings
from seqnets.cli.parser import Parser

_METAVARS = {int: "N", float: "X", str: "TEXT", bool: "true|false"}


def add_settings(parser: Parser, config: Any) -> None:
    """Add an option for every setting of every section of a configuration; `chosen` finds those that were given.

    Example:
        >>> from seqnets.config import TextRunConfig
        >>> parser = Parser("seqnets train", "train a model")
        >>> add_settings(parser, TextRunConfig())
        >>> chosen(parser.read(["--model.cell", "gru", "--train.steps=10"]))
        {'model': {'cell': 'gru'}, 'train': {'steps': 10}}
    """
    for field in dataclasses.fields(config):
        section = getattr(config, field.name)
        if dataclasses.is_dataclass(section):
            summary = documented(type(config)).get(field.name)
            group = parser.add_argument_group(f"[{field.name}]", summary)
            for name, hint in get_type_hints(type(section)).items():
                parser.add_setting(f"{field.name}.{name}", hint, _help(section, name), metavar=_metavar(hint), container=group)


def chosen(found: Any) -> dict[str, dict[str, Any]]:
    """Return the settings that were given, by section and name, for `seqnets.settings.replaced`."""
    sections: dict[str, dict[str, Any]] = {}
    for name, value in vars(found).items():
        section, dot, setting = name.partition(".")
        if dot:
            sections.setdefault(section, {})[setting] = value
    return sections


@cache
def documented(kind: type) -> Mapping[str, str]:
    """Return the text that stands below each field of a dataclass.

    Example:
        >>> from seqnets.config import TextRunConfig
        >>> documented(TextRunConfig)["task"]
        'What is learned.'
    """
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    statements = getattr(body, "body", [])
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(statements)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def _help(section: Any, name: str) -> str:
    words = " ".join(documented(type(section)).get(name, "").split())
    default = settings.as_mapping(section)[name]
    shown = str(default).lower() if isinstance(default, bool) else default
    return f"{words} [{shown}]".replace("%", "%%") if shown != "" else words.replace("%", "%%")


def _metavar(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    return _METAVARS.get(hint, "VALUE")
