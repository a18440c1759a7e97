"""The served page in a real browser: it follows a run that trains, and gets answers to one's own texts."""

import json

import pytest

pytest.importorskip("starlette", reason="starlette is not installed")

from seqnets.run import Run
from seqnets.web import document, server
from web.browser import complaints, needs_browser, wait

pytestmark = needs_browser


def written(path, lines):
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def visit(driver, address):
    driver.get("about:blank")
    driver.get_log("browser")  # of the page before
    driver.get(f"{address}/secret/")
    return driver


def test_curves_and_samples_follow_a_run_that_trains(open_page, serve, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_SECONDS", 0.05)
    (tmp_path / "config.toml").write_text("")
    run = Run(None, {"task": "text", "model": {"kind": "CharLM"}, "train": {}}, None, tmp_path, [])  # no weights yet
    page = document(run, live="events")
    driver = visit(open_page.driver, serve(server.application([run], lambda: page, token="secret")))
    drawn = "return document.querySelectorAll('#curves circle').length"
    assert driver.execute_script(drawn) == 0
    assert not driver.find_element("css selector", "#curves .samples").is_displayed()
    written(tmp_path / "metrics.jsonl", [{"step": step, "loss": 3 / step} for step in range(1, 5)])
    written(tmp_path / "samples.jsonl", [{"step": 2, "text": "early"}, {"step": 4, "text": "<b>later</b>"}])
    sample = "return (document.querySelector('#curves pre.sample') || {}).textContent"
    wait(driver, f"{drawn} === 4 && ({sample.removeprefix('return ')}) === '<b>later</b>'", 20)
    driver.execute_script("""const step = document.querySelector('#curves input[type=range]');
        step.value = 0; step.dispatchEvent(new Event('input'))""")  # fmt: skip
    assert driver.execute_script(sample) == "early"
    written(tmp_path / "samples.jsonl", [{"step": 2, "text": "early"}, {"step": 3, "text": "again"}])  # it went on from step 2
    written(tmp_path / "metrics.jsonl", [{"step": step, "loss": 3 / step} for step in range(1, 4)])
    wait(driver, f"{drawn} === 3 && document.querySelector('#curves input[type=range]').max === '1'", 20)
    assert driver.execute_script(sample) == "early"  # what was chosen stays
    assert complaints(driver) == []


def test_ones_own_text_is_translated(open_page, serve, translation):
    run, page = translation[0], document(translation[0], live="events")
    driver = visit(open_page.driver, serve(server.application([run], lambda: page, token="secret")))
    driver.execute_script("""document.querySelector('#translations textarea').value = 'good 3 <b>';
        document.querySelector('#translations button.main').click()""")  # fmt: skip
    wait(driver, "return document.querySelectorAll('#translations .choices button').length === 6")
    assert driver.execute_script("return document.querySelector('#translations .text').textContent") == "good 3 <b>"
    driver.execute_script("""document.querySelector('#translations textarea').value = '';
        document.querySelector('#translations button.main').click()""")  # fmt: skip
    wait(driver, "return document.querySelector('#translations form .status').textContent.includes('1 to 400 characters')")
