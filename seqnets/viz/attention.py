"""The word-by-word picture of a caption: for each word, what the model looked at (extra [viz])."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from seqnets.errors import UserError
from seqnets.viz.spotlight import smooth_map, spotlight
from seqnets.viz.text import Tell, fitted, font_families, new_figure, plain, warn, wrapped

_PANEL_INCHES, _PANEL_LETTERS, _DPI = 1.7, 16, 110
_LEAST_PIXELS = 256  # small images are enlarged, so that the highlights have smooth edges
_LIGHT, _INK, _PAPER = "#ff8c1a", "#1a1a1a", "#ffffff"


def attention_figure(image: Any, words: Sequence[str], maps: Any, *, title: str = "", columns: int = 6, tell: Tell = warn) -> Any:
    """Draw the image, and for every word the image with the attended regions lit and outlined.

    The outline encloses attention above half of its largest value; without an outline, the model looked everywhere.

    Args:
        image: uint8 `(H, W, 3)`, as the model saw it.
        words: the words of the caption, T.
        maps: `(T, rows, columns)`, the attention of each word.
        title: the whole caption.
        columns: panels per row.
        tell: called with a sentence where no installed font has some of the characters.

    Returns:
        A `matplotlib.figure.Figure`; its method `savefig` writes it to a file.

    Raises:
        UserError: words and maps differ in number, the image has another shape or type, or matplotlib is not installed.

    Example:
        >>> figure = attention_figure(np.zeros((8, 8, 3), np.uint8), ["a", "dog"], np.full((2, 2, 2), 0.25), title="a dog")
        >>> [axes.get_title() for axes in figure.axes]
        ['', 'a', 'dog']
    """
    image, maps = _checked(image, words, maps)
    rows, columns = math.ceil((len(words) + 1) / columns), min(columns, len(words) + 1)
    lines = wrapped(title, max(20, 13 * columns))
    height = rows * (_PANEL_INCHES * image.shape[0] / image.shape[1] + 0.3) + 0.3 * (lines.count("\n") + 1) + 0.1
    figure = new_figure((max(columns * _PANEL_INCHES, 3.4), height), dpi=_DPI, facecolor=_PAPER, layout="constrained")
    fonts = font_families("".join([title, *words]), tell)
    weight = "normal" if fonts else "bold"  # which fonts of other scripts often lack
    figure.suptitle(plain(lines), fontsize=13, fontweight=weight, color=_INK, fontfamily=fonts)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    panels[0].imshow(image)
    for panel, word, weights in zip(panels[1:], words, maps):
        _draw(panel, image, word, weights, fonts)
    for panel in panels[len(words) + 1 :]:
        panel.remove()
    return figure


def _draw(panel: Any, image: np.ndarray, word: str, weights: np.ndarray, fonts: list[str] | None) -> None:
    panel.imshow(spotlight(image, weights))
    light = smooth_map(weights, *image.shape[:2])
    if light.min() < 0.5:
        panel.contour(light, levels=[0.5], colors=[_LIGHT], linewidths=1.6)
    word, size = fitted(word, _PANEL_LETTERS, 11)
    panel.set_title(plain(word), fontsize=size, color=_INK, pad=3, fontfamily=fonts)


def _checked(image: Any, words: Sequence[str], maps: Any) -> tuple[np.ndarray, np.ndarray]:
    image, maps = np.asarray(image), np.asarray(maps, np.float32)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"image must be uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")
    if maps.ndim != 3 or len(maps) != len(words) or not len(words):
        raise UserError(f"maps must be of shape (T, rows, columns) for T = {len(words)} words, at least one, not {maps.shape}")
    factor = math.ceil(_LEAST_PIXELS / max(image.shape[:2]))
    if factor > 1:
        size = (image.shape[1] * factor, image.shape[0] * factor)
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    return image, maps
