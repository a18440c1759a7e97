"""Metrics of classification."""

import numpy as np


def confusion(truth: np.ndarray, guesses: np.ndarray, classes: int) -> np.ndarray:
    """Count how often each class was guessed for each true class.

    Args:
        truth: `(N,)` class numbers.
        guesses: `(N,)` class numbers.
        classes: C.

    Returns:
        int64 `(C, C)`: row the true class, column the guess.

    Example:
        >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    counts = np.bincount(np.asarray(truth, np.int64) * classes + guesses, minlength=classes * classes)
    return counts.reshape(classes, classes)


def accuracy(counts: np.ndarray) -> float:
    """Return the share of right guesses, from a confusion `(C, C)`.

    Example:
        >>> accuracy(np.array([[1, 1], [0, 2]]))
        0.75
    """
    return float(np.trace(counts) / max(1, counts.sum()))


def macro_f1(counts: np.ndarray) -> float:
    """Return the mean over classes of F1 = 2 right / (true + guessed), from a confusion `(C, C)`.

    Classes that neither occur nor are guessed are left out.

    Example:
        >>> round(macro_f1(np.array([[1, 1], [0, 2]])), 4)
        0.7333
    """
    there = counts.sum(0) + counts.sum(1)
    return float(np.mean(2 * np.diag(counts)[there > 0] / there[there > 0])) if there.any() else 0.0
