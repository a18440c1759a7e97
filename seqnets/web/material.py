"""What the findings of a page come from: data that a run did not learn from, as a table of tasks."""

from importlib import import_module
from typing import Any, NamedTuple

from seqnets.errors import UserError
from seqnets.run import Run
from seqnets.web.panels import task_of


class Source(NamedTuple):
    """Where the material of a task's runs comes from.

    Attributes:
        option: the option of `seqnets show` that names other material.
        read: `module.function` below `seqnets.tasks`: `(run, path or None) -> (material, what to call it)`.
    """

    option: str
    read: str


SOURCES = {
    "text": Source("text", "text.own_text.held_out"),
    "captioner": Source("images", "captioner.held_out.held_out"),
    "tagger": Source("text", "tagger.held_out.held_out"),
    "text-classifier": Source("text", "text_classifier.held_out.held_out"),
    "tree-classifier": Source("text", "tree_classifier.held_out.held_out"),
    "translator": Source("text", "translator.held_out.held_out"),
    "classifier": Source("images", "classifier.held_out.held_out"),
    **{task: Source("images", "held_out_regions.held_out") for task in ("segmenter", "localizer", "detector")},
    "glancer": Source("images", "glancer.held_out.held_out"),
    "vqa": Source("", "vqa.held_out.held_out"),
}
"""The sources by task."""


def held_out(run: Run, given: str | None = None) -> tuple[Any, str]:
    """Return what a run did not learn from, and what to call it.

    Args:
        run: a run.
        given: a path of other material than the run's own.

    Raises:
        UserError: it cannot be read, or the run holds nothing out.

    Example:
        >>> held_out(Run(None, {"task": "another"}, None, None, []))
        (None, '')
    """
    source = SOURCES.get(task_of(run))
    if source is None or run.model is None:
        return None, ""
    module, _, name = source.read.rpartition(".")
    return getattr(import_module(f"seqnets.tasks.{module}"), name)(run, given)


def check_options(run: Run, given: dict[str, str | None]) -> str | None:
    """Return the one option that names material, or None.

    Raises:
        UserError: an option is for runs of other tasks.

    Example:
        >>> check_options(Run(None, {"task": "text"}, None, None, []), {"text": "a.txt"})
        'a.txt'
    """
    own = SOURCES.get(task_of(run))
    for name, value in given.items():
        if value is not None and (own is None or own.option != name):
            tasks = "|".join(task for task, source in SOURCES.items() if source.option == name)
            raise UserError(f"--{name} is for runs of `seqnets train {tasks}`; leave it out")
    return given.get(own.option) if own else None
