"""`seqnets score` of detections: COCO's figures, and mistakes."""

import json
from pathlib import Path

import pytest

BOX = {"image_id": 139, "bbox": [10, 10, 40, 40], "score": 0.9}


@pytest.fixture
def files(tmp_path):
    square = [[10, 10, 50, 10, 50, 50, 10, 50]]
    truth = {
        "images": [{"id": 139, "file_name": "street.jpg", "height": 60, "width": 80}],
        "categories": [{"id": 7, "name": "cat"}],
        "annotations": [{"image_id": 139, "category_id": 7, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0,
                         "segmentation": square}],
    }  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))

    def write(*entries):
        (tmp_path / "found.json").write_text(json.dumps(entries))
        return "found.json", "truth.json"

    return write


def test_figures_are_pycocotools(seqnets, shared_data):
    names = "yolo_fastest/yolo-fastest-1.1_detections_coco_val.json", "coco_mini/instances_val.json"
    outcome = seqnets("score", *(shared_data / name for name in names))
    assert outcome.out.startswith("boxes: AP 0.1519, AP50 0.3474, AP75 0.1205, AP small 0.0459")


def test_phrases_are_scored_where_both_files_have_them(seqnets, files):
    assert "phrases" not in seqnets("score", *files({**BOX, "category": "thing", "caption": "a gray cat"})).out
    truth = json.loads(Path("truth.json").read_text())
    truth["annotations"][0]["caption"] = "a gray cat"
    Path("truth.json").write_text(json.dumps(truth))
    outcome = seqnets("score", "found.json", "truth.json").out
    assert outcome.startswith("boxes: AP 1.0000")
    assert "phrases: phrase AP 1.0000, phrase AP50 1.0000" in outcome


def test_categories_by_name_pictures_by_stem_and_masks(seqnets, files):
    mask = {"segmentation": [[10, 10, 50, 10, 50, 50, 10, 50]]}
    named = {**BOX, "image_id": "street", "category": "cat", **mask}
    figures = json.loads(seqnets("score", *files(named), "--json").out)
    assert (figures["boxes"]["AP"], figures["masks"]["AP"]) == (pytest.approx(1), pytest.approx(1))
    assert figures["boxes"]["AP_small"] == -1


@pytest.mark.parametrize(("entry", "message"), [
    ({**BOX, "image_id": 5, "category_id": 7}, "has the picture 5, which the instances lack"),
    ({**BOX, "category": "dog"}, "the category 'dog' is not one of the instances' (cat"),
    ({"image_id": 139, "bbox": [1, 2], "category_id": 7, "score": 1}, "cannot be read"),
])  # fmt: skip
def test_mistakes_are_named(seqnets, files, entry, message):
    outcome = seqnets("score", *files(entry))
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
