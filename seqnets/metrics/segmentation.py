"""Metrics of class maps."""

import numpy as np


def class_overlaps(counts: np.ndarray) -> np.ndarray:
    r"""Return the overlap of each class's pixels, from a confusion.

    $$ \mathrm{IoU}_c = \frac{n_{cc}}{\sum_j n_{cj} + \sum_i n_{ic} - n_{cc}} $$

    Args:
        counts: `(C, C)`: row the true class, column the guess, in pixels that have a label.

    Returns:
        `(C,)` in [0, 1]; NaN for a class that neither occurs nor is guessed.

    Example:
        >>> class_overlaps(np.array([[3, 1], [0, 4]])).tolist()
        [0.75, 0.8]
    """
    right = np.diag(counts).astype(np.float64)
    whole = counts.sum(0) + counts.sum(1) - right
    return np.divide(right, whole, out=np.full(len(right), np.nan), where=whole > 0)


def mean_overlap(counts: np.ndarray) -> float:
    """Return the mean overlap (mean IoU) of the classes that occur or are guessed; 0 without any pixel.

    Args:
        counts: `(C, C)`, as for `class_overlaps`.

    Example:
        >>> mean_overlap(np.array([[3, 1], [0, 4]]))
        0.775
    """
    found = class_overlaps(counts)
    return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0
