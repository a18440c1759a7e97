"""How a caption shows itself in a notebook: the picture and, for every word, where the model looked; without JavaScript."""

import math
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from seqnets.viz.spotlight import spotlight
from seqnets.viz.thumbnails import data_url

SIDE, WORD_SIDE, MOST_WORDS = 320, 96, 40  # pixels of the picture and of each word's, and words with one


def caption_html(caption: Any) -> str:
    """Return a caption as HTML for a notebook: nothing in it is loaded from anywhere, and every text is escaped.

    Args:
        caption: of `seqnets.decode.Caption`, or anything with `text`, `words`, `log_prob`, `image`, and `maps` or `attention`
            None.

    Example:
        >>> from types import SimpleNamespace
        >>> blind = SimpleNamespace(text="a <dog>", words=("a", "<dog>"), log_prob=-1.0, image=None, attention=None)
        >>> print(caption_html(blind))
        <div><p><strong dir="auto">a &lt;dog&gt;</strong> (probability 37%)</p></div>
    """
    chance = math.exp(caption.log_prob)
    share = f"{chance:.0%}" if chance >= 0.1 else f"{chance:.1e}"
    head = f'<p><strong dir="auto">{_plain(caption.text)}</strong> (probability {share})</p>'
    if caption.image is None:
        return f"<div>{head}</div>"
    picture = f'<img src="{data_url(caption.image, side=SIDE)}" alt="" style="max-width:{SIDE}px;min-width:{SIDE // 2}px">'
    return f"<div>{picture}{head}{'' if caption.attention is None else _words(caption)}</div>"


def _words(caption: Any) -> str:
    small = Image.fromarray(caption.image)
    small.thumbnail((WORD_SIDE, WORD_SIDE))
    image = np.asarray(small)
    return "".join(_word(word, spotlight(image, weights)) for word, weights in zip(caption.words[:MOST_WORDS], caption.maps))


def _word(word: str, lit: np.ndarray) -> str:
    style = "display:inline-block;margin:2px;text-align:center;vertical-align:top"
    picture = f'<img src="{data_url(lit)}" alt="" style="display:block;width:{WORD_SIDE}px">'
    return f'<span style="{style}">{picture}<span dir="auto">{_plain(word)}</span></span>'


def _plain(text: str) -> str:
    return escape(text.encode("utf-8", "replace").decode())
