"""The pages in Firefox: what they need is there, nothing fails, and a text is that of Python."""

import shutil

import numpy as np
import pytest

from seqnets.decode import Caption, sample
from seqnets.web import Shown, captions_page
from web.browser import wait

FIREFOX, DRIVER = (next(filter(None, map(shutil.which, names)), None) for names in (("firefox-esr", "firefox"), ("geckodriver",)))
pytestmark = pytest.mark.skipif(not (FIREFOX and DRIVER), reason="no Firefox with geckodriver here")


@pytest.fixture(scope="module")
def firefox():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.firefox.service import Service

    options = webdriver.FirefoxOptions()
    options.binary_location = FIREFOX
    options.add_argument("-headless")
    driver = webdriver.Firefox(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def opened(driver, path, page):
    path.write_text(page, "utf-8")
    driver.get(path.as_uri())
    wait(driver, "return document.documentElement.dataset.ready")
    driver.execute_script("window.faults = []; addEventListener('error', event => faults.push(event.message))")
    assert driver.find_elements("css selector", ".fault") == []
    return driver


def test_a_character_model_writes_and_reads(firefox, page, run, tmp_path):
    driver = opened(firefox, tmp_path / "page.html", page)
    driver.execute_script("""
        document.querySelector('#write textarea').value = 'It was';
        seqnetsPage.write.settings.temperature.querySelector('input').value = 0;
        seqnetsPage.write.settings.length.querySelector('input').value = 60;
        document.querySelector('#write button.main').click()""")
    wait(driver, "return document.querySelector('#write [data-rate]')")
    assert driver.execute_script("return seqnetsPage.write.text()") == "It was" + sample(
        run.model, "It was", length=60, temperature=0
    )
    driver.execute_script("document.querySelector('#neurons').scrollIntoView()")
    wait(driver, "return !!seqnetsPage.reading")
    for panel, place in (("write", 10), ("surprise", 30), ("memory", 150)):
        driver.execute_script(f"document.querySelector('#{panel} [data-at=\"{place}\"]').click()")
    assert len(driver.find_elements("css selector", "#surprise .bars li")) == 5
    driver.execute_script("seqnetsPage.search.setEnds([20, 23]); document.querySelector('#search input').value = 0.01;"
                          "document.querySelector('#search button').click()")  # fmt: skip
    wait(driver, "return document.querySelectorAll('#search tbody tr').length > 0")
    assert driver.execute_script("return [faults, document.documentElement.scrollWidth <= innerWidth]") == [[], True]


def test_translations_are_looked_at(firefox, translator_page, tmp_path):
    driver = opened(firefox, tmp_path / "page.html", translator_page)
    driver.execute_script("document.querySelectorAll('#translations .text')[1].querySelector('span').click()")
    assert driver.find_elements("css selector", "#translations rect.cell")
    colors = "return [...document.querySelectorAll('#translations .text span')].filter(span => span.style.backgroundColor).length"
    assert driver.execute_script(colors) > 1
    assert driver.execute_script("return faults") == []


def test_a_caption_lights_what_the_model_looked_at(firefox, tmp_path):
    maps = np.zeros((2, 16), np.float32)
    maps[0, 0] = maps[1, 15] = 1
    found = Caption("a dog", np.arange(2), -1.5, maps, ("a", "dog"), grid=(4, 4))
    shown = [Shown(name, np.full((40, 60, 3), 200, np.uint8), [found]) for name in ("a.png", "b.png")]
    driver = opened(firefox, tmp_path / "page.html", captions_page(shown))
    wait(driver, "return [...document.querySelectorAll('.words canvas')].every(canvas => canvas.width === 160)")
    dark = driver.execute_script("""
        document.querySelectorAll('.words button')[1].click();
        const canvas = document.querySelector('.view canvas'), pen = canvas.getContext('2d');
        return [0.06, 0.94].map(at => pen.getImageData(at * canvas.width, at * canvas.height, 1, 1).data[3])""")
    assert dark == [round(0.72 * 255), pytest.approx(0, abs=12)]
    driver.execute_script("document.querySelectorAll('.gallery .picture')[1].click()")
    assert driver.find_element("css selector", ".name").text == "b.png"
    assert driver.execute_script("return faults") == []
