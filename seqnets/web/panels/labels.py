"""Labels over texts, with their probabilities: of every step, or of the whole text while it is read."""

from typing import Any

import numpy as np

from seqnets.tasks.tagger import held_out as steps
from seqnets.tasks.text_classifier import held_out as texts
from seqnets.web.packing import shares
from seqnets.web.panels.subject import Subject

WORST, OTHERS = 30, 20  # texts in the page: those with the worst mistakes, and the first of the others


def steps_of_texts(subject: Subject) -> dict[str, Any] | None:
    """Return held-out sequences with the label of every step: those with the worst mistakes first."""
    if subject.material is None:
        return None
    model, examples = subject.run.model, subject.material
    found, truth = steps.step_shares(model, examples), steps.truth_of(examples)
    there = truth >= 0
    own = np.take_along_axis(found, np.maximum(truth, 0)[..., None], -1)[..., 0]
    wrong = ((found.argmax(-1) != truth) & there).sum(-1)
    order = order_of(np.where(there, own, 0).sum(-1) / np.maximum(1, there.sum(-1)), wrong > 0)
    tokens = steps.tokens_of_rows(model, examples)
    shown = [
        {
            "tokens": _spaced(model, tokens[row]),
            "truth": truth[row, : len(tokens[row])].tolist(),
            "shares": shares(np.exp(found[row, : len(tokens[row])])),
            "wrong": int(wrong[row]),
        }
        for row in order
    ]
    counted = {"among": len(examples), "withMistakes": int((wrong > 0).sum()), "source": subject.source}
    return {"labels": list(model.labels), "texts": shown, **counted}


def _spaced(model: Any, tokens: list[str]) -> list[str]:
    whole = model.vocabulary is not None and model.vocabulary.is_of_characters
    return tokens if whole else [f"{token} " for token in tokens]


def order_of(goodness: np.ndarray, wrong: np.ndarray) -> list[int]:
    """Return the worst of the wrong examples, and the first of the right ones."""
    worst = [int(row) for row in np.argsort(goodness, kind="stable") if wrong[row]][:WORST]
    return worst + [int(row) for row in np.flatnonzero(~wrong)[:OTHERS]]


def classes_of_texts(subject: Subject) -> dict[str, Any] | None:
    """Return held-out texts with their classes while they are read: the worst mistakes first."""
    if subject.material is None:
        return None
    model, examples = subject.run.model, subject.material
    found = texts.judged(model, examples)
    known = found.truth >= 0
    own = np.where(known, found.log_probabilities[np.arange(len(known)), np.maximum(found.truth, 0)], -np.inf)
    wrong = found.guesses != found.truth
    order = order_of(own, wrong)
    read = texts.while_reading(model, examples, order)
    shown = [
        {
            "tokens": [f"{piece} " for piece in pieces] if model.vocabulary.unit == "words" else pieces,
            "truth": int(found.truth[row]),
            "guess": int(found.guesses[row]),
            "p": found.probability(row, int(found.guesses[row])),
            "shares": shares(part),
        }
        for row, (pieces, part) in zip(order, read)
    ]
    counted = {"among": len(examples), "withMistakes": int(wrong.sum()), "source": subject.source}
    return {"labels": list(model.labels), "texts": shown, **counted}
