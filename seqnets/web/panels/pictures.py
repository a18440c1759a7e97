"""Pictures with what a model says of them: classes, and answers to questions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from seqnets.data.images.files import ImageError
from seqnets.data.images.preprocessing import Preprocessing
from seqnets.decode.answers import answer_questions, looks_of
from seqnets.decode.captions.images import shown
from seqnets.decode.classification import classify
from seqnets.errors import UserError
from seqnets.inspect import Judgments
from seqnets.run import Run
from seqnets.tasks.classifier import held_out as classes
from seqnets.tasks.vqa import held_out as answers
from seqnets.viz.thumbnails import data_url
from seqnets.web.panels.captions import peaked
from seqnets.web.panels.subject import Subject
from seqnets.web.uploads import picture, wanted

WORST, OTHERS, TOP, SIDE = 80, 40, 5, 320  # examples in the page, classes of each, pixels of their pictures
_LONGEST = 2_000  # characters of a question


def classified(subject: Subject) -> dict[str, Any] | None:
    """Return held-out pictures with their likeliest classes: the worst mistakes first."""
    labeled = subject.material
    if labeled is None:
        return _nothing("pictures") if subject.served else None
    found, pictures = subject.judgments, _Pictures(partial(classes.picture_of, subject.run.model, labeled))
    examples = [
        {**_example(found, row), "name": labeled.names[row], "picture": place, "maps": None}
        for row in _order(found)
        if (place := pictures.place(row, row)) is not None
    ]
    return {**_counted(found, subject, "pictures"), "pictures": pictures.shown, "examples": examples}


def answered(subject: Subject) -> dict[str, Any] | None:
    """Return held-out questions about pictures with their likeliest answers: the worst mistakes first."""
    questions, model = subject.material, subject.run.model
    if questions is None:
        return _nothing("questions") if subject.served else None
    found, maps = answers.looked(model, questions)
    pictures = _Pictures(partial(answers.picture_of, model, questions))
    examples = [
        {
            **_example(found, row),
            "name": questions.asked[row].image,
            "question": questions.asked[row].text,
            "truth": questions.asked[row].answer,
            "picture": pictures.place(row, int(questions.rows[row])),
            **_looks(maps if maps is None else maps[row], looks_of(model, questions.asked[row], questions.examples, row)),
        }
        for row in _order(found)
    ]
    return {**_counted(found, subject, "questions"), "pictures": pictures.shown, "examples": examples}


def classify_one(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Classify a picture that the page sends.

    Raises:
        UserError: it cannot be read.
    """
    image, model = picture(body), run.model
    (best,) = classify(model, [image], labels=model.labels, top=min(TOP, len(model.labels)))
    if isinstance(best, UserError):
        raise best
    url = data_url(shown(model.preprocessing, model.preprocessing.pixels(image)), side=SIDE)
    top = [[guess.label, guess.score] for guess in best]
    return {"pictures": [url], "answers": top, "guess": top[0][0], "maps": None}


@dataclass(frozen=True)
class Asked:
    """What the page asks about a picture."""

    question: str = ""
    """The question."""


def answer_one(run: Run, body: bytes, given: Any) -> dict[str, Any]:
    """Answer a question about a picture that the page sends.

    Raises:
        UserError: the picture cannot be read, or there is no question.
    """
    question = wanted(Asked(), given).question.strip()
    if not question or len(question) > _LONGEST:
        raise UserError(f"type a question of at most {_LONGEST:,} characters")
    (found,) = answer_questions(run.model, picture(body), [question])
    top = [[label, share] for label, share in found.answer.probabilities.items()][:TOP]
    url = data_url(shown(run.model.preprocessing or Preprocessing(), found.image), side=SIDE)
    return {"pictures": [url], "answers": top, "guess": top[0][0], **_looks(found.attention, found.looks)}


def _looks(maps: np.ndarray | None, looks: tuple[str, ...]) -> dict[str, Any]:
    return {"maps": None if maps is None else peaked(maps[: len(looks)]), "looks": list(looks)}


class _Pictures:
    """Pictures of examples as the model sees them, each once."""

    def __init__(self, picture_of: Callable[[int], np.ndarray]) -> None:
        self.shown: list[str] = []
        self._picture_of, self._places = picture_of, dict[int, int]()

    def place(self, example: int, number: int) -> int | None:
        """Return the place of an example's picture, which has a number; None if it cannot be read."""
        if number not in self._places:
            try:
                self.shown.append(data_url(self._picture_of(example), side=SIDE))
            except ImageError:
                return None
            self._places[number] = len(self.shown) - 1
        return self._places[number]


def _order(found: Judgments) -> list[int]:
    """Return the examples of the page: the worst mistakes, one of each confusion, and some of the others."""
    known = found.truth >= 0
    own = np.where(known, found.log_probabilities[np.arange(len(known)), np.maximum(found.truth, 0)], -np.inf)
    wrong = np.flatnonzero(known & (found.guesses != found.truth))
    worst = wrong[np.argsort(own[wrong], kind="stable")]
    first_of = {(int(found.truth[row]), int(found.guesses[row])): int(row) for row in worst[::-1]}
    chosen = dict.fromkeys([*map(int, worst[:WORST]), *list(first_of.values())[:WORST]])
    others = np.flatnonzero(~known | (found.guesses == found.truth))
    some = others[np.unique(np.linspace(0, len(others) - 1, min(OTHERS, len(others))).astype(int))] if len(others) else others
    return [*sorted(chosen, key=lambda row: own[row]), *map(int, some)]


def _example(found: Judgments, row: int) -> dict[str, Any]:
    truth, best = int(found.truth[row]), np.argsort(-found.log_probabilities[row], kind="stable")[:TOP].tolist()
    return {
        "truth": found.labels[truth] if truth >= 0 else None,
        "ofTruth": found.probability(row, truth) if truth >= 0 else None,
        "guess": found.labels[best[0]],
        "answers": [[found.labels[label], found.probability(row, label)] for label in best],
    }


def _counted(found: Judgments, subject: Subject, what: str) -> dict[str, Any]:
    known = found.truth >= 0
    wrong = int((known & (found.guesses != found.truth)).sum())
    return {"source": subject.source, "what": what, "among": len(known), "known": int(known.sum()), "wrong": wrong}


def _nothing(what: str) -> dict[str, Any]:
    return {"source": "", "what": what, "among": 0, "known": 0, "wrong": 0, "pictures": [], "examples": []}
