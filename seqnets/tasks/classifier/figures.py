"""A classifier's figures on a split, in sentences."""

from collections.abc import Mapping

import numpy as np

_CONFUSIONS = 5
_FIGURES = {"top1": "top-1 accuracy", "top5": "top-5 accuracy", "nats": "nats"}


def split_lines(split: str, figures: Mapping[str, float], counts: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Return the figures of a split, and the most frequent confusions."""
    names = [name for name in _FIGURES if name != "top5" or len(classes) > 5]
    shown = ", ".join(f"{_FIGURES[name]} {figures[name]:.4f}" for name in names)
    return [f"{split}: {shown} over {int(counts.sum()):,} images", *confused(counts, classes)]


def confused(counts: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Return the most frequent confusions of classes.

    Args:
        counts: [C, C], row the true class, column the guess.
        classes: their names.

    Example:
        >>> confused(np.array([[9, 1], [0, 5]]), ("cat", "dog"))
        ['most often confused: cat taken for dog (1 of 10)']
        >>> confused(np.eye(2, dtype=int), ("cat", "dog"))
        []
    """
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = [(int(at // len(counts)), int(at % len(counts))) for at in order if wrong.flat[at]]
    found = [f"{classes[i]} taken for {classes[j]} ({wrong[i, j]} of {counts[i].sum()})" for i, j in pairs]
    return [f"most often confused: {', '.join(found)}"] if found else []
