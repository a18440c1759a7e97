"""What a classifier takes for what: the same panel for every task that gives classes."""

from importlib import import_module
from typing import Any

import numpy as np

from seqnets.inspect import Judgments
from seqnets.run import Run
from seqnets.web.panels import task_of
from seqnets.web.panels.subject import Subject

SHOWN, LISTED = 24, 200  # classes in the matrix, and in the table
JUDGES = {
    "tagger": "tagger.held_out",
    "text-classifier": "text_classifier.held_out",
    "tree-classifier": "tree_classifier.held_out",
    "classifier": "classifier.held_out",
    "vqa": "vqa.held_out",
}
"""The module below seqnets.tasks whose function `judged(model, material)` returns the `Judgments` of a task's material."""

WHAT = {
    "tagger": "steps",
    "text-classifier": "texts",
    "tree-classifier": "phrases",
    "classifier": "pictures",
    "vqa": "questions",
}


def judge_of(run: Run) -> Any:
    """Return the module that says what a run says of its material."""
    return import_module(f"seqnets.tasks.{JUDGES[task_of(run)]}")


def confusion(subject: Subject) -> dict[str, Any] | None:
    """Return how often each class was taken for each; of many classes, those with the most mistakes."""
    if subject.material is None or not subject.judgments.counts.sum():
        return None
    what = WHAT.get(task_of(subject.run), "examples")
    return {**confusion_of(subject.judgments), "what": what, "source": subject.source}


def confusion_of(found: Judgments) -> dict[str, Any]:
    """Return the data of the matrix, whose rows and columns are at most 24 classes."""
    counts = found.counts
    wrong = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    shown = np.sort(np.argsort(-wrong, kind="stable")[:SHOWN])
    return {
        "labels": [found.labels[label] for label in shown],
        "classes": len(found.labels),
        "counts": counts[np.ix_(shown, shown)].tolist(),
        "totals": counts.sum(1)[shown].tolist(),
        "examples": int(counts.sum()),
        "accuracy": found.accuracy,
        "figures": [list(one) for one in found.per_class()[:LISTED]],
        "confused": [list(pair) for pair in found.confused(12)],
    }
