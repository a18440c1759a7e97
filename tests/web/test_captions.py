"""The panel of captions: words and where the model looked, the gallery, and photographs that the server captions."""

import base64
import csv
import io
import json
import threading
import time

import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets.data import WordVocabulary
from seqnets.data.captions import read_captions
from seqnets.decode import Caption
from seqnets.errors import UserError
from seqnets.models.captioner import Captioner
from seqnets.run import Run
from seqnets.tasks.captioner.held_out import Described
from seqnets.web import Shown, captions_page, document
from web.browser import complaints, needs_axe, needs_browser, requests_of, serious_violations, wait
from web.conftest import HOSTILE
from web.test_documents import Outline


def peak(row, column):
    maps = np.zeros((4, 4), np.float32)
    maps[row, column] = 1
    return maps.reshape(-1)


MAPS = np.stack([peak(0, 0), peak(3, 3), np.full(16, 1 / 16, np.float32)])
CAPTION = Caption("a dog runs", np.arange(3), np.log(0.25), MAPS, ("a", "dog", "runs"), grid=(4, 4))
SECOND = Caption(HOSTILE, np.arange(1), -9.5, MAPS[:1], (HOSTILE,), grid=(4, 4))
BLIND = Caption("a cat, and a dog", np.arange(2), -3.5, None, ("a", "cat"))


def photo(width=400, height=300):
    image = np.full((height, width, 3), 200, np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    return image


@pytest.fixture(scope="module")
def page():
    both = {"beam": [CAPTION, SECOND], "draws": [BLIND]}
    shown = [Shown(f"dog{HOSTILE}.jpg", photo(), both, [HOSTILE]), Shown("=cat.jpg", photo(32, 32), [BLIND])]
    return captions_page(shown, title=f"Dogs & cats {HOSTILE}")


@pytest.fixture(scope="module")
def captioner():
    words = WordVocabulary(("a", "dog", "runs", "&amp;", "</script>", "<!--"))
    model = Captioner(words, hidden_features=8, image_size=16, encoder_width=2, rngs=nnx.Rngs(0))
    return Run(model, {"task": "captioner", "model": model.describe(), "train": {}}, words, None, [])


@pytest.fixture(scope="module")
def described():
    return Described(["one", "broken", HOSTILE], [photo(), b"no picture", photo(8, 9)], [["a dog"]] * 3, 7)


def data_of(page):
    return {panel["name"]: panel["data"] for panel in json.loads(Outline(page).scripts[0])["panels"]}


def test_pictures_and_maps_are_inside(page):
    first, second = data_of(page)["captions"]["pictures"]
    kinds = []
    for picture in (first, second):
        kind, _, content = picture["image"].partition(";base64,")
        kinds.append((kind, Image.open(io.BytesIO(base64.b64decode(content))).size))
    assert kinds == [("data:image/jpeg", (400, 300)), ("data:image/png", (32, 32))]
    maps = first["ways"][0]["captions"][0]["maps"]
    found = np.frombuffer(base64.b64decode(maps["weights"]["data"]), np.uint8).reshape(3, 16)
    np.testing.assert_array_equal(found, np.round(255 * MAPS / MAPS.max(1, keepdims=True)))
    assert (maps["rows"], maps["columns"]) == (4, 4)
    assert [one["captions"][0]["maps"] for one in second["ways"]] == [None]


def test_what_captions_and_names_spell_is_text(page):
    plain = captions_page([Shown("dog.jpg", photo(), [CAPTION])])
    assert Outline(page).tags == Outline(plain).tags
    assert page.count("</script") == plain.count("</script")
    assert data_of(page)["captions"]["pictures"][0]["ways"][0]["captions"][1]["words"] == [HOSTILE]
    assert "fetch(" not in page


def test_refusals():
    with pytest.raises(UserError, match="no images to show"):
        captions_page([])
    with pytest.raises(UserError, match="image must be uint8"):
        captions_page([Shown("x", np.zeros((4, 4)), [CAPTION])])


def test_the_page_of_a_run(captioner, described):
    data = data_of(document(captioner, described, source="a folder"))["captions"]
    assert [picture["name"] for picture in data["pictures"]] == ["one", HOSTILE]
    assert [[len(way["captions"]) for way in picture["ways"]] for picture in data["pictures"]] == [[5, 4]] * 2
    assert len(data["leftOut"]) == 1
    assert "captions" not in data_of(document(captioner))
    assert data_of(document(captioner, live="events"))["captions"]["pictures"] == []


@needs_browser
@pytest.mark.parametrize("width", [1100, 380])
def test_words_show_where_the_model_looked(open_page, page, width):
    driver = open_page(page, width)
    run = driver.execute_script
    wait(driver, "return [...document.querySelectorAll('.words canvas')].every(c => c.width === 160)")
    run(
        "globalThis.words = [...document.querySelectorAll('.words button')]; globalThis.figure = document.querySelector('.view');"
    )
    run("globalThis.canvas = figure.querySelector('canvas')")
    run("globalThis.pen = canvas.getContext('2d', { willReadFrequently: true })")
    labels = ["a: looked at the top left", "dog: looked at the bottom right", "runs: looked everywhere"]
    assert run("return words.map(word => word.getAttribute('aria-label'))") == labels
    run("""globalThis.alphas = () => [[0.06, 0.06], [0.94, 0.94]].map(([x, y]) =>
        pen.getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data[3])
    globalThis.edge = () => {
        const data = pen.getImageData(0, 0, canvas.width, canvas.height).data, found = [];
        for (let i = 0; i < data.length; i += 4) if (data[i] === 255) found.push(i / 4 % canvas.width / canvas.width);
        return Math.max(0, ...found);
    }
    globalThis.point = (kind, word) => word.dispatchEvent(new PointerEvent(kind, { pointerType: "mouse" }));
    globalThis.key = (name, word) => word.dispatchEvent(new KeyboardEvent("keydown", { key: name, cancelable: true }));
    """)
    dark, light = round(0.72 * 255), pytest.approx(0, abs=12)
    state = "return [figure.dataset.shown, ...alphas()]"
    assert run(state) == ["", 0, 0]
    assert run("point('pointerenter', words[0]);" + state) == ["a", light, dark]
    # halfway between the centers of the first two columns of four; none around attention that is everywhere
    assert run("return edge()") == pytest.approx(0.25, abs=0.01)
    assert run("point('pointerleave', words[0]);" + state) == ["", 0, 0]
    assert run("words[1].click();" + state) == ["dog", dark, light]
    assert run("return words[1].getAttribute('aria-pressed')") == "true"
    assert run("point('pointerenter', words[0]); point('pointerleave', words[0]);" + state)[0] == "dog"
    assert run("key('ArrowRight', words[1]); return [figure.dataset.shown, document.activeElement === words[2], edge()]") == [
        "runs", True, 0
    ]  # fmt: skip
    assert run("key('Home', words[2]); return figure.dataset.shown") == "a"
    assert run("key('Escape', words[0]);" + state) == ["", 0, 0]
    bright, dim = run("""const { width, height } = words[1].querySelector("canvas"), pen = words[1].firstChild.getContext("2d");
        return [0.94, 0.06].map(at => [...pen.getImageData(Math.floor(at * width), Math.floor(at * height), 1, 1).data])""")
    assert bright[0] > 180
    assert dim[0] == pytest.approx(255 * 0.28, abs=8)
    gaps = run("""words[1].click();
        const [a, b] = [figure.querySelector("img"), canvas].map(element => element.getBoundingClientRect());
        return ["left", "top", "width", "height"].map(side => Math.abs(a[side] - b[side]))""")
    assert max(gaps) < 1
    assert run("return document.documentElement.scrollWidth <= innerWidth")
    assert (complaints(driver), requests_of(driver)) == ([], [])


@needs_browser
def test_the_gallery_is_filtered_edited_and_saved(open_page, page, tmp_path):
    driver = open_page(page)
    run = driver.execute_script
    buttons = run("return [...document.querySelectorAll('.choices button')].map(button => button.textContent.toWellFormed())")
    assert buttons == ["a dog runs25%", f"{HOSTILE}1 in 13,000".replace("\ud800", "\ufffd")]
    driver.find_elements("css selector", ".looking .buttons button")[1].click()  # draws
    assert driver.find_element("css selector", ".looking h3").text == "a cat, and a dog"
    assert not driver.find_elements("css selector", ".words button")
    driver.find_elements("css selector", ".gallery .picture")[1].click()
    assert driver.find_element("css selector", ".name").text == "=cat.jpg"
    assert [chip.text for chip in driver.find_elements("css selector", ".chips button")] == []

    shown = "return [...document.querySelectorAll('.gallery li')].map(card => !card.hidden)"
    filtered = driver.find_element("css selector", "input[type=search]")
    for words, expected in (("dog", [True, True]), ("Dog ca", [False, True]), ("do", [True, True]), ("og", [False, False])):
        filtered.clear()
        filtered.send_keys(words)
        assert run(shown) == expected
    filtered.clear()
    filtered.send_keys("horse")
    text = driver.find_elements("css selector", ".gallery textarea")[1]
    run("document.querySelector('input[type=search]').value = ''; seqnetsPage.captions.gallery.apply()")
    text.clear()
    text.send_keys('a "white" horse, running')
    run("document.querySelector('input[type=search]').value = 'horse'; seqnetsPage.captions.gallery.apply()")
    assert run(shown) == [False, True]

    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    driver.find_element("xpath", "//button[text()='Save as CSV']").click()
    saved, until = tmp_path / "captions.csv", time.monotonic() + 20
    while not saved.is_file() and time.monotonic() < until:
        time.sleep(0.05)
    rows = list(csv.reader(io.StringIO(saved.read_text("utf-8"))))
    assert rows[0] == ["image", "caption"]
    assert [row[1] for row in rows[1:]] == ["a dog runs", 'a "white" horse, running']
    assert rows[2][0] == "=cat.jpg"
    found = read_captions(str(saved), validation_fraction=0.0, test_fraction=0.0)
    assert found.captions[1] == ('a "white" horse, running',)
    driver.find_elements("xpath", "//button[text()='Put back']")[1].click()
    assert text.get_attribute("value") == "a cat, and a dog"
    assert complaints(driver) == []
    driver.find_element("xpath", "//button[text()='Save as CSV']").click()  # else it asks before it is left


@needs_browser
def test_words_run_as_their_script_does(open_page):
    captions = [
        Caption(text, np.arange(len(text.split())), -1.5, MAPS[: len(text.split())], tuple(text.split()), grid=(4, 4))
        for text in ("كلب يجري", "a كلب", "3 كلاب")
    ]
    driver = open_page(captions_page([Shown("a.jpg", photo(), captions)]))
    found = []
    for button in driver.find_elements("css selector", ".choices button")[:3]:
        driver.execute_script("arguments[0].click()", button)
    for place in range(3):
        driver.execute_script("document.querySelectorAll('.choices button')[arguments[0]].click()", place)
        found.append(driver.execute_script("return getComputedStyle(document.querySelector('.words')).direction"))
    assert found == ["rtl", "ltr", "rtl"]


@needs_browser
@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(open_page, page, scheme):
    driver = open_page(page)
    driver.execute_script("document.querySelectorAll('.words button')[1].click()")
    assert serious_violations(driver, scheme) == []


@pytest.fixture(scope="module")
def address(captioner, described):
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    pytest.importorskip("starlette", reason="starlette is not installed")
    from seqnets.web.server import application

    shown = document(captioner, described._replace(pictures=described.pictures[:1]), live="events")
    app = application([captioner], lambda: shown, token="secret")
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}/secret/"
    running.should_exit = True
    thread.join(10)


@needs_browser
def test_the_server_captions_a_photograph(open_page, page, address, tmp_path):
    driver = open_page(page)
    path = tmp_path / "my dog <b>.png"
    Image.fromarray(photo()).save(path)
    driver.get(address)
    driver.find_element("css selector", ".drop input[type=file]").send_keys(str(path))
    wait(driver, "return document.querySelector('.drop').dataset.state === 'done'")
    assert driver.find_element("css selector", ".name").text == path.name
    assert len(driver.find_elements("css selector", ".choices button")) == 5
    assert len(driver.find_elements("css selector", ".gallery li")) == 2
    driver.find_element("css selector", ".drop select").send_keys("draw")
    driver.find_element("xpath", "//button[text()='Caption it again']").click()
    wait(driver, "return document.querySelectorAll('.gallery li').length === 3")
    path.write_bytes(b"no picture")
    driver.find_element("css selector", ".drop input[type=file]").send_keys(str(path))
    wait(driver, "return document.querySelector('.drop').dataset.state === 'failed'")
    assert "is not an image" in driver.find_element("css selector", ".drop .status").text
    assert [entry for entry in complaints(driver) if "400" not in entry["message"]] == []
