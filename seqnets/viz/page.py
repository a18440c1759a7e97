"""A page that shows what a model looked at: images and captions in one HTML file that loads nothing else."""

import base64
import io
import math
import unicodedata
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from seqnets.errors import UserError

_WIDTH_AT_MOST, _WIDTH_AT_LEAST, _QUALITY = 720, 320, 85


class Shown(NamedTuple):
    """An image and its captions, the best first.

    Attributes:
        name: the name on the page.
        image: uint8 `(H, W, 3)`, as the model saw it.
        captions: of `seqnets.decode.Caption`, or anything with `text`, `words`, `log_prob`, and `maps` or `attention` None.
    """

    name: str
    image: np.ndarray
    captions: Sequence[Any]


def attention_page(images: Sequence[Shown], *, title: str = "What the model looked at") -> str:
    """Return an HTML page with embedded images, where every word shows where the model looked.

    Args:
        images: the images to show.
        title: title of the page.

    Raises:
        UserError: there are no images, or an image has another shape or type.

    Example:
        >>> from types import SimpleNamespace
        >>> dog = SimpleNamespace(text="a dog", words=("a", "dog"), log_prob=-1.0, maps=np.full((2, 1, 2), 0.5), attention=1)
        >>> page = attention_page([Shown("dog.jpg", np.zeros((4, 4, 3), np.uint8), [dog])])
        >>> page.count("<button"), "http:" in page
        (2, False)
    """
    if not images:
        raise UserError("there are no images to show on a page; give at least one")
    template = Template(files("seqnets.viz").joinpath("attention_page.html").read_text("utf-8"))
    return template.substitute(title=escape(title), articles="\n".join(map(_article, images)))


def _article(shown: Shown) -> str:
    source, name = _data_url(shown.image), escape(shown.name)
    first = shown.captions[0]
    rows, columns = first.maps.shape[1:] if first.attention is not None and len(first.words) else (1, 1)
    return (
        f'<article data-rows="{rows}" data-columns="{columns}">\n<div>'
        f'<figure class="view"><img src="{source}" alt="{escape(first.text)}"><canvas aria-hidden="true"></canvas></figure>'
        f'<p class="name">{name}</p></div>\n<div>{"".join(map(_caption, shown.captions))}</div>\n</article>'
    )


def _caption(caption: Any) -> str:
    looks = caption.attention is not None and len(caption.words)
    words = "".join(f"<li>{_button(word, weights)}</li>" for word, weights in zip(caption.words, caption.maps)) if looks else ""
    way = _direction(caption.text)
    listed = f'<ul class="words" aria-label="words" dir="{way}">{words}</ul>' if words else ""
    probability = f"log-probability {caption.log_prob:.2f}"
    heading = f'<h2 dir="{way}">{escape(caption.text)}</h2><p>{probability}</p>'
    return f'<section class="caption">{heading}{listed}</section>'


def _direction(text: str) -> str:
    # the direction of the first letter that has one, as with HTML's `auto`, which ignores parts of a list
    directions = (unicodedata.bidirectional(letter) for letter in text)
    return next(("rtl" if way in ("R", "AL") else "ltr" for way in directions if way in ("L", "R", "AL")), "ltr")


def _button(word: str, weights: np.ndarray) -> str:
    scaled = np.asarray(weights, np.float64) / max(float(np.max(weights)), 1e-12)
    encoded = base64.b64encode(np.round(255 * np.clip(scaled, 0, 1)).astype(np.uint8).tobytes()).decode()
    label = f"{word}: looked {_place(np.asarray(weights))}"
    return (
        f'<button type="button" aria-pressed="false" aria-label="{escape(label)}" data-word="{escape(word)}" '
        f'data-map="{encoded}"><canvas aria-hidden="true"></canvas>{escape(word)}</button>'
    )


def _place(weights: np.ndarray) -> str:
    """Describe where most of the attention is, for screen readers."""
    total = float(weights.sum())
    if total <= 0 or weights.max() < 1.5 * total / weights.size:
        return "everywhere"
    rows, columns = (np.arange(size) + 0.5 for size in weights.shape)
    row, column = float(weights.sum(1) @ rows) / total, float(weights.sum(0) @ columns) / total
    vertical = ("top", "middle", "bottom")[min(2, int(3 * row / weights.shape[0]))]
    horizontal = ("left", "center", "right")[min(2, int(3 * column / weights.shape[1]))]
    return "at the center" if (vertical, horizontal) == ("middle", "center") else f"at the {vertical} {horizontal}"


def _data_url(image: np.ndarray) -> str:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise UserError(f"image must be uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")
    picture, kind = Image.fromarray(image), "JPEG"
    if picture.width > _WIDTH_AT_MOST:
        picture = picture.resize((_WIDTH_AT_MOST, max(1, round(picture.height * _WIDTH_AT_MOST / picture.width))))
    if picture.width < _WIDTH_AT_LEAST:  # small drawings would look bad as JPEG
        factor, kind = math.ceil(_WIDTH_AT_LEAST / picture.width), "PNG" if picture.width <= 128 else "JPEG"
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, kind, quality=_QUALITY)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
