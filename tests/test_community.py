"""What the repository says about itself outside of the package: citation, container, issue forms."""

import re
from pathlib import Path

import pytest

from seqnets import __version__

ROOT = Path(__file__).parents[1]
yaml = pytest.importorskip("yaml")


def test_the_citation_is_of_this_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


@pytest.mark.parametrize("name", ["fault", "wish", "words"])
def test_an_issue_form_asks_for_something(name):
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert form["name"]
    assert form["description"]
    asked = [part["id"] for part in form["body"]]
    assert len(set(asked)) == len(asked)
    assert all(part["type"] in {"input", "textarea", "dropdown"} and part["attributes"]["label"] for part in form["body"])


def test_the_container_is_given_what_it_copies():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]]
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == allowed
    assert all((ROOT / name).exists() for name in copied)
