"""Average precision of described regions, by brute force."""

import numpy as np
import pytest

from seqnets.metrics import PhrasedDetections, PhrasedTruths, phrase_figures

WORDS = ["a red circle", "a blue circle", "a small red circle", "a red cross"]


def overlap(a, b):
    shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def exact_average(truths, detections, least):
    """AP of exact phrases, one detection at a time; truths must not overlap by .7."""
    entries, taken = [], set()
    order = [(float(score), -picture, -row) for picture, one in enumerate(detections) for row, score in enumerate(one.scores)]
    for _, picture, row in sorted(order, reverse=True):
        one, truth = detections[-picture], truths[-picture]
        shares = [overlap(one.boxes[-row], box) for box in truth.boxes]
        best = int(np.argmax(shares)) if shares else None
        first = best is not None and shares[best] > 0 and (picture, best) not in taken
        taken.add((picture, best))
        entries.append(bool(first and shares[best] >= least and one.phrases[-row] in truth.phrases[best]))
    count, total = sum(len(one.boxes) for one in truths), 0.0
    for recall in np.linspace(0, 1, 101):
        best = 0.0
        for end in range(1, len(entries) + 1):
            right = sum(entries[:end])
            if right / count >= recall:
                best = max(best, right / end)
        total += best / 101
    return total


def some(seed):
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(5):
        corner = rng.uniform(0, 30, (3, 2)) + [[0, 0], [60, 0], [0, 60]]
        boxes = np.concatenate([corner, corner + rng.uniform(10, 25, (3, 2))], 1)
        phrases = [[str(rng.choice(WORDS))] for _ in boxes]
        truths.append(PhrasedTruths(boxes, phrases))
        moved = np.repeat(boxes, 2, 0) + rng.normal(0, 4, (6, 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        said = [phrases[row // 2][0] if rng.random() < 0.7 else str(rng.choice(WORDS)) for row in range(6)]
        found.append(PhrasedDetections(moved, rng.permutation(30)[:6] / 30 + rng.random(6) * 1e-3, said))
    return truths, found


@pytest.mark.parametrize("seed", range(3))
def test_precision_of_exact_phrases_is_that_of_brute_force(seed):
    truths, found = some(seed)
    figures = phrase_figures(truths, found)
    assert figures["phrase_AP50"] == pytest.approx(exact_average(truths, found, 0.5), abs=1e-9)
    assert 0 < figures["phrase_AP50"] < 1


def test_the_mean_counts_partly_right_phrases():
    box = np.array([[0.0, 0.0, 10.0, 10.0]])
    truth = [PhrasedTruths(box, [["a red circle"]])]

    def mean(phrase, moved=0.0):
        return phrase_figures(truth, [PhrasedDetections(box + [0, 0, moved, 0], np.ones(1), [phrase])])["phrase_AP"]

    assert mean("a red circle") == pytest.approx(1)
    assert mean("a red cross") == pytest.approx(4 / 6)  # ROUGE-L is 2/3
    assert mean("two dogs") == pytest.approx(1 / 6)
    assert mean("a red circle", moved=10.0) == pytest.approx(3 / 5)  # the overlap is .5


def test_truths_of_one_place_are_one_region_with_all_phrases():
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [50.0, 50.0, 60.0, 60.0]])
    truths = [PhrasedTruths(boxes, [["a dog"], ["a brown animal"], ["a cat"]])]
    found = PhrasedDetections(boxes[[0, 2]], np.array([0.9, 0.8]), ["a brown animal", "a cat"])
    assert phrase_figures(truths, [found])["phrase_AP50"] == pytest.approx(1)
    again = PhrasedDetections(boxes[[0, 1, 2]], np.array([0.9, 0.85, 0.8]), ["a brown animal", "a dog", "a cat"])
    assert phrase_figures(truths, [again])["phrase_AP50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_nothing_there_or_nothing_found_is_zero():
    nothing = PhrasedDetections(np.zeros((0, 4)), np.zeros(0), [])
    truth = PhrasedTruths(np.array([[0.0, 0.0, 10.0, 10.0]]), [["a dog"]])
    empty = PhrasedTruths(np.zeros((0, 4)), [])
    for truths, found in (
        ([truth], [nothing]),
        ([empty], [nothing]),
        ([empty], [PhrasedDetections(truth.boxes, np.ones(1), ["x"])]),
    ):
        assert set(phrase_figures(truths, found).values()) == {0.0}
