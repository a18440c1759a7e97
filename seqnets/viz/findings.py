"""What was found in a model, as one figure (extra [viz])."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.viz.alignment import draw_alignment
from seqnets.viz.text import Tell, fitted, font_families, new_figure, plain, warn, wrapped

_COLUMNS, _LINES = 76, 12  # of the text that is shaded by surprise
_MOST_BITS = 8.0
_CLASSES = 24  # of a confusion
_LETTERS = 130  # of a line
_ACROSS, _DOWN = 3, 3  # translations
_PICTURES, _PER_ROW, _PER_PICTURE = 15, 5, 26  # of a sheet; letters of a line below each


def findings_figure(findings: Mapping[str, Any], *, title: str = "", tell: Tell = warn) -> Any:
    """Draw what `seqnets.inspect` found, one panel for each finding.

    Args:
        findings: some of "neurons" (`detectors`), "surprise", "memory", "flow" (`gradient_flow`) and "confusion" (`Judgments`),
            by these names; and what `seqnets inspect` finds as "mistakes", "translations" and "captions".
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
    return _HEIGHTS.get(name, lambda value: 3.4)(value)


def _sheet_height(pictures: int) -> float:
    return 2.4 * -(-pictures // _PER_ROW)


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


def _confusion(axes: Any, found: Any, tell: Tell) -> None:
    shown = _most_confused(found.counts)
    counts, labels = found.counts[np.ix_(shown, shown)], [fitted(found.labels[label], 16, 9)[0] for label in shown]
    shares, fonts = counts / np.maximum(1, found.counts.sum(1)[shown])[:, None], font_families("".join(labels), tell)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(counts):
        color = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(len(shown)), list(map(plain, labels)), rotation=45, ha="right", fontfamily=fonts)
    axes.set_yticks(range(len(shown)), list(map(plain, labels)), fontfamily=fonts)
    axes.set_xlabel("what the model said")
    axes.set_ylabel("true class")
    axes.set_title(f"confusion: {found.accuracy:.1%} of {found.counts.sum():,} are right")


def _most_confused(counts: np.ndarray) -> np.ndarray:
    wrong = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    return np.sort(np.argsort(-wrong, kind="stable")[:_CLASSES])


def _mistakes(axes: Any, found: Any, tell: Tell) -> None:
    if found.pictures:
        words = [f"{name}\n{one.guess} {one.probability:.2f}, but it is {one.truth}" for name, one in found.worst]
        _sheet(axes, "the worst mistakes", found.pictures, words, tell)
        return
    lines = [f"{one.guess} {one.probability:.2f}, but it is {one.truth} {one.of_truth:.2f}:  {name}" for name, one in found.worst]
    _written(axes, "the worst mistakes", lines or ["there are none"], tell)


def _captions(axes: Any, found: Any, tell: Tell) -> None:
    best = [next(iter(one.captions.values()))[0] for one in found.shown[:_PICTURES]]
    words = [f"{caption.text} ({np.exp(caption.log_prob):.2g})" for caption in best]
    figures = ", ".join(f"{name} {value:.3f}" for name, value in found.figures.items())
    _sheet(axes, f"captions of {len(found.shown):,} pictures: {figures}", [caption.image for caption in best], words, tell)


def _sheet(axes: Any, title: str, pictures: list[Any], words: list[str], tell: Tell) -> None:
    axes.set_axis_off()
    axes.set_title(title)
    fonts, rows = font_families("".join(words), tell), -(-len(pictures) // _PER_ROW)
    for place, (picture, text) in enumerate(zip(pictures, words)):
        row, column = divmod(place, _PER_ROW)
        inner = axes.inset_axes((column / _PER_ROW, 1 - (row + 0.72) / rows, 0.95 / _PER_ROW, 0.7 / rows))
        inner.imshow(picture)
        inner.set_xticks([])
        inner.set_yticks([])
        lines = "\n".join(wrapped(part, _PER_PICTURE) for part in text.split("\n"))
        inner.set_xlabel(plain("\n".join(lines.split("\n")[:4])), fontsize=7, fontfamily=fonts)


def _written(axes: Any, title: str, lines: list[str], tell: Tell) -> None:
    axes.set_axis_off()
    axes.set_title(title)
    fonts = font_families("".join(lines), tell)
    for place, line in enumerate(lines):
        text = plain(line if len(line) <= _LETTERS else f"{line[: _LETTERS - 1]}…")
        axes.text(0, 1 - (place + 0.5) / len(lines), text, fontsize=8, fontfamily=fonts, va="center", transform=axes.transAxes)


def _translations(axes: Any, found: Any, tell: Tell) -> None:
    right = sum(one.is_right for one in found)
    axes.set_axis_off()
    axes.set_title(f"translations: {right:,} of {len(found):,} are right; first those that are wrong, the surest first")
    shown = sorted(found, key=lambda one: (one.is_right, -one.best.log_prob))[: _ACROSS * _DOWN]
    for place, one in enumerate(shown):
        row, column = divmod(place, _ACROSS)
        inner = axes.inset_axes((column / _ACROSS + 0.03, 1 - (row + 0.95) / _DOWN, 1 / _ACROSS - 0.05, 0.62 / _DOWN))
        fonts = font_families("".join([*one.pieces, *one.best.words]), tell)
        if one.best.attention is not None and one.best.words:
            draw_alignment(inner, one.pieces, one.best, fonts)
            inner.tick_params(labelsize=7)
        else:
            inner.set_axis_off()
        verdict = "right" if one.is_right else f"wanted {one.target}"
        inner.set_xlabel(plain(fitted(verdict, 34, 8)[0]), fontsize=8, fontfamily=font_families(verdict, tell))


_PANELS = {
    "neurons": _neurons,
    "surprise": _surprise,
    "memory": _memory,
    "flow": _flow,
    "confusion": _confusion,
    "mistakes": _mistakes,
    "translations": _translations,
    "captions": _captions,
}
_HEIGHTS = {
    "neurons": lambda value: 1.2 + 0.28 * len(value),
    "confusion": lambda value: 2.2 + 0.3 * min(_CLASSES, len(value.labels)),
    "mistakes": lambda value: 0.6 + _sheet_height(len(value.pictures)) if value.pictures else 0.8 + 0.22 * len(value.worst),
    "captions": lambda value: 0.6 + _sheet_height(min(_PICTURES, len(value.shown))),
    "translations": lambda value: 3.2 * _DOWN,
}
