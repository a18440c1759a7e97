"""Captions in notebooks."""

import re

import numpy as np

from seqnets.decode import Caption

HOSTILE = "</script><img src=x onerror=alert(1)>\ud800"


def test_a_caption_shows_itself_with_a_picture_for_every_word():
    image = np.full((300, 400, 3), 200, np.uint8)
    maps = np.full((2, 4), 0.25, np.float32)
    html = Caption(f"a {HOSTILE}", np.arange(2), -1.5, maps, ("a", HOSTILE), grid=(2, 2), image=image)._repr_html_()
    assert html.count("<img") == html.count('src="data:image/') == 3
    assert html.count("&lt;/script&gt;") == 2
    assert not re.search(r"<script|onerror=alert\(1\)>", html.replace("onerror=alert(1)&gt;", ""))
    html.encode("utf-8")
    assert "<img" not in Caption("a", np.arange(1), -1.5)._repr_html_()
