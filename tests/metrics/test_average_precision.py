import json

import numpy as np
import pytest

from seqnets.errors import UserError
from seqnets.metrics.average_precision import coco_figures, voc_average_precision
from seqnets.metrics.detections import Detections, Truths, overlaps
from seqnets.metrics.pose import right_joints, right_limbs
from seqnets.metrics.segmentation import class_overlaps, mean_overlap

BOX = np.array([[0.0, 0.0, 40.0, 40.0]])
ONE = np.array([1])


def corners(entries):
    boxes = np.array([entry["bbox"] for entry in entries], float).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def column(entries, name, kind):
    return np.array([entry[name] for entry in entries], kind)


def found(boxes, scores, label=1):
    return Detections(boxes, np.full(len(boxes), label), np.array(scores))


@pytest.mark.parametrize("split", ["val", "train"])
def test_twelve_figures_are_pycocotools(shared_data, split):
    folder = shared_data / "yolo_fastest"
    expected = json.loads((folder / "yolo-fastest-1.1_expected.json").read_text())["map"][split]["coco_stats"]
    detections = json.loads((folder / f"yolo-fastest-1.1_detections_coco_{split}.json").read_text())
    truth = json.loads((shared_data / "coco_mini" / f"instances_{split}.json").read_text())
    truths, guesses = [], []
    for image in sorted(image["id"] for image in truth["images"]):
        there = [entry for entry in truth["annotations"] if entry["image_id"] == image]
        mine = [entry for entry in detections if entry["image_id"] == image]
        kinds = column(there, "category_id", int), column(there, "iscrowd", bool), column(there, "area", float)
        truths.append(Truths(corners(there), *kinds))
        guesses.append(Detections(corners(mine), column(mine, "category_id", int), column(mine, "score", float)))
    figures = coco_figures(truths, guesses)
    np.testing.assert_allclose(list(figures.values()), expected, atol=1e-6)


def test_masks_are_compared_by_their_pixels():
    masks = np.zeros((2, 8, 8), bool)
    masks[0, :4, :4], masks[1, 2:6, :4] = True, True
    truths = Truths(BOX, ONE, masks=masks[:1])
    assert overlaps(Detections(BOX, ONE, ONE, masks[1:]), truths, of_masks=True) == pytest.approx(8 / 24)
    assert coco_figures([truths], [Detections(BOX, ONE, ONE, masks[:1])], of_masks=True)["AP"] == pytest.approx(1)
    with pytest.raises(UserError, match="needs the masks of detections and truths"):
        overlaps(found(BOX, [1.0]), truths, of_masks=True)


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong():
    crowd = Truths(np.concatenate([BOX, BOX + 100]), np.array([1, 1]), np.array([False, True]))
    guesses = found(np.concatenate([BOX, BOX + 100, BOX + [105, 105, 90, 90]]), [0.5, 0.9, 0.8])
    assert coco_figures([crowd], [guesses])["AP"] == pytest.approx(1)
    assert voc_average_precision([crowd], [guesses]) == {1: 0.5}  # VOC has no crowds: the third one overlaps nothing enough


def test_a_second_detection_of_a_thing_is_wrong():
    guesses = found(np.concatenate([BOX, BOX, BOX + 200]), [0.9, 0.8, 0.7])
    truths = Truths(np.concatenate([BOX, BOX + 200]), np.array([1, 1]))
    assert voc_average_precision([truths], [guesses])[1] == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert voc_average_precision([truths], [guesses], eleven_points=True)[1] == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert coco_figures([truths], [guesses])["AP50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_pictures_without_things_or_detections():
    nothing, none = Truths(np.zeros((0, 4)), np.zeros(0, int)), found(np.zeros((0, 4)), [])
    assert coco_figures([nothing], [none])["AP"] == -1
    assert coco_figures([nothing, Truths(BOX, ONE)], [none, none])["AP"] == 0
    assert voc_average_precision([nothing, Truths(BOX, ONE)], [none, none]) == {1: 0}
    assert coco_figures([nothing, Truths(BOX, ONE)], [found(BOX, [0.9]), found(BOX, [0.5])])["AP50"] == pytest.approx(0.5)


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(UserError, match="truths of 1 pictures, but detections of 0"):
        coco_figures([Truths(BOX, ONE)], [])
    with pytest.raises(UserError, match="labels has 2 rows, but there are 1 boxes"):
        Truths(BOX, np.array([1, 2]))


def test_overlap_of_classes_leaves_out_those_that_do_not_occur():
    counts = np.array([[5, 5, 0], [0, 10, 0], [0, 0, 0]])
    np.testing.assert_allclose(class_overlaps(counts)[:2], [0.5, 10 / 15])
    assert mean_overlap(counts) == pytest.approx((0.5 + 10 / 15) / 2)
    assert mean_overlap(np.zeros((2, 2))) == 0


def test_joints_and_limbs_that_are_not_known_do_not_count():
    truth = np.zeros((2, 3, 2))
    truth[:, 1, 0], truth[:, 2, 0] = 10, 20
    guess = truth + np.array([[0.0, 1.9], [0.0, 3.0]])[:, None]
    known = np.array([[True, True, False], [True, False, False]])
    np.testing.assert_array_equal(right_joints(guess, truth, known, np.array([10.0, 10.0])), [0.5, 1, np.nan])
    np.testing.assert_array_equal(right_limbs(guess, truth, known, [(0, 1), (1, 2)]), [1, np.nan])
