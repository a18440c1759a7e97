"""The page as a file: nothing in it loads anything, and no text of a run can leave its place."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.web import document
from seqnets.web.documents import as_json
from seqnets.web.packing import packed, rounded
from seqnets.web.panels import PANELS, function
from web.conftest import HOSTILE, named


class Outline(HTMLParser):
    """The elements of a page, the text of its scripts, and its attributes."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.scripts, self.title = [], [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "script":
            self.scripts.append(data)
        if self.tags and self.tags[-1] in ("title", "h1"):
            self.title += data


def test_the_page_has_every_panel_and_loads_nothing(page):
    outline = Outline(page)
    data = json.loads(outline.scripts[0])
    assert [panel["name"] for panel in data["panels"]] == [
        panel.name for panel in PANELS if not panel.tasks or "text" in panel.tasks
    ]
    assert not [value for name, value in outline.attributes if name in ("src", "href") and not value.startswith(("data:", "#"))]
    assert "img" not in outline.tags
    assert "fetch(" not in page
    assert "import(" not in page


def test_the_policy_allows_exactly_this_script_and_style(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    for tag in ("script", "style"):
        content = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        assert len(content) == 1
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy


def test_hostile_names_and_texts_stay_text(run, tokens, tmp_path):
    directory = tmp_path / HOSTILE.replace("/", "∕").replace("\n", "").replace("\ud800", "")
    directory.mkdir()
    (directory / "README.md").write_text(HOSTILE.replace("\ud800", ""), "utf-8")
    (directory / "config.toml").write_text("a = 1\n")
    plain, hostile = document(run, tokens), document(named(run, directory), tokens, source=HOSTILE)
    assert Outline(hostile).tags == Outline(plain).tags
    assert directory.name in Outline(hostile).title
    assert hostile.count("</script") == plain.count("</script")
    data = json.loads(Outline(hostile).scripts[0])
    assert next(panel for panel in data["panels"] if panel["name"] == "surprise")["data"]["source"] == HOSTILE


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_the_table_names_what_exists(panel):
    page = files("seqnets.web").joinpath("page")
    scripts = "".join(page.joinpath(f"{name}.js").read_text("utf-8") for name in panel.scripts)
    assert f"panels.{panel.draw or panel.name} = " in scripts
    assert callable(function(panel.prepare))
    assert not panel.answer or callable(function(panel.answer))


@pytest.mark.parametrize("value", [HOSTILE, "\u2028\u2029", "<!-- <script>", float("nan"), {"</script>": [float("inf"), -0.0]}])
def test_json_is_ascii_without_markup(value):
    text = as_json(value)
    assert text.isascii()
    assert not set("<>&") & set(text)
    if isinstance(value, str):
        assert json.loads(text) == value


def test_several_runs_are_compared(run, tokens, tmp_path):
    runs = []
    for name, rate in (("one", 0.1), ("two", 0.2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(f"[train]\nlearning_rate = {rate}\nsteps = 5\n")
        runs.append(named(run, tmp_path / name))
    data = json.loads(Outline(document(runs, tokens)).scripts[0])
    curves = next(panel["data"] for panel in data["panels"] if panel["name"] == "curves")
    assert [one["name"] for one in curves["runs"]] == ["one", "two"]
    assert curves["differences"] == [["train.learning_rate", "0.1", "0.2"]]


def test_without_a_text_there_are_no_findings(run):
    data = json.loads(Outline(document(run)).scripts[0])
    assert [panel["name"] for panel in data["panels"]] == ["write", "curves", "model"]
    with pytest.raises(UserError, match="no run"):
        document([])


def test_sizes_by_precision(run, tokens):
    sizes = {precision: len(document(run, precision=precision)) for precision in ("float32", "float16", "int8")}
    assert sizes["int8"] < sizes["float16"] < sizes["float32"]
    with pytest.raises(UserError, match="precision"):
        document(run, precision="float8")


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_packed_arrays_hold_the_rounded_values(precision):
    array = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    entry = packed(array, precision)
    values = np.frombuffer(base64.b64decode(entry["data"]), entry["type"]).astype(np.float32).reshape(array.shape)
    scale = np.frombuffer(base64.b64decode(entry["scale"]["data"]), "float32") if precision == "int8" else 1
    np.testing.assert_array_equal(values * scale, rounded(array, precision))
    assert np.abs(values * scale - array).max() < {"float32": 1e-9, "float16": 2e-3, "int8": 2e-2}[precision]
