import threading
import time
from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from seqnets.data import Vocabulary
from seqnets.models.char_lm import CharLM
from seqnets.run import Run
from web.browser import CHROMIUM, DRIVER, FLAGS

HOSTILE = "</script><!--\u2028<img src=x onerror=alert(1)>&amp;'\"`${1}\ud800é\n"
TEXT = 'It was a "dark" night.\nAnd (so) it went, 12 times; A </script> <b>bold</b> text.\n\n' * 12


@pytest.fixture(scope="session")
def run():
    model = CharLM(Vocabulary.from_text(TEXT), hidden_features=12, layers=2, rngs=nnx.Rngs(0))
    metrics = [{"step": step, "loss": 3 / step, "nats": 3 / step} for step in range(1, 9)] + [{"step": 8, "validation_nats": 0.5}]
    config = {"task": "text", "model": model.describe(), "train": {"clip_norm": 1.0}, "data": {"separator": ""}}
    return Run(model, config, model.vocabulary, None, metrics)


@pytest.fixture(scope="session")
def tokens(run):
    return np.asarray(run.vocabulary.encode(TEXT))


@pytest.fixture(scope="session")
def page(run, tokens):
    from seqnets.web import document

    return document(run, tokens, source="a test text")


def named(run, directory: Path):
    return Run(run.model, run.config, run.vocabulary, directory, run.metrics)


@pytest.fixture(scope="session")
def open_page(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(60)

    def opened(page, width=1280):
        driver.get("about:blank")  # ends the connections of the page before
        for kind in ("performance", "browser"):
            driver.get_log(kind)
        path = tmp_path_factory.mktemp("page") / "page.html"
        path.write_text(page, "utf-8")
        driver.set_window_size(width, 900)
        driver.get(path.as_uri())
        assert driver.execute_script("return document.documentElement.dataset.ready") == "true"
        return driver

    opened.driver = driver
    yield opened
    driver.quit()


@pytest.fixture
def serve():
    """Runs applications in threads of this process, on free ports, and returns their addresses."""
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    started = []

    def begin(app):
        running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=running.run, daemon=True)
        thread.start()
        started.append((running, thread))
        while not running.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"

    yield begin
    for running, thread in started:
        running.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def translation():
    """A translator with random weights, and pairs for it."""
    from seqnets.data.examples.config import SequenceConfig
    from seqnets.data.examples.pairs import pair_examples
    from seqnets.models.sequence.config import TranslatorConfig
    from seqnets.models.sequence.translator import Translator

    plain = HOSTILE.replace("\ud800", "")
    pairs = [(f"{word} {n} {plain}"[:18], f"{n}{plain}"[:12]) for n in range(6) for word in ("good", "bad")]
    config = SequenceConfig(vocabulary="chars", validation_fraction=0.5, max_length=80)
    (source, target), splits, _ = pair_examples(pairs, config)
    shape = TranslatorConfig(hidden_features=4, embedding_features=4, cell="gru", bidirectional=True, attention_features=4)
    model = Translator(source, target, shape, rngs=nnx.Rngs(0))
    described = {"task": "translator", "model": model.describe(), "train": {}, "data": {}}
    return Run(model, described, model.vocabulary, None, []), splits["validation"]


@pytest.fixture(scope="session")
def translator_page(translation):
    from seqnets.web import document

    return document(*translation, source=HOSTILE.replace("\ud800", ""))
