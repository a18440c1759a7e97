"""Proposals: recall, merges by a loop, files of several forms, the cache, and what is wrong named once."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from seqnets.data.demo.region_scenes import draw_regions
from seqnets.data.regions import proposals, selective_search
from seqnets.data.regions.examples import RegionExample, RegionSet
from seqnets.data.regions.loader import RegionPictures
from seqnets.data.regions.moves import Move, moved
from seqnets.data.regions.proposals import read_proposals, with_proposals
from seqnets.data.regions.reading import draw_scenes
from seqnets.errors import UserError

HALVES = np.array([[0, 0, 32, 64], [0, 0, 64, 32]], np.float32)


def overlaps(boxes, others):
    low, high = np.maximum(boxes[:, None, :2], others[:, :2]), np.minimum(boxes[:, None, 2:], others[:, 2:])
    shared, sizes = np.prod(np.maximum(high - low, 0), -1), [np.prod(one[:, 2:] - one[:, :2], axis=1) for one in (boxes, others)]
    return shared / (sizes[0][:, None] + sizes[1] - shared)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def scenes():
    return draw_scenes(3)


def test_things_of_drawn_scenes_are_among_the_proposals():
    pytest.importorskip("skimage")
    best = []
    for number in range(12):
        drawing = draw_regions(number, 5)
        boxes = selective_search.propose(drawing.image, 100)
        assert len(np.unique(boxes, axis=0)) == len(boxes)
        assert boxes.min() >= 0
        assert boxes.max() <= 64
        best.extend(overlaps(drawing.boxes, boxes).max(1))
    assert np.mean(np.array(best) > 0.5) > 0.95
    np.testing.assert_array_equal(selective_search.propose(drawing.image, 100), boxes)
    np.testing.assert_array_equal(selective_search.propose(drawing.image, 7), boxes[:7])


def test_photographs(shared_data):
    pytest.importorskip("skimage")
    from PIL import Image

    from seqnets.data.regions.reading import read_regions

    examples = read_regions(shared_data / "coco_mini").splits["validation"][:4]
    best = []
    for example in examples:
        with Image.open(example.image) as image:
            boxes = selective_search.propose(np.asarray(image.convert("RGB")), 2000)
        large = example.boxes[example.areas > 96**2]
        assert (boxes[:, 2:] <= np.array(example.size[::-1])).all()
        best.extend(overlaps(large, boxes).max(1))
    assert len(best) > 3
    assert np.mean(np.array(best) > 0.5) > 0.7


def test_merges_are_those_of_a_loop_over_pixels():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (9, 11, 3), np.uint8)
    segments = np.repeat(np.repeat(np.arange(12).reshape(3, 4), 3, 0), 3, 1)[:, :11]
    shades, slopes = pixels.astype(int) * 25 // 256, selective_search._slopes(pixels)
    found = list(selective_search._grouped(selective_search._measured(segments, shades, slopes), segments))

    def look(mask, values, bins):
        parts = [np.bincount(values[mask][:, place], minlength=bins) for place in range(values.shape[-1])]
        return np.concatenate(parts) / (mask.sum() * values.shape[-1])

    def box(mask):
        rows, columns = np.nonzero(mask)
        return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]

    def touch(one, other):
        grown = np.zeros_like(one)
        grown[1:] |= one[:-1]
        grown[:-1] |= one[1:]
        grown[:, 1:] |= one[:, :-1]
        grown[:, :-1] |= one[:, 1:]
        return (grown & other).any()

    def likeness(one, other):
        left, top, right, bottom = box(one | other)
        both = one.sum() + other.sum()
        shared = sum(np.minimum(look(one, v, b), look(other, v, b)).sum() for v, b in ((shades, 25), (slopes, 10)))
        return shared + 1 - both / 99 + 1 - ((right - left) * (bottom - top) - both) / 99

    masks = [segments == number for number in range(12)]
    expected = [box(mask) for mask in masks]
    while len(masks) > 1:
        one, other = max(((a, b) for a, b in combinations(range(len(masks)), 2) if touch(masks[a], masks[b])),
                         key=lambda pair: likeness(masks[pair[0]], masks[pair[1]]))  # fmt: skip
        masks = [mask for place, mask in enumerate(masks) if place not in (one, other)] + [masks[one] | masks[other]]
        expected.append(box(masks[-1]))
    np.testing.assert_array_equal(found, expected)


def test_a_plain_picture_has_its_whole_as_a_proposal():
    pytest.importorskip("skimage")
    assert selective_search.propose(np.zeros((20, 30, 3), np.uint8)).tolist() == [[0, 0, 30, 20]]


def write(folder, name, value):
    path = folder / name
    if name.endswith("npz"):
        np.savez(path, **value)
    else:
        path.write_text(json.dumps(value))
    return path


RESULTS = [{"image_id": 7, "bbox": [0, 0, 2, 3], "score": 0.1}, {"image_id": 7, "bbox": [1, 1, 2, 2], "score": 0.9},
           {"file": "x/b.png", "bbox": [0, 0, 1, 1]}]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("a.json", {"a.png": [[0, 0, 2, 3]], "b.png": []}, {"a.png": [[0, 0, 2, 3]], "b.png": []}),
    ("a.json", RESULTS, {"7": [[1, 1, 3, 3], [0, 0, 2, 3]], "x/b.png": [[0, 0, 1, 1]]}),
    ("a.npz", {"a.png": np.array([[0, 0, 2, 3]])}, {"a.png": [[0, 0, 2, 3]]}),
])  # fmt: skip
def test_files_of_every_form(tmp_path, name, value, expected):
    found = read_proposals(write(tmp_path, name, value))
    assert {picture: boxes.tolist() for picture, boxes in found.items()} == expected


@pytest.mark.parametrize(
    "value", [3, {"a.png": [[0, 0, 2]]}, {"a.png": "none"}, [{"bbox": [0, 0, 1, 1]}], [3], {"a.png": [[[0] * 4]]}]
)
def test_other_files_are_refused_with_the_forms_that_are_read(tmp_path, value):
    with pytest.raises(UserError, match=r"the file of proposals '.*a.json' cannot be read: .*; give JSON of"):
        read_proposals(write(tmp_path, "a.json", value))


def test_what_is_wrong_is_named_once_and_left_out(tmp_path, scenes):
    bad = [[10, 5, 3, 2], [1, 1, 1, 9], [float("nan"), 0, 3, 3], [90, 90, 99, 99], [-9, 0, 30, 30], [0, 0, 64, 64]]
    path = write(tmp_path, "p.json", {"scene 0.png": bad, "folder/scene 1": [[0, 0, 9, 9]], "dog.jpg": [[0, 0, 1, 1]]})
    told = []
    found = with_proposals(scenes, str(path), 2, told.append)
    assert found.splits["train"][0].proposals.tolist() == [[3, 2, 10, 5], [0, 0, 30, 30]]
    assert found.splits["train"][2].proposals.shape == (0, 4)
    text = "\n".join(told)
    for words in ("3 proposals with coordinates that are not numbers are left out", "3 proposals without area are left out",
                  "3 proposals with swapped corners are mended", "3 proposals outside of their picture are left out",
                  "3 proposals that reach beyond", "1 picture that is not in the data are left out, the first in 'dog.jpg'",
                  "3 pictures without proposals: nothing is found there, the first in 'scene 2'"):  # fmt: skip
        assert words in text
    assert found.fingerprint() != scenes.fingerprint()
    with pytest.raises(UserError, match=r"has nothing for any picture, such as 'scene 0'; it names cat.png"):
        with_proposals(scenes, str(write(tmp_path, "q.json", {"cat.png": [[0, 0, 1, 1]]})), 2, told.append)


def test_a_picture_goes_by_the_number_in_its_name(tmp_path):
    example = RegionExample(tmp_path / "COCO_val_000000000042.jpg", "COCO_val_000000000042.jpg", (8, 8))
    path = write(tmp_path, "p.json", [{"image_id": 42, "bbox": [0, 0, 4, 4], "score": 1}])
    found = with_proposals(RegionSet("COCO", {"train": (example,)}), str(path), 5, lambda sentence: None)
    assert found.splits["train"][0].proposals.tolist() == [[0, 0, 4, 4]]


def test_segments_are_kept_and_made_again_where_the_file_is_damaged(scenes, monkeypatch, tmp_path):
    calls, told = [], []
    monkeypatch.setattr(selective_search, "propose", lambda image, count: calls.append(1) or HALVES)
    for damage in (False, False, True):
        if damage:
            (kept,) = (tmp_path / "cache" / "proposals").iterdir()
            kept.write_bytes(kept.read_bytes()[:50])
        found = with_proposals(scenes, "", 10, told.append)
        assert all((example.proposals == HALVES).all() for examples in found.splits.values() for example in examples)
    assert len(calls) == 2 * 9
    assert told[0].startswith("proposing boxes for 9 pictures by graph segmentation; they are kept in '")
    monkeypatch.setattr(proposals.places, "cache_folder", lambda name: (_ for _ in ()).throw(OSError("no room")))
    assert len(with_proposals(scenes, "", 10, told.append).splits["train"][0].proposals) == 2


def test_scikit_image_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.segmentation", None)
    with pytest.raises(UserError, match=r"pip install 'seqnets\[proposals\]'"):
        selective_search.propose(np.zeros((8, 8, 3), np.uint8))


def test_proposals_move_with_their_picture(scenes):
    example = replace(scenes.splits["train"][0], proposals=np.array([[0, 0, 32, 64], [60, 60, 64, 64]], np.float32))
    record = RegionPictures([example], (32, 32), parts=("boxes", "proposals"), most=4, proposed=3).record(0)
    assert record["proposals"].tolist() == [[0, 0, 16, 32], [30, 30, 32, 32], [0, 0, 0, 0]]
    found = moved(record, Move((4, 4, 20, 20), (32, 32), mirrored=True), np.zeros(0, int))
    assert found["proposals"].tolist() == [[8, 0, 32, 32], [0] * 4, [0] * 4]
