"""A run in a notebook: its figures and curve, and no text of it that could become markup."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from seqnets.run import Run

METRICS = [{"step": step, "loss": 4 / step, "nats": 4 / step} for step in range(1, 1001)]
METRICS += [{"step": 500, "validation_nats": 1.5, "validation_other": float("nan")}, {"step": 1000, "validation_nats": 1.75}]
CONFIG = {"task": "text", "objective": "nats", "maximize": False, "parameters": 12345, "model": {"kind": "CharLM"}}


def shown(**changes):
    fields = {"model": None, "config": CONFIG, "vocabulary": None, "directory": None, "metrics": METRICS} | changes
    return ElementTree.fromstring(Run(**fields)._repr_html_())


def test_it_has_the_kind_the_best_figures_and_both_curves():
    found = shown()
    text = " ".join(found.itertext())
    assert "CharLM" in text
    facts = {row.find("th").text: row.find("td").text for row in found.iter("tr")}
    assert facts == {"parameters": "12,345", "steps": "1,000", "validation nats": "1.5"}
    loss, validation = found.iter("{http://www.w3.org/2000/svg}polyline")
    places = [tuple(map(float, place.split(","))) for place in loss.get("points").split()]
    assert len(places) <= 302
    assert (places[0], places[-1]) == ((4.0, 4.0), (316.0, 86.0))
    assert len(validation.get("points").split()) == 3


def test_hostile_texts_stay_text():
    hostile = "</strong><script>alert(1)</script>&\"'"
    config = {**CONFIG, "task": hostile, "model": {"kind": hostile}}
    found = shown(config=config, directory=Path("runs", hostile.replace("/", "∕")), vocabulary=hostile)
    assert not list(found.iter("script"))
    assert " ".join(found.itertext()).count("alert(1)") == 4


@pytest.mark.parametrize(
    "metrics", [[], [{"step": 1, "loss": 2.0}], [{"step": 1, "loss": None}, {"step": 2, "loss": float("inf")}]]
)
def test_a_run_without_a_curve_has_no_picture(metrics):
    assert not list(shown(metrics=metrics, config={"task": "own", "model": "any"}).iter("{http://www.w3.org/2000/svg}svg"))
