"""The pages of taggers, text classifiers and translators: what Python prepares, and what a browser makes of it."""

import json

import numpy as np
import pytest
from flax import nnx

from seqnets.data.examples.config import SequenceConfig
from seqnets.data.examples.label_examples import token_examples
from seqnets.data.examples.texts import text_examples
from seqnets.models.sequence.config import RecurrentConfig, TextClassifierConfig
from seqnets.models.sequence.tagger import Tagger
from seqnets.models.sequence.text_classifier import TextClassifier
from seqnets.run import Run
from seqnets.web import document
from seqnets.web.panels import function, panels_of
from seqnets.web.panels.subject import Subject
from web.browser import complaints, needs_axe, needs_browser, requests_of, serious_violations
from web.conftest import HOSTILE

# a driver takes no lone surrogate
SAFE = HOSTILE.replace("\ud800", "")
TEXTS = [f"{word} {n} {SAFE}" for n in range(6) for word in ("good", "bad")]
SIZE = {"hidden_features": 4, "embedding_features": 4, "cell": "gru", "bidirectional": True}
CONFIG = SequenceConfig(vocabulary="chars", validation_fraction=0.5, max_length=80)


def run_of(task, model):
    return Run(model, {"task": task, "model": model.describe(), "train": {}, "data": {}}, model.vocabulary, None, [])


@pytest.fixture(scope="module")
def subjects(translation):
    vocabulary, labels, splits = text_examples(TEXTS, [SAFE, "other"] * 6, CONFIG)
    classifier = TextClassifier(vocabulary, labels, TextClassifierConfig(**SIZE), rngs=nnx.Rngs(0))
    sequences = [(list(text[:40]), [SAFE if letter.isalpha() else "rest" for letter in text[:40]]) for text in TEXTS]
    table, names, tagged = token_examples(sequences, CONFIG)
    tagger = Tagger(table, names, RecurrentConfig(**SIZE), rngs=nnx.Rngs(0))
    found = {"text-classifier": (classifier, splits), "tagger": (tagger, tagged)}
    subjects = {task: Subject([run_of(task, model)], splits["validation"], SAFE) for task, (model, splits) in found.items()}
    return subjects | {"translator": Subject([translation[0]], translation[1], SAFE)}


@pytest.fixture(scope="module")
def pages(subjects, translator_page):
    made = {task: document(one.run, one.material, source=SAFE) for task, one in subjects.items() if task != "translator"}
    return made | {"translator": translator_page}


def data_of(page, name):
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    return next(panel["data"] for panel in data["panels"] if panel["name"] == name)


def shares_of(packed, classes):
    import base64

    return np.frombuffer(base64.b64decode(packed["data"]), np.uint8).reshape(-1, classes) / 255


def test_a_classifier_reads_every_beginning(subjects, pages):
    from seqnets.decode.text_classes import classify_texts

    subject, data = subjects["text-classifier"], data_of(pages["text-classifier"], "classes")
    one = data["texts"][0]
    found = shares_of(one["shares"], 2)
    assert len(found) == len(one["tokens"])
    expected = classify_texts(subject.run.model, ["".join(one["tokens"][:end]) for end in (1, 7, len(one["tokens"]))])
    for place, guess in zip((0, 6, -1), expected):
        wanted = [guess.probabilities[label] for label in data["labels"]]
        np.testing.assert_allclose(found[place], wanted, atol=0.5 / 255 + 1e-6)
    assert one["guess"] != one["truth"]  # the mistakes come first


def test_a_tagger_has_the_labels_of_predict(subjects, pages):
    from seqnets.decode.step_labels import label_sequences

    data = data_of(pages["tagger"], "labels")
    one = data["texts"][0]
    (expected,) = label_sequences(subjects["tagger"].run.model, [one["tokens"]])
    found = shares_of(one["shares"], 2)
    assert [data["labels"][label] for label in found.argmax(-1)] == [label for label, _ in expected]
    np.testing.assert_allclose(found.max(-1), [p for _, p in expected], atol=0.5 / 255 + 1e-6)
    assert one["wrong"] == (found.argmax(-1) != np.array(one["truth"])).sum()


def test_the_matrix_counts_every_step(subjects, pages):
    data, subject = data_of(pages["tagger"], "confusion"), subjects["tagger"]
    steps = subject.material.columns["labels"].sequences
    assert data["examples"] == np.sum(data["counts"]) == len(steps.flat)
    assert data["totals"] == np.bincount(steps.flat, minlength=2).tolist()
    assert sum(times for _, _, times in data["confused"]) == data["examples"] - np.trace(data["counts"])


def test_translations_are_those_of_predict(subjects, pages):
    from seqnets.decode.translation import translate

    data = data_of(pages["translator"], "translations")
    pair = data["pairs"][0]
    (best, *_), = translate(subjects["translator"].run.model, [pair["source"]], beam=5, n_best=3, max_length=26)  # fmt: skip
    beam, draws = pair["ways"]
    assert beam["found"][0]["text"] == best.text
    assert len(draws["found"]) == 3
    attention = shares_of(beam["found"][0]["attention"], len(pair["pieces"]))
    np.testing.assert_allclose(attention, best.attention[:, : len(pair["pieces"])], atol=0.5 / 255 + 1e-6)


def test_the_server_translates(subjects):
    run = subjects["translator"].run
    (panel,) = (panel for panel in panels_of(run) if panel.answer)
    found = function(panel.answer)(run, "good é".encode(), {"seed": 3})
    assert [way["name"] for way in found["ways"]] == ["beam of 5", "draws"]
    assert found == function(panel.answer)(run, "good é".encode(), {"seed": 3})


@pytest.mark.parametrize(
    ("body", "given"), [(b"", {}), (b"x" * 5_000, {}), (b"a", {"seed": "x"}), (b"a", {"seed": -1}), (b"a", [])]
)
def test_what_the_server_does_not_translate(subjects, body, given):
    from seqnets.errors import UserError
    from seqnets.web.panels.translations import answer

    with pytest.raises(UserError):
        answer(subjects["translator"].run, body, given)


@pytest.mark.parametrize("task", ["text-classifier", "tagger", "translator"])
def test_texts_and_labels_stay_text(pages, task):
    page = pages[task].replace("\n", "")
    assert page.count("</script") == 2
    assert "<img" not in page


@needs_browser
@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("task", ["text-classifier", "tagger", "translator"])
def test_in_a_browser(open_page, pages, task, width):
    from selenium.webdriver.common.keys import Keys

    driver = open_page(pages[task], width)
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert not driver.find_elements("css selector", "main img, main b, main script")
    panel = {"text-classifier": "classes", "tagger": "labels", "translator": "translations"}[task]
    buttons = driver.find_elements("css selector", f"#{panel} button.example")
    driver.execute_script("arguments[0].click()", buttons[1])
    assert buttons[1].get_attribute("aria-pressed") == "true"
    boxes = driver.find_elements("css selector", f"#{panel} .text")
    boxes[-1].send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ENTER)
    said = driver.find_elements("css selector", f"#{panel} .textview .status")[-1].text
    if task == "translator":
        assert "looked at" in said
        assert driver.execute_script(
            "return document.querySelector('#translations .text span').style.backgroundColor"
        ).startswith("rgba")
        cells, pair = driver.find_elements("css selector", "#translations rect.cell"), data_of(pages[task], panel)["pairs"][1]
        assert len(cells) == len(pair["pieces"]) * len(pair["ways"][0]["found"][0]["words"])
        driver.find_elements("css selector", "#translations .choices button")[3].click()  # a draw
    else:
        assert "%" in said
        assert len(driver.find_elements("css selector", f"#{panel} .odds li")) == 2
        driver.execute_script("""const shade = document.querySelector(`#${arguments[0]} .wide select`);
            shade.value = 1; shade.dispatchEvent(new Event('change'))""", panel)  # fmt: skip
        assert not driver.find_element("css selector", f"#{panel} .legend").is_displayed()
        cell = driver.find_element("css selector", "#confusion tbody td")
        cell.send_keys(Keys.ARROW_RIGHT)
        assert "taken for" in driver.find_element("css selector", "#confusion .status").text
    assert complaints(driver) == []
    assert requests_of(driver) == []


@needs_browser
def test_only_the_wrong_ones(open_page, pages):
    driver = open_page(pages["tagger"])
    rows = "return document.querySelectorAll('#labels .examples tbody tr').length"
    wrong = sum(one["wrong"] > 0 for one in data_of(pages["tagger"], "labels")["texts"])
    driver.execute_script("""const show = document.querySelectorAll('#labels select')[1];
        show.value = 'wrong'; show.dispatchEvent(new Event('change'))""")  # fmt: skip
    assert driver.execute_script(rows) == wrong


@needs_browser
@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("task", ["text-classifier", "tagger", "translator"])
def test_accessibility(open_page, pages, task, scheme):
    assert serious_violations(open_page(pages[task]), scheme) == []
