"""The panels of classifiers and of answers: pictures, their worst mistakes, confusions, and photographs for the server."""

import json
import threading
import time

import numpy as np
import pytest
from flax import nnx
from PIL import Image

from seqnets.data.examples.question_examples import Asked
from seqnets.data.examples.questions import Question
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.data.words.vocabulary import token_vocabulary
from seqnets.decode.answers import answer_questions
from seqnets.decode.classification import classify
from seqnets.models.classifier import ClassifierConfig, describe, make_classifier
from seqnets.models.detector.detector import Detector, DetectorConfig
from seqnets.models.sequence.vqa import VQA, VQAConfig
from seqnets.run import Run
from seqnets.tasks.classifier.held_out import Labeled, judged
from seqnets.tasks.vqa.held_out import questions_of
from seqnets.web import document
from web.browser import complaints, needs_axe, needs_browser, requests_of, serious_violations, wait
from web.conftest import HOSTILE
from web.test_documents import Outline

LABELS = ("cat", "dog", HOSTILE)


def pictures(count, side):
    return list(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def classifier():
    rule = Preprocessing(resize=(28, 28), crop=None, mean=(0.5,) * 3, std=(0.3,) * 3)
    model = make_classifier(ClassifierConfig("lenet5"), LABELS, rule, in_channels=3, rngs=nnx.Rngs(0))
    config = {"task": "classifier", "model": describe(model, ClassifierConfig("lenet5")), "train": {}}
    return Run(model, config, None, None, [])


@pytest.fixture(scope="module")
def labeled():
    names = [f"{HOSTILE} {number}" for number in range(13)]
    truth = np.array([0, 1, 2] * 4 + [-1], np.int32)
    return Labeled(names, [*pictures(11, 30), b"no picture", np.zeros((9, 9, 3), np.uint8)], truth)


@pytest.fixture(scope="module")
def answerer():
    config = VQAConfig(image_size=16, encoder_width=2, hidden_features=4, attention="additive", glimpses=2)
    vocabulary = token_vocabulary(["is it red", "what </script>"], "words")
    model = VQA(vocabulary, ("yes", "no", HOSTILE), config, rngs=nnx.Rngs(0))
    return Run(model, {"task": "vqa", "model": model.describe(), "train": {}}, vocabulary, None, [])


@pytest.fixture(scope="module")
def questions(answerer):
    texts = ["is it red?", f"what {HOSTILE}"]
    asked = [Question(f"{n // 2}.png", texts[n % 2], ("yes", "no", HOSTILE, "never learned")[n % 4]) for n in range(8)]
    return questions_of(answerer.model, Asked(asked, np.arange(8) // 2, np.stack(pictures(4, 16)), []), 64)


@pytest.fixture(scope="module")
def page(classifier, labeled):
    return document(classifier, labeled, source=HOSTILE)


@pytest.fixture(scope="module")
def answers(answerer, questions):
    return document(answerer, questions, source="a test")


def data_of(page):
    return {panel["name"]: panel["data"] for panel in json.loads(Outline(page).scripts[0])["panels"]}


def test_the_data_are_those_of_classify(classifier, labeled, page):
    data = data_of(page)
    assert list(data) == ["pictures", "confusion", "inside", "model"]
    found = judged(classifier.model, labeled)
    examples, wrong = data["pictures"]["examples"], (found.truth >= 0) & (found.guesses != found.truth)
    assert data["confusion"]["examples"] == data["pictures"]["known"] == 11  # one is damaged, one has no class
    shown_wrong = [example for example in examples if example["truth"] not in (None, example["guess"])]
    assert data["pictures"]["wrong"] == wrong.sum() == len(shown_wrong)
    assert len(examples) == 12
    for example in (examples[0], examples[-1]):
        (guesses,) = classify(classifier.model, [labeled.pictures[labeled.names.index(example["name"])]], labels=LABELS, top=3)
        assert [label for label, _ in example["answers"]] == [guess.label for guess in guesses]
        assert [p for _, p in example["answers"]] == pytest.approx([guess.score for guess in guesses], abs=1e-4)
    shares = [example["ofTruth"] for example in shown_wrong]
    assert shares == sorted(shares)
    assert page.count("</script") == 2
    assert len(data["inside"]["figures"]) == 4
    assert all(figure["about"] and figure["picture"].startswith("data:image/") for figure in data["inside"]["figures"])


def test_the_answers_are_those_of_answer(answerer, questions, answers):
    data = data_of(answers)
    assert list(data) == ["questions", "confusion", "model"]
    assert len(data["questions"]["pictures"]) == 4
    for example in data["questions"]["examples"]:
        row = next(n for n, one in enumerate(questions.asked) if (one.image, one.text) == (example["name"], example["question"]))
        (found,) = answer_questions(answerer.model, questions.pictures[questions.rows[row]], [example["question"]])
        assert example["guess"] == found.answer.label
        assert example["answers"][0][1] == pytest.approx(found.answer.probability, abs=1e-4)
        assert (example["maps"]["rows"], example["maps"]["columns"]) == answerer.model.grid
        assert example["truth"] == questions.asked[row].answer
    assert data["confusion"]["examples"] == 6


def test_what_a_detector_finds_is_drawn():
    rule = Preprocessing(resize=(32, 32), crop=None)
    model = Detector(DetectorConfig(width=2, keep=3), LABELS, rule, rngs=nnx.Rngs(0))
    model.heads[0].classes.bias[...] += 9.0  # sure of everything
    run = Run(model, {"task": "detector", "model": model.describe(), "train": {}}, None, None, [])
    data = data_of(document(run, [*pictures(2, 40), b"no picture"], source="a test"))
    assert list(data) == ["things", "model"]
    assert len(data["things"]["figures"]) == 2
    for figure in data["things"]["figures"]:
        assert any(label in figure["title"] for label in LABELS)
        assert figure["picture"].startswith("data:image/jpeg")


def shown(driver):
    return driver.execute_script("return [...document.querySelectorAll('.gallery li')].filter(card => !card.hidden).length")


@needs_browser
@pytest.mark.parametrize("width", [1280, 380])
def test_the_pictures_of_a_classifier(open_page, page, width):
    driver = open_page(page, width)
    data = data_of(page)
    assert shown(driver) == data["pictures"]["wrong"]
    assert driver.find_element("css selector", "#pictures .finding").text.startswith("Wrong: it is ")
    assert len(driver.find_elements("css selector", "#pictures .bars li")) == 3
    for value, count in (("right", 12 - data["pictures"]["wrong"]), ("all", 12)):
        driver.find_element("css selector", f"#pictures option[value={value}]").click()
        assert shown(driver) == count
    driver.execute_script("document.querySelectorAll('.gallery .picture')[11].click()")
    assert "unknown" in driver.find_element("css selector", "#pictures .finding").text or data["pictures"]["wrong"]
    pair = data["confusion"]["confused"][0]
    row, column = (data["confusion"]["labels"].index(label) for label in pair[:2])
    driver.execute_script(f'document.querySelector(\'td[data-row="{row}"][data-column="{column}"]\').click()')
    assert shown(driver) == pair[2]
    driver.execute_script("document.querySelector('#confusion summary').click()")
    assert len(driver.find_elements("css selector", "#confusion details tbody tr")) == 3
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert (complaints(driver), requests_of(driver)) == ([], [])


@needs_browser
@pytest.mark.parametrize("width", [1280, 380])
def test_the_questions(open_page, answers, width):
    driver = open_page(answers, width)
    driver.execute_script("seqnetsPage.pictures.show.value = 'all'; seqnetsPage.pictures.apply()")
    assert shown(driver) == 8
    words = driver.find_element("css selector", "#questions input[type=search]")
    words.send_keys("IS it")
    assert shown(driver) == 4
    wait(driver, "return document.querySelectorAll('#questions .words button').length === 2")
    driver.execute_script("document.querySelectorAll('#questions .words button')[1].click()")
    assert driver.execute_script("return document.querySelector('#questions .view').dataset.shown") == "glimpse 2"
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert (complaints(driver), requests_of(driver)) == ([], [])


@needs_browser
@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(open_page, page, answers, scheme):
    for each in (page, answers):
        assert serious_violations(open_page(each), scheme) == []


@pytest.fixture(scope="module")
def served():
    """A function that serves the page of a run and returns its address."""
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    pytest.importorskip("starlette", reason="starlette is not installed")
    from seqnets.web.server import application

    servers = []

    def serve(run):
        app = application([run], lambda: document(run, live="events"), token="secret")
        running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=running.run, daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        servers.append((running, thread))
        return f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}/secret/"

    yield serve
    for running, thread in servers:
        running.should_exit = True
        thread.join(10)


@needs_browser
def test_the_server_classifies_and_answers(open_page, page, served, classifier, answerer, tmp_path):
    driver = open_page(page)
    path = tmp_path / "my <b>.png"
    Image.fromarray(pictures(1, 50)[0]).save(path)
    driver.get(served(classifier))
    driver.find_element("css selector", ".drop input[type=file]").send_keys(str(path))
    wait(driver, "return document.querySelector('.drop').dataset.state === 'done'")
    assert driver.find_element("css selector", "#pictures .name").text == path.name
    (guesses,) = classify(classifier.model, [path], labels=LABELS, top=1)
    heading = driver.execute_script("return document.querySelector('#pictures h3.caption').textContent.toWellFormed()")
    assert heading == guesses[0].label.replace("\ud800", "\ufffd")
    driver.find_element("css selector", "#inside .drop input[type=file]").send_keys(str(path))
    wait(driver, "return document.querySelector('#inside .drop').dataset.state === 'done'")
    assert len(driver.find_elements("css selector", "#inside .sheets[role=status] img")) == 2

    driver.get(served(answerer))
    driver.find_element("css selector", ".drop input[type=file]").send_keys(str(path))
    wait(driver, "return document.querySelector('.drop').dataset.state === 'failed'")
    assert "Type a question" in driver.find_element("css selector", ".drop .status").text
    driver.find_element("css selector", ".drop input[type=text]").send_keys("is it red?\n")
    wait(driver, "return document.querySelector('.drop').dataset.state === 'done'")
    assert driver.find_element("css selector", "#questions h3.caption").text == "is it red?"
    wait(driver, "return document.querySelectorAll('#questions .words button').length === 2")
    assert complaints(driver) == []
