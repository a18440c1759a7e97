"""Findings about models that give classes: what they take for what, and their worst mistakes."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from seqnets.cli.findings import Finding

_PAIRS, _WORST, _LOOKED_AT, _CLASSES = 10, 10, 1_000, 20  # classes: those with the least F1


class Judged(NamedTuple):
    """What a run said of its material, what to call each example, which ones are parts of one text, and their pictures."""

    judgments: Any
    name_of: Callable[[int], str]
    text_of: Callable[[int], int]
    picture_of: Callable[[int], Any] | None


class Mistakes(NamedTuple):
    """The worst mistakes, each with the name of its example, and their pictures if they are about pictures."""

    judgments: Any
    worst: list[tuple[str, Any]]
    pictures: list[Any]


def prepared(run: Any, material: Any) -> Judged:
    """Return what the run says of the material."""
    from seqnets.web.panels.classes import judge_of

    module = judge_of(run)
    name_of = partial(module.name_of, run.model, material)
    text_of = partial(module.row_of, material) if hasattr(module, "row_of") else int
    picture_of = partial(module.picture_of, run.model, material) if hasattr(module, "picture_of") else None
    return Judged(module.judged(run.model, material), name_of, text_of, picture_of)


def _mistakes(found: Judged) -> Mistakes:
    worst: dict[int, Any] = {}
    for one in found.judgments.worst(_LOOKED_AT):
        if len(worst) < _WORST:
            worst.setdefault(found.text_of(one.example), one)
    pictures = [found.picture_of(one.example) for one in worst.values()] if found.picture_of else []
    return Mistakes(found.judgments, [(found.name_of(one.example), one) for one in worst.values()], pictures)


def _confusion_lines(found: Any) -> list[str]:
    pairs = found.confused(_PAIRS)
    width = max((len(pair.truth) for pair in pairs), default=0)
    head = f"{found.accuracy:.4f} of {found.counts.sum():,} are right"
    figures = found.per_class()[:_CLASSES]
    return [
        head,
        *_figure_lines(figures),
        *(f"{pair.truth:{width}} is taken for {pair.guess} {pair.count:,} times" for pair in pairs),
    ]


def _figure_lines(figures: list[Any]) -> list[str]:
    width = max((len(one.label) for one in figures), default=0)
    rows = [(one.label, one.f1, _shown(one.precision), _shown(one.recall), one.examples) for one in figures]
    return [
        f"{label:{width}}  F1 {f1:.3f}, precision {precise}, recall {recall} of {n:,}" for label, f1, precise, recall, n in rows
    ]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _shown(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def _mistake_lines(found: Mistakes) -> list[str]:
    return [
        f"{one.guess} {one.probability:.3f}, but it is {one.truth} {one.of_truth:.3f}: {name}" for name, one in found.worst
    ] or ["there are none"]


FINDINGS = {
    "confusion": Finding(lambda found: found.judgments, _confusion_lines, lambda found: found.to_json()),
    "mistakes": Finding(_mistakes, _mistake_lines, lambda found: [{"name": name, **one._asdict()} for name, one in found.worst]),
}
