"""Scenes: what is drawn is what is said, splits share no combination, and sentences read back as what they say."""

import itertools

import numpy as np
import pytest

from seqnets.data.demo.scene_words import (
    COLORS,
    RELATIONS,
    SHAPES,
    SIZES,
    Claim,
    Thing,
    is_correct,
    named_things,
    read_claim,
    sentences,
)
from seqnets.data.demo.scenes import Box, Scenes, combinations
from seqnets.errors import UserError

THINGS = [Thing(*parts) for parts in itertools.product(SIZES, COLORS, SHAPES)]


def test_every_sentence_reads_back_as_the_claim_it_tells():
    for one, relation, other in itertools.product(THINGS[::7], RELATIONS, THINGS[::5]):
        claim = Claim(one, relation, other)
        texts = sentences(claim)
        assert len(set(texts)) == 4
        assert all(read_claim(text) == claim for text in texts)
        assert all(is_correct(text, claim) and is_correct(text, claim.reversed) for text in texts)


def test_any_single_wrong_word_makes_a_sentence_wrong():
    claim = Claim(Thing("small", "red", "cross"), "above", Thing("large", "blue", "circle"))
    right_words = ["small", "red", "cross", "above", "large", "blue", "circle"]
    wrong = zip(right_words, ["large", "green", "square", "below", "small", "white", "triangle"])
    for text, (right, other) in itertools.product(sentences(claim), list(wrong)):
        assert not is_correct(text.replace(right, other), claim)


def test_what_is_no_sentence_claims_nothing():
    for text in (
        "",
        "a red cross",
        "a small red cross is above a large blue circle circle",
        "small red cross above large blue circle",
    ):
        assert read_claim(text) is None


def test_boxes_hold_their_colors_and_lie_as_the_relation_says():
    paint = {"red": 0, "green": 1, "blue": 2}
    for scene in Scenes("train", count=200):
        one, other = scene.boxes
        x, y = (one.left + one.right - other.left - other.right) / 2, (one.top + one.bottom - other.top - other.bottom) / 2
        said = ("left of" if x < 0 else "right of") if abs(x) > abs(y) else ("above" if y < 0 else "below")
        assert scene.claim.relation == said
        assert min(abs(x), abs(y)) <= 0.5 * max(abs(x), abs(y)) + 1e-9
        assert all(0 <= side <= 64 for box in scene.boxes for side in box)
        for thing, box in zip(scene.claim.things, scene.boxes):
            if thing.color in paint:
                center = scene.image[int((box.top + box.bottom) / 2), int((box.left + box.right) / 2)].astype(int)
                assert center.argmax() == paint[thing.color], (scene.claim, center)


def test_boxes_do_not_overlap_and_hold_all_that_is_drawn():
    for scene in Scenes("test", count=100):
        (a, b), ground = scene.boxes, np.median(scene.image.reshape(-1, 3), axis=0)
        assert a.right <= b.left or b.right <= a.left or a.bottom <= b.top or b.bottom <= a.top
        rows, columns = np.nonzero(np.abs(scene.image.astype(float) - ground).max(-1) > 40)
        assert all(a.holds(x + 0.5, y + 0.5, 1) or b.holds(x + 0.5, y + 0.5, 1) for x, y in zip(columns, rows))


def test_splits_share_no_combination_and_together_have_all():
    found = {split: set(combinations(split)) for split in ("train", "validation", "test")}
    assert sum(map(len, found.values())) == len(set.union(*found.values()))
    pairs = sum((a.color, a.shape) != (b.color, b.shape) for a in THINGS for b in THINGS)
    assert sum(map(len, found.values())) == 2 * pairs


def test_scenes_are_a_function_of_seed_and_number():
    one, again, other = Scenes("train", 4, seed=1), Scenes("train", 4, seed=1), Scenes("train", 4, seed=2)
    np.testing.assert_array_equal(one.images(), again.images())
    assert [scene.claim for scene in one] != [scene.claim for scene in other]


def test_words_are_of_the_thing_that_they_describe():
    claim = Claim(Thing("small", "red", "cross"), "above", Thing("small", "blue", "cross"))
    text = "there is a small blue cross below a small red cross"
    named = dict(zip(range(11), named_things(text.split(), claim)))
    assert named == {0: None, 1: None, 2: None, 3: 1, 4: 1, 5: 1, 6: None, 7: None, 8: 0, 9: 0, 10: 0}


def test_a_box_ends_before_its_right_and_bottom():
    assert Box(0, 0, 2, 2).holds(0, 0)
    assert not Box(0, 0, 2, 2).holds(2, 0)


@pytest.mark.parametrize(("split", "count", "message"), [("all", 3, "not 'all'"), ("test", 0, "at least 1, not 0")])
def test_scenes_that_cannot_be_are_refused(split, count, message):
    with pytest.raises(UserError, match=message):
        Scenes(split, count)
