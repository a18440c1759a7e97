"""A real browser for the tests of pages."""

import json
import os
import shutil
from pathlib import Path

import pytest

CHROMIUM, DRIVER = (
    next(filter(None, map(shutil.which, names)), None) for names in (("chromium", "chromium-browser"), ("chromedriver",))
)
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium with its driver here")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
# where `npm install axe-core` put it, for the check of accessibility
AXE = Path(os.environ.get("SEQNETS_AXE", "node_modules/axe-core/axe.min.js"))
needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="no axe-core here (npm install axe-core, or SEQNETS_AXE)")


def wait(driver, script, seconds=60):
    """Run a script until it returns something true."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(driver, seconds, 0.05).until(lambda driver: driver.execute_script(script))


def requests_of(driver):
    """The addresses that the page asked for since it was opened, its own aside."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.endswith("/page.html") and not url.startswith(("data:", "chrome"))]


def serious_violations(driver, scheme):
    """What axe-core finds on the open page in light or dark."""
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
    found = driver.execute_async_script("""axe.run().then(({ violations }) => arguments[0](violations
        .filter(({ impact }) => ["serious", "critical"].includes(impact))
        .map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`.toWellFormed())))""")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    return found


def complaints(driver):
    """What the page wrote to the console."""
    return [entry for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
