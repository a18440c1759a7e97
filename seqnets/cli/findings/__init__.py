"""What `seqnets inspect` reports, as a table: which findings the runs of each task have."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """A finding of `seqnets inspect`.

    Attributes:
        find: from what `prepared` of its module returns.
        lines: what to print of it.
        to_json: the same as JSON.
    """

    find: Callable[[Any], Any]
    lines: Callable[[Any], list[str]]
    to_json: Callable[[Any], Any]


MODULES = {
    "text": "text",
    **dict.fromkeys(("tagger", "text-classifier", "tree-classifier", "classifier", "vqa"), "classes"),
    "translator": "translations",
    "captioner": "captions",
}
"""The module below this package by task: its `prepared(run, material)` is computed once, its `FINDINGS` are made from that."""


def of_task(task: str) -> Any:
    """Return the module with the findings of a task.

    Example:
        >>> list(of_task("translator").FINDINGS)
        ['translations']
    """
    return import_module(f"{__name__}.{MODULES[task]}")
