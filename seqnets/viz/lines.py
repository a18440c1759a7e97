"""Curves as pictures and as a row of characters."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seqnets.errors import UserError

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """Return a curve as one row of characters, from the lowest value to the highest; a space where a value is not finite.

    Example:
        >>> sparkline([1, 2, 3, float("nan"), 8])
        '▁▂▃ █'
    """
    finite = [value for value in values if math.isfinite(value)]
    low, span = min(finite, default=0.0), (max(finite, default=0.0) - min(finite, default=0.0)) or 1.0
    last = len(_BARS) - 1
    return "".join(_BARS[round((value - low) / span * last)] if math.isfinite(value) else " " for value in values)


def line_figure(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x: str,
    y: str,
    logarithmic: bool = False,
    marks: Mapping[str, float] | None = None,
    faint: Sequence[str] = (),
) -> Any:
    """Return a matplotlib figure of some curves.

    Args:
        curves: points `(x, y)` by the curve's name; a curve without points is left out of the picture.
        x: the name of the horizontal axis.
        y: the name of the vertical axis.
        logarithmic: whether the horizontal axis is.
        marks: places on the horizontal axis to mark, by name.
        faint: curves that stay in the background.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("--figure needs matplotlib: pip install 'seqnets[viz]'") from None
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y, xscale="log" if logarithmic else "linear")
    for name, points in curves.items():
        finite = [point for point in points if all(map(math.isfinite, point))]
        if finite:
            alone = "o" if len(finite) == 1 else None
            axes.plot(*zip(*finite), label=name, alpha=0.35 if name in faint else 1.0, marker=alone, linewidth=1.5)
    for number, (name, place) in enumerate((marks or {}).items()):
        axes.axvline(place, color=f"C{number + len(curves)}", linestyle="--", label=f"{name}: {place:.3g}")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize="small")
    return figure
