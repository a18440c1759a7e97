"""Figures of classification against loops over single guesses."""

import numpy as np
import pytest

from seqnets.metrics.classification import accuracy, confusion, macro_f1


@pytest.fixture
def guesses():
    draw = np.random.default_rng(0)
    return draw.integers(0, 4, 200), draw.integers(0, 3, 200)  # class 3 is never guessed, class 4 never occurs


def test_figures_are_those_of_a_loop(guesses):
    truth, found = guesses
    counts = confusion(truth, found, 5)
    scores = []
    for c in range(4):
        right = sum(t == f == c for t, f in zip(truth, found))
        wrong = sum((t == c) != (f == c) for t, f in zip(truth, found))
        scores.append(2 * right / (2 * right + wrong))
    assert counts.tolist() == [[sum((truth == t) & (found == f)) for f in range(5)] for t in range(5)]
    assert accuracy(counts) == pytest.approx(np.mean(truth == found))
    assert macro_f1(counts) == pytest.approx(np.mean(scores))


def test_no_guess_at_all():
    counts = confusion(np.zeros(0, int), np.zeros(0, int), 2)
    assert (accuracy(counts), macro_f1(counts)) == (0.0, 0.0)
