"""`seqnets show`, `serve` and `inspect`: a page from a real run, findings that agree with `evaluate`, and mistakes."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from PIL import Image

TRAIN = ("--train.steps", 20, "--train.batch-size", 4, "--data.window", 16, "--model.hidden-features", 16)
TEXT = 'one two (three) four "five six" seven\n' * 60


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    from seqnets.cli.main import main

    path = tmp_path_factory.mktemp("runs") / "numbers"
    source = path.with_suffix(".txt")
    source.write_text(TEXT)
    assert main([str(word) for word in ("train", source, "--out", path, *TRAIN, "--data.validation-fraction", 0.3)]) == 0
    return path


def data_of(path):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.S)[1])


def test_the_page_agrees_with_evaluate(seqnets, run_folder, tmp_path):
    done = seqnets("show", run_folder, "--html", "page.html")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("page.html: ")
    panels = {panel["name"]: panel["data"] for panel in data_of(tmp_path / "page.html")["panels"]}
    figures = json.loads(seqnets("evaluate", run_folder, "--json").out)
    assert panels["surprise"]["nats"] == pytest.approx(figures["nats"], abs=1e-4)
    assert panels["surprise"]["predicted"] == figures["characters"]
    assert "Model card" not in panels
    assert panels["model"]["card"].startswith("---")
    assert panels["curves"]["runs"][0]["metrics"][-1]["step"] == 20


def test_the_text_may_be_a_file_and_weights_smaller(seqnets, run_folder, tmp_path):
    (tmp_path / "mine.txt").write_text("seven six \u20ac five\n" * 40)
    sizes = []
    for weights in ("float32", "int8"):
        assert seqnets("show", run_folder, "--html", "page.html", "--text", "mine.txt", "--weights", weights).code == 0
        sizes.append((tmp_path / "page.html").stat().st_size)
    assert sizes[1] < sizes[0]
    surprise = next(panel for panel in data_of(tmp_path / "page.html")["panels"] if panel["name"] == "surprise")["data"]
    assert surprise["source"] == "mine.txt"


def test_inspect_reports_the_same_in_words_json_and_a_figure(seqnets, run_folder, tmp_path):
    found = json.loads(seqnets("inspect", run_folder, "--json").out)
    assert set(found) == {"run", "text", "neurons", "surprise", "memory", "flow"}
    figures = json.loads(seqnets("evaluate", run_folder, "--json").out)
    assert found["surprise"]["nats"] == pytest.approx(figures["nats"], abs=1e-4)
    words = seqnets("inspect", run_folder, "--only", "flow,surprise", "--figure", "found.png")
    assert words.code == 0
    assert found["flow"]["diagnosis"] in words.out
    assert "neurons" not in words.out
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_of_a_folder_are_captioned_and_inspected(seqnets, tmp_path):
    (tmp_path / "photos").mkdir()
    for name, color in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (90, 60), color).save(tmp_path / "photos" / f"{name}.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"no picture")
    done = seqnets("show", "scenes", "--images", "photos", "--html", "page.html")
    assert (done.code, done.err) == (0, "")
    data = {panel["name"]: panel["data"] for panel in data_of(tmp_path / "page.html")["panels"]}
    assert list(data) == ["captions", "curves", "model"]
    shown = [picture["name"] for picture in data["captions"]["pictures"]]
    assert shown == ["photos/a.png", "photos/b.png"]
    assert "broken.png" in data["captions"]["leftOut"][0]
    found = json.loads(seqnets("inspect", "scenes", "photos", "--json").out)["captions"]
    for picture, other in zip(data["captions"]["pictures"], found["pictures"], strict=True):
        best = [way["captions"][0]["text"] for way in picture["ways"]]
        assert best == [other[name][0]["caption"] for name in ("beam of 5", "draws")]
    words = seqnets("inspect", "scenes", "photos", "--figure", "found.png")
    assert found["pictures"][0]["beam of 5"][0]["caption"] in words.out
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    wrong = seqnets("show", "scenes", "--text", "a.txt", "--html", "other.html")
    assert (wrong.code, "--text is for runs of" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show",), "RUN is missing"),
        (("show", "nowhere", "--html", "a.html"), "is not a folder"),
        (("show", "RUN", "--html", "no/folder/a.html"), "no/folder"),
        (("show", "RUN", "--html", "a.html", "--text", "nothing.txt"), "nothing.txt"),
        (("show", "RUN", "--html", "a.html", "--weights", "float8"), "float32"),
        (("show", "RUN", "--port", "99999999"), "--port"),
        (("show", "RUN", "--host", "256.1.1.1"), "cannot listen"),
        (("serve", "nowhere"), "is not a folder"),
        (("inspect", "RUN", "--only", "nerves"), "neurons, surprise, memory, flow"),
        (("inspect", "RUN", "--figure", "a.doc"), "cannot draw"),
        (("inspect", "RUN", "empty.txt"), "empty"),
    ],
)
def test_mistakes(seqnets, run_folder, tmp_path, words, message):
    (tmp_path / "empty.txt").write_text("")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = seqnets(*(run_folder if word == "RUN" else word for word in words))
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_server_shows_the_page_and_stops_at_ctrl_c(run_folder):
    command = [sys.executable, "-m", "seqnets.cli", "show", str(run_folder), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/", address), server.stderr.read()
            with urllib.request.urlopen(address, timeout=120) as answer:
                assert b"<!doctype html>" in answer.read()
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(address.rsplit("/", 2)[0], timeout=30)
            with urllib.request.urlopen(f"{address}events", timeout=30) as events:
                lines = [events.readline() for _ in range(4)]
            assert any(b'"step"' in line for line in lines)
        finally:
            server.send_signal(signal.SIGINT)
            begun = time.monotonic()
            server.wait(30)
    assert server.returncode == 130
    assert time.monotonic() - begun < 15
