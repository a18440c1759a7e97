"""The page in a real browser: every panel is used, the console stays empty, and the text is that of Python."""

import json

import numpy as np
import pytest

from seqnets.decode import sample
from seqnets.web import document
from web.browser import complaints, needs_axe, needs_browser, requests_of, serious_violations, wait
from web.conftest import HOSTILE, TEXT, named

pytestmark = needs_browser


def test_every_panel(open_page, page, run, tokens):
    driver = open_page(page)
    driver.execute_script("document.querySelector('#write textarea').value = 'It was'")
    driver.execute_script("""
        seqnetsPage.write.settings.temperature.querySelector('input').value = 0;
        seqnetsPage.write.settings.length.querySelector('input').value = 60;
        document.querySelector('#write button.main').click()""")
    wait(driver, "return document.querySelector('#write [data-rate]')")
    expected = "It was" + sample(run.model, "It was", length=60, temperature=0)
    assert driver.execute_script("return seqnetsPage.write.text()") == expected
    driver.execute_script("document.querySelector('#write [data-at=\"10\"]').click()")
    offers = driver.find_elements("css selector", "#write .bars button")
    assert len(offers) == 5
    offers[1].click()  # another branch
    wait(driver, "return document.querySelectorAll('#write .branches button').length === 2")
    assert driver.execute_script("return seqnetsPage.write.text()") != expected
    assert driver.execute_script("return seqnetsPage.write.text()").startswith(expected[:10])
    driver.find_element("css selector", "#write .branches button").click()
    assert driver.execute_script("return seqnetsPage.write.text()") == expected

    driver.execute_script("document.querySelector('#neurons').scrollIntoView()")
    wait(driver, "return !!seqnetsPage.reading")
    states = driver.execute_script("return Array.from(seqnetsPage.reading.states.slice(0, 24 * 50))")
    from seqnets.inspect import trace

    np.testing.assert_allclose(np.reshape(states, (50, 24)), trace(run.model, tokens).states[:50], atol=2e-3)  # float16
    driver.execute_script("seqnetsPage.neurons.set(3)")
    assert driver.execute_script("return document.querySelector('#neurons .text span').style.backgroundColor").startswith("rgba")

    driver.execute_script("""
        seqnetsPage.search.setEnds([20, 23]);
        document.querySelector('#search input').value = 0.01;
        document.querySelector('#search button').click()""")
    wait(driver, "return document.querySelectorAll('#search tbody tr').length > 0")

    driver.execute_script("document.querySelector('#surprise [data-at=\"30\"]').click()")
    assert len(driver.find_elements("css selector", "#surprise .bars li")) == 5
    driver.find_element("css selector", "#surprise table button").click()
    assert driver.execute_script("return document.activeElement.classList.contains('text')")
    driver.execute_script("document.querySelector('#memory [data-at=\"150\"]').click()")
    assert driver.execute_script("return document.querySelector('#memory [data-at=\"149\"]').style.backgroundColor")
    assert driver.execute_script("return document.querySelectorAll('#flow svg path.curve').length") == 1
    assert driver.execute_script("return document.querySelectorAll('#curves svg path.curve').length") == 2
    assert complaints(driver) == []
    assert requests_of(driver) == []


def test_samples_along_the_curve(open_page, run, tmp_path):
    (tmp_path / "config.toml").write_text("")
    lines = [{"step": step, "text": f"at {step} {HOSTILE}"} for step in (2, 4, 8)]
    (tmp_path / "samples.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    driver = open_page(document(named(run, tmp_path)))

    def shown(number):
        wanted = json.dumps(lines[number]["text"])  # as ASCII: a driver takes no lone surrogate
        return driver.execute_script(f"return {wanted} === document.querySelector('#curves pre.sample').textContent")

    assert shown(2)
    from selenium.webdriver.common.keys import Keys

    driver.find_element("css selector", "#curves input[type=range]").send_keys(Keys.ARROW_LEFT)
    assert shown(1)
    places = driver.find_elements("css selector", "#curves path.place")
    assert [place.get_attribute("class") for place in places] == ["place", "place chosen", "place"]
    places[0].click()  # on the curve
    assert shown(0)
    assert driver.find_element("css selector", "#curves input[type=range]").get_attribute("aria-valuetext") == "step 2"
    assert not driver.find_elements("css selector", "#curves pre *")


@pytest.mark.parametrize("width", [1280, 380])
def test_it_fits_the_window_and_the_keyboard(open_page, page, width):
    driver = open_page(page, width)
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    from selenium.webdriver.common.keys import Keys

    box = driver.find_element("css selector", "#surprise .text")
    box.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ENTER)
    assert driver.execute_script("return document.querySelector('#surprise .text .current') !== null")
    assert driver.find_elements("css selector", "#surprise .bars li")


def test_a_text_of_bytes_never_shows_half_a_character(open_page):
    from flax import nnx

    from seqnets.data import bytes_vocabulary
    from seqnets.models.char_lm import CharLM
    from seqnets.run import Run

    model = CharLM(bytes_vocabulary(), hidden_features=8, rngs=nnx.Rngs(0))
    page = document(Run(model, {"model": model.describe(), "train": {}}, model.vocabulary, None, []))
    driver = open_page(page)
    texts = driver.execute_script("""
        const spelling = seqnetsPage.spelling, text = 'né€😀\\n', { tokens } = spelling.encode(text);
        const shown = tokens => spelling.characters(tokens).filter(c => !c.partial).map(c => c.text).join('');
        return tokens.map((_, i) => shown(tokens.slice(0, i + 1)))""")
    assert texts == ["n", "n", "né", "né", "né", "né€", "né€", "né€", "né€", "né€😀", "né€😀\n"]
    broken = driver.execute_script(
        "return seqnetsPage.spelling.characters([0xff, 0x41, 0xe2, 0x41, 0xc3]).map(c => c.text).join('')"
    )
    assert broken == bytes([0xFF, 0x41, 0xE2, 0x41, 0xC3]).decode("utf-8", "replace")


@pytest.mark.parametrize("filters", [{"top_k": 3}, {"top_p": 0.6}, {"min_p": 0.3}, {"repetition_penalty": 1.5}])
def test_the_filters_are_those_of_python(open_page, page, run, filters):
    import jax.numpy as jnp

    from seqnets.decode.filters import FilterConfig, filtered, filters_of

    driver = open_page(page)
    tokens = run.vocabulary.encode(TEXT[:40])
    logits, _ = run.model(jnp.asarray(tokens[None]), run.model.initialize_carry(1))
    recent = tokens[-16:]
    config = FilterConfig(temperature=0.7, **filters)
    expected = np.asarray(filtered(filters_of(config), 5 * logits[0, -1:], jnp.asarray(recent[None])))[0]
    found = driver.execute_script(
        """const logits = Float64Array.from(arguments[0]), settings = arguments[1];
        const on = Object.entries(FILTERS).filter(([name]) => settings[name] != null);
        for (const [name, apply] of on) apply(logits, settings[name], arguments[2]);
        return Array.from(logits, value => Number.isFinite(value) ? value : null)""",
        [float(value) for value in 5 * logits[0, -1]], {"temperature": 0.7, **filters}, recent.tolist(),
    )  # fmt: skip
    np.testing.assert_allclose([-np.inf if value is None else value for value in found], expected, rtol=1e-5)


def test_draws_follow_the_probabilities(open_page, page):
    driver = open_page(page)
    counts = driver.execute_script("""
        const counts = [0, 0, 0], logits = [Math.log(.6), Math.log(.3), Math.log(.1)];
        for (let i = 0; i < 20000; i++) counts[drawToken(logits, { temperature: 1, seed: 7 }, [], i)]++;
        return counts""")
    np.testing.assert_allclose(np.array(counts) / 20_000, [0.6, 0.3, 0.1], atol=0.012)


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(open_page, page, scheme):
    driver = open_page(page)
    driver.execute_script("document.querySelector('#surprise [data-at=\"30\"]').click()")
    assert serious_violations(driver, scheme) == []
