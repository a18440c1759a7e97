"""What a classifier takes for what, against plain loops."""

import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.inspect import Judgments


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([0.5] * 4, 200)
    return Judgments(("a", "b", "c", "d"), rng.integers(-1, 4, 200), np.log(shares))


def test_counts_are_those_of_a_loop(found):
    expected = np.zeros((4, 4), int)
    for truth, row in zip(found.truth, found.log_probabilities):
        if truth >= 0:
            expected[truth, max(range(4), key=lambda label: row[label])] += 1
    assert (found.counts == expected).all()
    assert found.accuracy == pytest.approx(np.trace(expected) / expected.sum())


def test_the_worst_mistakes_are_those_whose_own_class_was_least_likely(found):
    mistakes = found.worst(1000)
    wrong = [i for i, truth in enumerate(found.truth) if truth >= 0 and found.log_probabilities[i].argmax() != truth]
    assert sorted(one.example for one in mistakes) == wrong
    assert [one.of_truth for one in mistakes] == sorted(one.of_truth for one in mistakes)
    assert all(one.probability > one.of_truth for one in mistakes)
    assert mistakes[:3] == found.worst(3)


def test_the_most_frequent_confusions_come_first(found):
    pairs = found.confused(100)
    assert [pair.count for pair in pairs] == sorted((pair.count for pair in pairs), reverse=True)
    assert sum(pair.count for pair in pairs) == found.counts.sum() - np.trace(found.counts)
    assert all(pair.truth != pair.guess for pair in pairs)


def test_shapes_must_fit():
    with pytest.raises(UserError, match=r"must be \(2, 3\)"):
        Judgments(("a", "b", "c"), np.zeros(2, int), np.zeros((2, 2)))


def test_figures_of_each_class_are_those_of_plain_counting(found):
    known = found.truth >= 0
    for one in found.per_class():
        label = found.labels.index(one.label)
        is_it, taken = found.truth[known] == label, found.guesses[known] == label
        right = (is_it & taken).sum()
        assert (one.examples, one.precision, one.recall) == (is_it.sum(), right / taken.sum(), right / is_it.sum())
        assert one.f1 == pytest.approx(2 * one.precision * one.recall / (one.precision + one.recall))
    assert [one.f1 for one in found.per_class()] == sorted(one.f1 for one in found.per_class())
