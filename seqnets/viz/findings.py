"""What was found in a character model, as one figure (extra [viz])."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.viz.text import Tell, font_families, new_figure, plain, warn

_COLUMNS, _LINES = 76, 12  # of the text that is shaded by surprise
_MOST_BITS = 8.0


def findings_figure(findings: Mapping[str, Any], *, title: str = "", tell: Tell = warn) -> Any:
    """Draw what `seqnets.inspect` found, one panel for each finding.

    Args:
        findings: some of "neurons" (`detectors`), "surprise", "memory" and "flow" (`gradient_flow`), by these names.
        title: of the figure.
        tell: called with a sentence where no installed font has some of the characters.

    Returns:
        A `matplotlib.figure.Figure`; its method `savefig` writes it to a file.

    Raises:
        UserError: there is nothing to draw, or matplotlib is not installed.

    Example:
        >>> from types import SimpleNamespace
        >>> figure = findings_figure({"memory": SimpleNamespace(by_distance=np.array([1.0, 0.5]), reach=2)})
        >>> figure.axes[0].get_title()
        'memory: nine tenths within 2 characters'
    """
    shown = {name: value for name, value in findings.items() if name in _PANELS}
    if not shown:
        raise UserError(f"there is nothing to draw; give findings by the names {', '.join(_PANELS)}")
    heights = [_height(name, value) for name, value in shown.items()]
    figure = new_figure((9, sum(heights)), dpi=110, layout="constrained")
    rows = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, value) in zip(rows, shown.items()):
        _PANELS[name](axes, value, tell)
    if title:
        figure.suptitle(plain(title), fontfamily=font_families(title, tell))
    return figure


def _height(name: str, value: Any) -> float:
    return 1.2 + 0.28 * len(value) if name == "neurons" else 3.4


def _neurons(axes: Any, found: Any, tell: Tell) -> None:
    places = np.arange(len(found))
    axes.barh(places - 0.2, [one.score for one in found], 0.38, label="this model", color="#0072b2")
    axes.barh(places + 0.2, [one.random for one in found], 0.38, label="random weights", color="#b8b8b0")
    axes.set_yticks(places, [f"{one.mark} (unit {one.index} of layer {one.layer + 1})" for one in found])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_title("neurons: the best unit's area under the ROC curve, or correlation")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")


def _surprise(axes: Any, found: Any, tell: Tell) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, _COLUMNS)
    axes.set_ylim(_LINES, 0)
    axes.set_title(f"surprise: {found.nats / np.log(2):.3f} bits per {found.unit}; darker cost more")
    fonts = font_families("".join(found.texts[: _COLUMNS * _LINES]), tell) or ["monospace"]
    row = column = 0
    for text, bits in zip(found.texts, found.bits):
        if row >= _LINES:
            break
        if text != "\n" and text:
            share = min(1.0, float(np.nan_to_num(bits)) / _MOST_BITS)
            axes.axvspan(
                column, column + 1, 1 - (row + 1) / _LINES, 1 - row / _LINES, color="#d55e00", alpha=0.6 * share, linewidth=0
            )
            axes.text(column + 0.5, row + 0.5, plain(text), ha="center", va="center", fontsize=8, fontfamily=fonts)
        column += 1
        if text == "\n" or column == _COLUMNS:
            row, column = row + 1, 0


def _memory(axes: Any, found: Any, tell: Tell) -> None:
    axes.plot(np.arange(1, len(found.by_distance) + 1), np.maximum(found.by_distance, 1e-12), color="#0072b2")
    axes.set_yscale("log")
    axes.set_xlabel("characters back")
    axes.set_ylabel("mean gradient")
    axes.set_title(f"memory: nine tenths within {found.reach} characters")


def _flow(axes: Any, found: Any, tell: Tell) -> None:
    axes.plot(np.maximum(found.norms, 1e-12), color="#0072b2")
    axes.set_yscale("log")
    axes.set_xlabel("steps back")
    axes.set_ylabel("gradient's norm")
    axes.set_title(f"flow: times {found.growth:.3f} per step")


_PANELS = {"neurons": _neurons, "surprise": _surprise, "memory": _memory, "flow": _flow}
