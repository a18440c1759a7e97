"""Says when a model has begun to learn its training examples by heart."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_MARGIN = 0.01  # of the figure: a smaller difference between two passes is chance


def overfitting(lines: Sequence[Mapping[str, Any]], objective: str, *, maximize: bool) -> str | None:
    """Return one sentence if validation became worse while the training loss kept falling, else None.

    Args:
        lines: the lines of metrics.jsonl.
        objective: the validation figure that selects the model.
        maximize: whether the highest figure is best.

    Example:
        >>> lines = [{"step": 1, "loss": 2.0}, {"step": 1, "validation_nats": 2.1}]
        >>> lines += [{"step": 9, "loss": 1.0}, {"step": 9, "validation_nats": 2.5}]
        >>> print(overfitting(lines, "nats", maximize=False))
        validation nats were best at step 1 (2.1000) and are now 2.5000, while the training loss fell from 2.000 to 1.000: the
        model learns its examples by heart, so give it more data or more dropout, or take a smaller one; --train.patience 3 stops
        such a run early
        >>> overfitting(lines[:2], "nats", maximize=False)
    """
    figures = {line["step"]: line[f"validation_{objective}"] for line in lines if _is_number(line.get(f"validation_{objective}"))}
    if len(figures) < 2:
        return None
    last = max(figures)
    best = (max if maximize else min)(figures, key=lambda step: figures[step])
    worse = (figures[best] - figures[last]) * (1 if maximize else -1)
    before, after = _loss(lines, best), _loss(lines, last)
    if best == last or worse <= _MARGIN * abs(figures[best]) or not before > after:
        return None
    name = objective.replace("_", " ")
    was, now = ("were", "are now") if name.endswith("s") else ("was", "is now")
    return (
        f"validation {name} {was} best at step {best:,} ({figures[best]:.4f}) and {now} {figures[last]:.4f}, while the training "
        f"loss fell from {before:.3f} to {after:.3f}: the model learns its examples by heart, so give it more data or more "
        "dropout, or take a smaller one; --train.patience 3 stops such a run early"
    )


def _loss(lines: Sequence[Mapping[str, Any]], step: int) -> float:
    """Return the training loss nearest to a step; not a number if there is none."""
    losses = [(abs(line["step"] - step), line["loss"]) for line in lines if _is_number(line.get("loss"))]
    return min(losses, default=(0, math.nan))[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
