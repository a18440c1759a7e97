"""Pictures with what was found in them: class maps, boxes, joints (extra [viz])."""

import colorsys
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from seqnets.viz.text import Tell, fitted, font_families, new_figure, plain, warn

_INCHES, _DPI, _LEAST_PIXELS = 4.0, 110, 256
_INK, _PAPER, _LINE = "#1a1a1a", "#ffffff", "#ff8c1a"
_LEGEND = 20
_LIGHTNESS = (0.51, 0.33, 0.7)
_GRAY = np.array([0.299, 0.587, 0.114], np.float32)
_LIMBS = (
    *(("ankle", "knee"), ("knee", "hip"), ("wrist", "elbow"), ("elbow", "shoulder"), ("hip", "shoulder")),
    *(("eye", "ear"),),
)
_ACROSS = ("hip", "shoulder")


def class_colors(count: int) -> np.ndarray:
    """Return a color for each class, uint8 `(count, 3)`: the first is dark gray, the others differ as much as they can.

    Example:
        >>> class_colors(3).tolist()
        [[70, 70, 70], [218, 43, 43], [43, 94, 218]]
    """
    # steps of the golden angle come near to a hue after five; by then the lightness is another
    places = range(count - 1)
    shades = [colorsys.hls_to_rgb(place * 0.618034 % 1, _LIGHTNESS[place // 5 % 3], 0.7) for place in places]
    return np.array([(70, 70, 70), *(tuple(round(255 * part) for part in shade) for shade in shades)], np.uint8)[:count]


def painted(image: np.ndarray, classes: np.ndarray, colors: np.ndarray, *, strength: float = 0.6) -> np.ndarray:
    """Return a picture in gray with the colors of its classes over it.

    Args:
        image: uint8 `(H, W, 3)`.
        classes: `(H, W)` of class numbers; 255 stays unpainted.
        colors: uint8 `(C, 3)`.
        strength: of the colors, in [0, 1].

    Returns:
        uint8 `(H, W, 3)`.

    Example:
        >>> painted(np.zeros((1, 2, 3), np.uint8), np.array([[1, 255]]), class_colors(2), strength=1.0)[0].tolist()
        [[218, 43, 43], [0, 0, 0]]
    """
    known = classes < len(colors)
    paint = colors[np.where(known, classes, 0)].astype(np.float32)
    gray = np.repeat((image.astype(np.float32) @ _GRAY)[..., None], 3, -1)
    return np.round(np.where(known[..., None], (1 - strength) * gray + strength * paint, gray)).astype(np.uint8)


def segments_figure(image: np.ndarray, classes: np.ndarray, labels: Sequence[str], *, tell: Tell = warn) -> Any:
    """Draw a picture, the same with its classes in color, and the names of those that cover most of it.

    Args:
        image: uint8 `(H, W, 3)`.
        classes: `(H, W)` of class numbers.
        labels: the names of the classes.
        tell: called with a sentence where no installed font has some of the characters.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> figure = segments_figure(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8), ["road", "car"])
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['road 100%']
    """
    figure, panels = _panels(image, 2, legend=True)
    colors = class_colors(len(labels))
    panels[0].imshow(_large(image))
    panels[1].imshow(_large(painted(image, classes, colors), smooth=False))
    counts = np.bincount(classes[classes < len(labels)].ravel(), minlength=len(labels))
    shown = [place for place in np.argsort(-counts, kind="stable") if counts[place]][:_LEGEND]
    names = [plain(f"{fitted(labels[int(place)], 24, 9)[0]} {counts[place] / classes.size:.0%}") for place in shown]
    from matplotlib.patches import Patch

    patches = [Patch(color=tuple((colors[place] / 255).tolist())) for place in shown]
    fonts = font_families("".join(names), tell)
    figure.legend(patches, names, loc="outside lower center", ncols=4, frameon=False, prop={"size": 9, "family": fonts})
    return figure


def place_figure(
    image: np.ndarray,
    label: str,
    score: float,
    box: Sequence[float] | None,
    joints: Mapping[str, Sequence[float]],
    *,
    tell: Tell = warn,
) -> Any:
    """Draw a picture with a box and its class, or with joints and the limbs between them.

    Args:
        image: uint8 `(H, W, 3)`.
        label: the class of the box.
        score: its probability.
        box: left, top, right, bottom in pixels; None for joints.
        joints: x and y in pixels, by name.
        tell: called with a sentence where no installed font has some of the characters.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> figure = place_figure(np.zeros((8, 8, 3), np.uint8), "cat", 0.9, (1, 1, 5, 5), {})
        >>> figure.axes[0].get_title()
        'cat 90%'
    """
    figure, (panel,) = _panels(image, 1)
    large = _large(image)
    scale = large.shape[1] / image.shape[1]
    panel.imshow(large)
    if box is not None:
        from matplotlib.patches import Rectangle

        left, top, right, bottom = (scale * side - 0.5 for side in box)
        panel.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=_LINE, linewidth=2.5))
        name, size = fitted(label, 40, 12)
        panel.set_title(plain(f"{name} {score:.0%}"), fontsize=size, color=_INK, fontfamily=font_families(label, tell))
    _draw_joints(panel, joints, scale)
    panel.set_xlim(-0.5, large.shape[1] - 0.5)
    panel.set_ylim(large.shape[0] - 0.5, -0.5)
    return figure


def boxes_figure(
    image: np.ndarray,
    things: Sequence[tuple[str, Sequence[float]]],
    *,
    masks: Sequence[np.ndarray | None] = (),
    joints: Sequence[Mapping[str, Sequence[float]] | None] = (),
    tell: Tell = warn,
) -> Any:
    """Draw a picture with boxes and their names, each class in a color of its own.

    Args:
        image: uint8 `(H, W, 3)`.
        things: name, and left, top, right, bottom in pixels.
        masks: bool `(H, W)` of each thing, or None.
        joints: x and y in pixels of the joints of each thing by name, or None.
        tell: called with a sentence where no installed font has some of the characters.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> figure = boxes_figure(np.zeros((8, 8, 3), np.uint8), [("cat 90%", (1, 1, 5, 5))])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['cat 90%']
    """
    from matplotlib.patches import Rectangle

    figure, (panel,) = _panels(image, 1)
    large = _large(image)
    scale = large.shape[1] / image.shape[1]
    kinds = sorted({name.rpartition(" ")[0] for name, _ in things})
    colors = class_colors(len(kinds) + 1)[1:] / 255
    for (name, _), mask in reversed(list(zip(things, masks))):
        if mask is not None:
            large = _tinted(large, mask, 255 * colors[kinds.index(name.rpartition(" ")[0])])
    panel.imshow(large)
    fonts = font_families("".join(name for name, _ in things), tell)
    for name, box in reversed(things):
        left, top, right, bottom = (scale * side - 0.5 for side in box)
        color = tuple(colors[kinds.index(name.rpartition(" ")[0])].tolist())
        panel.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=2))
        shown, size = fitted(name, 24, 8)
        background = {"facecolor": color, "edgecolor": "none", "pad": 1.5}
        panel.text(left, max(top, 4), plain(shown), fontsize=size, color=_PAPER, va="bottom", fontfamily=fonts, bbox=background)
    for own in joints:
        _draw_joints(panel, own or {}, scale)
    panel.set_xlim(-0.5, large.shape[1] - 0.5)
    panel.set_ylim(large.shape[0] - 0.5, -0.5)
    return figure


def _tinted(image: np.ndarray, mask: np.ndarray, color: np.ndarray, strength: float = 0.5) -> np.ndarray:
    over = np.asarray(Image.fromarray(mask).resize(image.shape[1::-1], Image.Resampling.NEAREST))
    return np.where(over[..., None], (1 - strength) * image + strength * color, image).astype(np.uint8)


def _draw_joints(panel: Any, joints: Mapping[str, Sequence[float]], scale: float) -> None:
    at = {name: (scale * x - 0.5, scale * y - 0.5) for name, (x, y) in joints.items()}
    for one, other in limbs(tuple(at)):
        panel.plot(*zip(at[one], at[other]), color=_LINE, linewidth=2, solid_capstyle="round")
    if at:
        panel.plot(*zip(*at.values()), "o", color="#ffffff", markeredgecolor=_INK, markersize=4, linestyle="none")


def limbs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs of joints between which a line is drawn.

    Example:
        >>> limbs(("left hip", "right hip", "left knee", "neck", "head top"))
        [('left knee', 'left hip'), ('left hip', 'right hip'), ('neck', 'head top')]
    """
    by_plain = {name.replace("_", " ").lower(): name for name in names}
    pairs = [(f"{side} {one}", f"{side} {other}") for one, other in _LIMBS for side in ("left", "right")]
    pairs += [(f"left {part}", f"right {part}") for part in _ACROSS] + [("neck", "head top")]
    return [(by_plain[one], by_plain[other]) for one, other in pairs if one in by_plain and other in by_plain]


def _panels(image: np.ndarray, count: int, *, legend: bool = False) -> tuple[Any, list[Any]]:
    ratio = min(max(image.shape[0] / image.shape[1], 0.3), 3.0)
    width = _INCHES / math.sqrt(max(ratio, 1))
    size = (count * width + 0.2, width * ratio + 0.3 + (0.7 if legend else 0))
    figure = new_figure(size, dpi=_DPI, facecolor=_PAPER, layout="constrained")
    panels = list(figure.subplots(1, count, squeeze=False).ravel())
    for panel in panels:
        panel.set_axis_off()
    return figure, panels


def _large(image: np.ndarray, *, smooth: bool = True) -> np.ndarray:
    factor = math.ceil(_LEAST_PIXELS / max(image.shape[:2]))
    if factor < 2:
        return image
    kind = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(image).resize((image.shape[1] * factor, image.shape[0] * factor), kind))
