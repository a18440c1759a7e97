"""Findings about models that give classes: what they take for what, and their worst mistakes."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from seqnets.cli.findings import Finding

_PAIRS, _WORST, _LOOKED_AT = 10, 10, 1_000


class Judged(NamedTuple):
    """What a run said of its material, what to call each example, and which ones are parts of one text."""

    judgments: Any
    name_of: Callable[[int], str]
    text_of: Callable[[int], int]


class Mistakes(NamedTuple):
    """The worst mistakes, each with the name of its example."""

    judgments: Any
    worst: list[tuple[str, Any]]


def prepared(run: Any, material: Any) -> Judged:
    """Return what the run says of the material."""
    from seqnets.web.panels import task_of
    from seqnets.web.panels.classes import JUDGES

    module = import_module(f"seqnets.tasks.{JUDGES[task_of(run)]}")
    name_of = partial(module.name_of, run.model, material)
    text_of = partial(module.row_of, material) if hasattr(module, "row_of") else int
    return Judged(module.judged(run.model, material), name_of, text_of)


def _mistakes(found: Judged) -> Mistakes:
    worst: dict[int, Any] = {}
    for one in found.judgments.worst(_LOOKED_AT):
        if len(worst) < _WORST:
            worst.setdefault(found.text_of(one.example), one)
    return Mistakes(found.judgments, [(found.name_of(one.example), one) for one in worst.values()])


def _confusion_lines(found: Any) -> list[str]:
    pairs = found.confused(_PAIRS)
    width = max((len(pair.truth) for pair in pairs), default=0)
    head = f"{found.accuracy:.4f} of {found.counts.sum():,} are right"
    return [head, *(f"{pair.truth:{width}} is taken for {pair.guess} {pair.count:,} times" for pair in pairs)]


def _mistake_lines(found: Mistakes) -> list[str]:
    return [
        f"{one.guess} {one.probability:.3f}, but it is {one.truth} {one.of_truth:.3f}: {name}" for name, one in found.worst
    ] or ["there are none"]


FINDINGS = {
    "confusion": Finding(lambda found: found.judgments, _confusion_lines, lambda found: found.to_json()),
    "mistakes": Finding(_mistakes, _mistake_lines, lambda found: [{"name": name, **one._asdict()} for name, one in found.worst]),
}
