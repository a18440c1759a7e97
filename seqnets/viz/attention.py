"""The word-by-word picture of a caption: for each word, what the model looked at (extra [viz])."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from seqnets.errors import UserError
from seqnets.viz.spotlight import smooth_map, spotlight

_PANEL_INCHES, _DPI = 1.7, 110
_LEAST_PIXELS = 256  # small images are enlarged, so that the light moves smoothly over them
_LIGHT, _INK, _PAPER = "#ff8c1a", "#1a1a1a", "#ffffff"


def attention_figure(image: Any, words: Sequence[str], maps: Any, *, title: str = "", columns: int = 6) -> Any:
    """Draw the image, and for every word the image with what the model looked at lit and outlined.

    The outline runs where the attention is half of its largest value; where there is none, the model looked everywhere.

    Args:
        image: uint8 `(H, W, 3)`, as the model saw it.
        words: the words of the caption, T.
        maps: `(T, rows, columns)`, the attention of each.
        title: the whole caption.
        columns: panels in a row.

    Returns:
        A `matplotlib.figure.Figure`; its method `savefig` writes it to a file.

    Raises:
        UserError: words and maps differ in number, the image is not one, or matplotlib is not installed.

    Example:
        >>> figure = attention_figure(np.zeros((8, 8, 3), np.uint8), ["a", "dog"], np.full((2, 2, 2), 0.25), title="a dog")
        >>> [axes.get_title() for axes in figure.axes]
        ['', 'a', 'dog']
    """
    image, maps = _checked(image, words, maps)
    figure_class = _figure_class()
    rows, columns = math.ceil((len(words) + 1) / columns), min(columns, len(words) + 1)
    wrapped = textwrap.fill(title, max(20, 13 * columns))
    height = rows * (_PANEL_INCHES * image.shape[0] / image.shape[1] + 0.3) + 0.3 * (wrapped.count("\n") + 1) + 0.1
    figure = figure_class((max(columns * _PANEL_INCHES, 3.4), height), dpi=_DPI, facecolor=_PAPER, layout="constrained")
    figure.suptitle(_plain(wrapped), fontsize=13, fontweight="bold", color=_INK)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    panels[0].imshow(image)
    for panel, word, weights in zip(panels[1:], words, maps):
        _draw(panel, image, word, weights)
    for panel in panels[len(words) + 1 :]:
        panel.remove()
    return figure


def _draw(panel: Any, image: np.ndarray, word: str, weights: np.ndarray) -> None:
    panel.imshow(spotlight(image, weights))
    light = smooth_map(weights, *image.shape[:2])
    if light.min() < 0.5:
        panel.contour(light, levels=[0.5], colors=[_LIGHT], linewidths=1.6)
    panel.set_title(_plain(word), fontsize=11, color=_INK, pad=3)


def _plain(text: str) -> str:
    return text.replace("$", r"\$")  # or matplotlib reads formulas


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


def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("pictures need matplotlib; install it with: pip install 'seqnets[viz]'") from None
    return Figure
