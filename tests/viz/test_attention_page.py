import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from seqnets.decode import Caption
from seqnets.errors import UserError
from seqnets.viz.page import Shown, attention_page

BROWSER = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))), None
)


def peak(row, column):
    maps = np.zeros((4, 4), np.float32)
    maps[row, column] = 1
    return maps.reshape(-1)


HOSTILE = '</script><img src="http://evil/x.png" onerror="alert(1)">'
MAPS = np.stack([peak(0, 0), peak(3, 3), np.full(16, 1 / 16, np.float32)])
CAPTION = Caption("a dog runs", np.arange(3), -1.5, MAPS, ("a", "dog", "runs"), grid=(4, 4))
SECOND = Caption(HOSTILE, np.arange(1), -2.5, MAPS[:1], (HOSTILE,), grid=(4, 4))
BLIND = Caption("a cat", np.arange(2), -3.5, None, ("a", "cat"))


def photo(width=400, height=300):
    image = np.full((height, width, 3), 200, np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    return image


@pytest.fixture(scope="module")
def page():
    return attention_page(
        [Shown(f"dog{HOSTILE}.jpg", photo(), [CAPTION, SECOND]), Shown("cat.jpg", photo(32, 32), [BLIND])], title="Dogs & cats"
    )


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def of(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def test_every_word_is_a_button_that_says_where_the_model_looked(page):
    buttons = Elements(page).of("button")
    assert [button["data-word"] for button in buttons] == ["a", "dog", "runs", HOSTILE]
    labels = [button["aria-label"] for button in buttons[:3]]
    assert labels == ["a: looked at the top left", "dog: looked at the bottom right", "runs: looked everywhere"]
    for button, expected in zip(buttons, MAPS):
        found = np.frombuffer(base64.b64decode(button["data-map"]), np.uint8)
        np.testing.assert_array_equal(found, np.round(255 * expected / expected.max()))


def test_images_are_inside_and_nothing_is_asked_of_anybody(page):
    elements = Elements(page)
    images = elements.of("img")
    assert len(images) == 2
    kinds = []
    for image in images:
        kind, _, content = image["src"].partition(";base64,")
        picture = Image.open(io.BytesIO(base64.b64decode(content)))
        kinds.append((kind, picture.size))
    assert kinds == [("data:image/jpeg", (400, 300)), ("data:image/png", (320, 320))]
    for _, attributes in elements.found:
        for name, value in attributes.items():
            assert name in ("aria-label", "data-word", "alt", "content") or "http" not in (value or "")
    assert not elements.of("link")
    assert all("src" not in script for script in elements.of("script"))
    policy = next(meta["content"] for meta in elements.of("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", page)


def test_what_captions_and_names_spell_is_text(page):
    assert '<img src="http://evil' not in page
    assert len(Elements(page).of("script")) == 1
    assert Elements(page).of("img")[0].get("onerror") is None


def test_for_light_and_dark_narrow_and_keyboard(page):
    assert "prefers-color-scheme: dark" in page
    assert "max-width: 40rem" in page
    assert ":focus-visible" in page
    for key in ("ArrowRight", "ArrowLeft", "Escape", "Home", "End"):
        assert key in page


@pytest.mark.parametrize(("text", "way"), [
    ("كلب يجري", "rtl"), ("כלב רץ", "rtl"), ("a كلب", "ltr"), ("3 كلاب", "rtl"), ("a dog", "ltr"), ("一只狗", "ltr"),
    ("?", "ltr"),
])  # fmt: skip
def test_words_run_as_their_script_does(text, way):
    words = tuple(text.split())
    caption = Caption(text, np.arange(len(words)), -1.5, MAPS[: len(words)], words, grid=(4, 4))
    elements = Elements(attention_page([Shown("a.jpg", photo(), [caption])]))
    assert [tag["dir"] for name in ("h2", "ul") for tag in elements.of(name) if "dir" in tag] == [way, way]
    assert [button["data-word"] for button in elements.of("button")] == list(words)


def test_refusals():
    with pytest.raises(UserError, match="no images to show"):
        attention_page([])
    with pytest.raises(UserError, match="image must be uint8"):
        attention_page([Shown("x", np.zeros((4, 4)), [CAPTION])])


PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const article = document.querySelector("article"), [first, second, third] = article.querySelectorAll("button");
  const canvas = article.querySelector(".view canvas"), seen = {};
  const alphas = () => [[0.06, 0.06], [0.94, 0.94]].map(([x, y]) =>
    canvas.getContext("2d").getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data[3]);
  const outlined = () => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, found = [];
    for (let i = 0; i < data.length; i += 4) if (data[i] === 255) found.push(i / 4 % canvas.width / canvas.width);
    return [found.length > 0, Math.max(0, ...found)];
  };
  const event = (kind, type) => new PointerEvent(kind, { pointerType: type });
  const key = name => new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true });
  seen.start = [article.dataset.shown ?? null, alphas()];
  first.dispatchEvent(event("pointerenter", "mouse"));
  seen.hover = [article.dataset.shown, alphas()];
  seen.outline = [outlined()];
  first.dispatchEvent(event("pointerleave", "mouse"));
  seen.left = [article.dataset.shown ?? null, alphas()];
  second.click();
  seen.tap = [article.dataset.shown, second.getAttribute("aria-pressed"), alphas()];
  first.dispatchEvent(event("pointerenter", "mouse"));
  first.dispatchEvent(event("pointerleave", "mouse"));
  seen.pinned = [article.dataset.shown];
  second.dispatchEvent(key("ArrowRight"));
  seen.right = [article.dataset.shown, document.activeElement === third, alphas()];
  seen.outline.push(outlined());
  third.dispatchEvent(key("Home"));
  seen.home = [article.dataset.shown];
  first.dispatchEvent(key("Escape"));
  seen.escape = [article.dataset.shown ?? null, alphas()];
  const thumbnail = second.querySelector("canvas"), pen = thumbnail.getContext("2d");
  const at = (x, y) => [...pen.getImageData(Math.floor(x * thumbnail.width), Math.floor(y * thumbnail.height), 1, 1).data];
  seen.thumbnail = [at(0.94, 0.94), at(0.06, 0.06)];
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  const image = article.querySelector("img").getBoundingClientRect();
  second.click();
  const over = canvas.getBoundingClientRect();
  seen.fit = Math.max(...["left", "top", "width", "height"].map(side => Math.abs(image[side] - over[side])));
  document.title = JSON.stringify(seen);
}, 300));
</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="no headless browser")
@pytest.mark.parametrize("width", [1100, 360])
def test_in_a_browser(page, tmp_path, width):
    (tmp_path / "page.html").write_text(page.replace("</body>", PROBE))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"]
    command = [BROWSER, *options, "--dump-dom", f"file://{tmp_path / 'page.html'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    titles = [json.loads(t) for t in re.findall(r"<title>(\{.*?\})</title>", done.stdout.replace("&quot;", '"'))]
    assert titles, done.stderr[-2000:]
    seen = titles[0]
    dark = round(0.72 * 255)
    assert seen["start"] == [None, [0, 0]]
    assert seen["hover"][0] == "a"
    assert seen["hover"][1] == [pytest.approx(0, abs=12), dark]
    # halfway between the centers of the first two columns of four; none around attention that is everywhere
    assert seen["outline"] == [[True, pytest.approx(0.25, abs=0.01)], [False, 0]]
    assert seen["left"] == [None, [0, 0]]
    assert seen["tap"][:2] == ["dog", "true"]
    assert seen["tap"][2] == [dark, pytest.approx(0, abs=12)]
    assert seen["pinned"] == ["dog"]
    assert seen["right"] == ["runs", True, [0, 0]]
    assert seen["home"] == ["a"]
    assert seen["escape"] == [None, [0, 0]]
    bright, dim = seen["thumbnail"]
    assert bright[0] > 180
    assert dim[0] == pytest.approx(255 * 0.28, abs=8)
    assert seen["overflow"] <= 0
    assert seen["fit"] < 1
