"""Options for every setting of a run: --section.name, with the docstring of the setting in its dataclass as help."""

import ast
import dataclasses
import inspect
import itertools
import textwrap
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from seqnets import settings
from seqnets.cli.parser import Parser

_METAVARS = {int: "N", float: "X", str: "TEXT", bool: "true|false"}


def add_settings(parser: Parser, config: Any) -> None:
    """Add an option for every setting of every section of a configuration; `chosen` finds those that were given.

    Example:
        >>> from seqnets.tasks.text import TextRunConfig
        >>> parser = Parser("seqnets train", "train a model")
        >>> add_settings(parser, TextRunConfig())
        >>> chosen(parser.read(["--model.cell", "gru", "--train.steps=10"]))
        {'model': {'cell': 'gru'}, 'train': {'steps': 10}}
    """
    for field in dataclasses.fields(config):
        section = getattr(config, field.name)
        if dataclasses.is_dataclass(section):
            summary = documented(type(config)).get(field.name)
            add_fields(parser, section, title=f"[{field.name}]", summary=summary, prefix=f"{field.name}.")


def add_fields(
    parser: Parser,
    record: Any,
    *,
    title: str,
    summary: str | None = None,
    prefix: str = "",
    without: Collection[str] = (),
) -> None:
    """Add an option for every field of one dataclass, without a section; `given_fields` finds those that were given.

    Example:
        >>> from seqnets.decode import SamplingConfig
        >>> parser = Parser("seqnets sample", "write text")
        >>> add_fields(parser, SamplingConfig(), title="drawing")
        >>> given_fields(parser.read(["--top-k", "3"]), SamplingConfig)
        {'top_k': 3}
    """
    group = parser.add_argument_group(title, summary)
    for name, hint in get_type_hints(type(record)).items():
        if name not in without:
            parser.add_setting(f"{prefix}{name}", hint, _help(record, name), metavar=_metavar(hint), container=group)


def given_fields(found: Any, kind: type, *, prefix: str = "", without: Collection[str] = ()) -> dict[str, Any]:
    """Return the fields of a dataclass that were given, by name."""
    names = [name for name in get_type_hints(kind) if name not in without]
    return {name: getattr(found, prefix + name) for name in names if hasattr(found, prefix + name)}


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
    """Return the docstring below each field of a dataclass, including inherited ones.

    Example:
        >>> from seqnets.tasks.text import TextRunConfig
        >>> documented(TextRunConfig)["task"]
        'The task.'
    """
    inherited = {name: text for base in reversed(kind.__bases__) if base is not object for name, text in documented(base).items()}
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    statements = getattr(body, "body", [])
    return inherited | {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(statements)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def _help(record: Any, name: str) -> str:
    words = " ".join([*documented(type(record)).get(name, "").split(), *settings.remarks(type(record)).get(name, "").split()])
    default = settings.as_mapping(record)[name]
    shown = str(default).lower() if isinstance(default, bool) else default
    return (f"{words} [{shown}]" if shown not in ("", []) else words).replace("%", "%%")


def _metavar(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    return next((word for kind, word in _METAVARS.items() if kind in (hint, *get_args(hint))), "VALUE")
