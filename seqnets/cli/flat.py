"""Options for the fields of one dataclass, without a section: --top-k for `top_k`."""

from collections.abc import Collection
from typing import Any, Literal, get_args, get_origin, get_type_hints

from seqnets import settings
from seqnets.cli.options import documented
from seqnets.cli.parser import Parser

_METAVARS = {int: "N", float: "X", str: "TEXT", bool: "true|false"}


def add_fields(parser: Parser, record: Any, *, title: str, prefix: str = "", without: Collection[str] = ()) -> None:
    """Add an option for every field of a dataclass instance, its values being the defaults.

    Example:
        >>> from seqnets.decode import SamplingConfig
        >>> parser = Parser("seqnets sample", "write text")
        >>> add_fields(parser, SamplingConfig(), title="drawing")
        >>> given_fields(parser.read(["--top-k", "3"]), SamplingConfig)
        {'top_k': 3}
    """
    group, defaults = parser.add_argument_group(title), settings.as_mapping(record)
    for name, hint in get_type_hints(type(record)).items():
        if name not in without:
            words = f"{' '.join(documented(type(record))[name].split())} [{defaults[name]}]".replace("%", "%%")
            parser.add_setting(f"{prefix}{name}", hint, words, metavar=_metavar(hint), container=group)


def given_fields(found: Any, kind: type, *, prefix: str = "") -> dict[str, Any]:
    """Return the fields that were given, by name."""
    return {name: getattr(found, prefix + name) for name in get_type_hints(kind) if hasattr(found, prefix + name)}


def _metavar(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    return next(word for kind, word in _METAVARS.items() if kind in (hint, *get_args(hint)))
