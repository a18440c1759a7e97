import json

import numpy as np
import pytest
from PIL import Image

from seqnets.data.regions.checking import Faults, checked
from seqnets.data.regions.examples import RegionExample, swapped_sides
from seqnets.data.regions.loader import RegionEvaluation, RegionPictures, RegionPlan
from seqnets.data.regions.masks import Polygons, RunLengths, mask_from_json, mask_pixels
from seqnets.data.regions.moves import Move, Variation, moved
from seqnets.data.regions.phrases import phrased
from seqnets.data.regions.reading import draw_figures, draw_scenes, read_regions
from seqnets.errors import UserError


@pytest.fixture(scope="module")
def scenes():
    return draw_scenes(12)


@pytest.fixture(scope="module")
def figures():
    return draw_figures(12)


def picture(path, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)).save(path)


def coco(folder, annotations, images=("a.png",), joints=()):
    categories = [{"id": 7, "name": "cat"}, {"id": 3, "name": "ant", **({"keypoints": list(joints)} if joints else {})}]
    listed = [{"id": n, "file_name": name, "height": 20, "width": 30} for n, name in enumerate(images)]
    for name in images:
        picture(folder / name)
    path = folder / "instances_train.json"
    path.write_text(json.dumps({"images": listed, "annotations": annotations, "categories": categories}))
    return path


def thing(box, **parts):
    return {"image_id": 0, "category_id": 7, "bbox": box, **parts}


def test_polygons_have_the_areas_that_coco_states(shared_data):
    value = json.loads((shared_data / "coco_mini" / "instances_val.json").read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in value["images"]}
    masks = [(mask_pixels(mask_from_json(a["segmentation"]), sizes[a["image_id"]]), a) for a in value["annotations"]]
    shares = [mask.sum() / entry["area"] for mask, entry in masks]
    assert np.median(shares) == pytest.approx(1, abs=0.002)  # the photographs were made smaller
    assert all(isinstance(mask_from_json(a["segmentation"]), RunLengths) for _, a in masks if a["iscrowd"])


def test_run_lengths_of_both_forms():
    mask = np.zeros((3, 4), bool)
    mask[1, 1:3] = True
    plain = mask_from_json({"size": [3, 4], "counts": [4, 1, 2, 1, 4]})
    np.testing.assert_array_equal(mask_pixels(plain, (3, 4)), mask)
    packed = mask_from_json({"size": [3, 4], "counts": "4120" + chr(48 + 2)})  # the last two are differences: 1 - 1, 4 - 2
    np.testing.assert_array_equal(mask_pixels(packed, (3, 4)), mask)
    for bad in ({"size": [3, 4], "counts": [1]}, [[1, 2, 3]], [], "x"):
        with pytest.raises(UserError, match="a mask must be a list of polygons"):
            mask_from_json(bad)


def test_everything_wrong_is_counted_and_named_once():
    nan = float("nan")
    boxes = np.array([[9, 9, 2, 2], [3, 3, 3, 9], [50, 5, 60, 9], [-5, 2, 6, 6], [nan, 0, 1, 1], [1, 1, 5, 5]], np.float32)
    labels = np.array([0, 0, 0, 0, 0, -1], np.int32)
    joints = np.array([[[0, 0, 2], [3, 4, 2], [99, 1, 1], [nan, 2, 2], [5, 5, 0]]] * 6, np.float32)
    bad = RegionExample("b.jpg", "b.jpg", (20, 30), boxes, labels, np.zeros(6, bool), np.ones(6, np.float32), joints=joints)
    faults = Faults()
    found = checked(bad, faults)
    np.testing.assert_array_equal(found.boxes, [[2, 2, 9, 9], [0, 2, 6, 6]])
    np.testing.assert_array_equal(found.joints[0], [[0, 0, 0], [3, 4, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert faults.counts == {
        "swapped": 1, "no area": 1, "outside": 1, "cut": 1, "not finite": 3, "unknown category": 1,
        "joint at zero": 2, "joint outside": 2,
    }  # fmt: skip
    assert "1 box without area is left out, the first in 'b.jpg'" in faults.remarks()


def test_coco_of_hostile_entries(tmp_path):
    path = coco(tmp_path, [
        thing([1, 1, 8, 8], segmentation=[[1, 1, 9, 1, 9, 9]], area=32),
        thing([1, 1, 8, 8], category_id=99, segmentation=[[1, 1, 9, 1, 9, 9]]),
        thing([1, 1, 8, 8], segmentation={"size": [2, 2], "counts": [4]}),
        thing([1, 1, 0, 8], segmentation=[[1, 1, 9, 1, 9, 9]]),
    ], images=("a.png", "b.png"))  # fmt: skip
    (tmp_path / "b.png").unlink()
    found = read_regions(path)
    assert found.classes == ("ant", "cat")
    assert found.splits["train"][0].labels.tolist() == [1]
    assert found.splits["train"][0].pixel_labels().max() == 2
    said = " | ".join(found.remarks)
    for words in (
        "without area",
        "that the file does not list",
        "damaged mask",
        "1 picture that the file lists is missing",
    ):
        assert words in said


def test_joints_of_coco(tmp_path):
    found = read_regions(coco(tmp_path, [thing([1, 1, 8, 8], keypoints=[2, 3, 2, 0, 0, 0])], joints=("left eye", "right eye")))
    assert found.joints == ("left eye", "right eye")
    np.testing.assert_array_equal(found.splits["train"][0].joints, [[[2, 3, 1], [0, 0, 0]]])


def test_phrases_of_coco_stay_with_their_things(tmp_path):
    entries = [thing([1, 1, 8, 8], caption="a cat"), thing([1, 1, 0, 8], caption="nothing"), thing([3, 3, 9, 9])]
    found = read_regions(coco(tmp_path, entries))
    assert found.splits["train"][0].phrases == (("a cat",), ())
    (kept,) = phrased(found).splits["train"]
    assert (kept.phrases, kept.labels.tolist(), kept.boxes.tolist()) == ((("a cat",),), [0], [[1, 1, 9, 9]])
    assert phrased(found).fingerprint() != found.fingerprint()


def test_voc(tmp_path):
    picture(tmp_path / "JPEGImages" / "a.jpg")
    (tmp_path / "Annotations").mkdir()
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>5</ymax></bndbox>"
    text = (
        "<annotation><size><width>30</width><height>20</height></size>"
        f"<object><name>dog</name><difficult>1</difficult>{box}</object><object><name>cat</name>{box}</object></annotation>"
    )
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    found = read_regions(tmp_path)
    example = found.splits["train"][0]
    assert (found.classes, example.labels.tolist(), example.is_crowd.tolist()) == (("cat", "dog"), [1, 0], [True, False])
    np.testing.assert_array_equal(example.boxes[0], [0, 0, 10, 5])
    (tmp_path / "Annotations" / "a.xml").write_text("<!DOCTYPE x [<!ENTITY a 'b'>]>" + text)
    with pytest.raises(UserError, match="defines entities"):
        read_regions(tmp_path)


def test_label_maps(tmp_path):
    for split, value in (("train", 2), ("val", 1)):
        picture(tmp_path / split / "a.jpg")
        picture(tmp_path / split / "b.jpg")
        (tmp_path / f"{split}_labels").mkdir()
        Image.fromarray(np.full((20, 30), value, np.uint8)).save(tmp_path / f"{split}_labels" / "a.png")
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\nunlabelled\n")
    found = read_regions(tmp_path)
    assert found.map_classes == ("sky", "road", "car")
    assert [len(part) for part in found.splits.values()] == [1, 1]
    assert found.remarks == ("2 pictures without a label map of their size are left out, the first in 'b.jpg'",)
    (tmp_path / "classes.txt").unlink()
    (tmp_path / "val_labels" / "a.png").unlink()
    with pytest.raises(UserError, match="1 class to learn"):
        read_regions(tmp_path, ignore=2)


def test_pose_files(shared_data):
    found = read_regions(shared_data / "lsp_extended")
    assert {split: len(part) for split, part in found.splits.items()} == {"train": 750, "test": 200}
    assert sum(example.joints[..., 2].sum() for example in found.splits["test"]) == 200 * 14


def test_what_is_not_known_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no regions; looked for COCO's instances_\*.json"):
        read_regions(tmp_path)
    with pytest.raises(UserError, match="there is no 'no/such'"):
        read_regions("no/such")


def test_a_mirror_twice_is_nothing(figures):
    pictures = RegionPictures(figures.splits["train"], (64, 64), parts=("boxes", "joints"), swapped=swapped_sides(figures.joints))
    record, mirror = pictures.record(0), Move((0, 0, 64, 64), (64, 64), mirrored=True)
    once = moved(record, mirror, pictures.swapped)
    assert not np.array_equal(once["joints"], record["joints"])
    right, left = (figures.joints.index(f"{side} shoulder") for side in ("right", "left"))
    assert once["joints"][0, right, 0] < once["joints"][0, left, 0]  # still seen from the front
    twice = moved(once, mirror, pictures.swapped)
    for name, array in record.items():
        np.testing.assert_allclose(twice[name], array, atol=1e-4)


@pytest.mark.parametrize("kind", ["flip", "pad-crop", "resized-crop-flip"])
def test_regions_move_with_their_picture(scenes, kind):
    size = (64, 64)
    parts = ("label_maps", "boxes", "masks")
    pictures = RegionPictures(scenes.splits["train"], size, parts=parts, most=4, variation=Variation(kind, padding=9))
    batch = RegionPlan(pictures, 12, seed=1)(0).batch
    for row in range(12):
        for label, box, mask in zip(batch["labels"][row], batch["boxes"][row], batch["masks"][row]):
            if label < 0 or min(box) <= 0 or max(box) >= 64:  # cut off, a triangle may be smaller than its box
                continue
            painted = (batch["label_maps"][row] == label + 1) & mask
            assert painted.sum() == mask.sum()
            rows, columns = np.nonzero(mask)
            assert np.abs(np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) - box).max() <= 2.5


def test_batches_are_a_function_of_the_step(scenes):
    def batch(step, rows=slice(None), memory=None):
        variation = Variation("resized-crop-flip")
        pictures = RegionPictures(scenes.splits["train"], (32, 32), parts=("boxes",), variation=variation, memory=memory)
        return RegionPlan(pictures, 5, 3, rows)(step).batch

    whole, again, part = batch(7), batch(7, memory={}), batch(7, slice(2, 4))
    for name, array in whole.items():
        np.testing.assert_array_equal(again[name], array)
        np.testing.assert_array_equal(part[name], array[2:4])


def test_unreadable_pictures_are_left_out(tmp_path, scenes):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    examples = [RegionExample(tmp_path / "bad.jpg", "bad.jpg", (64, 64)), *scenes.splits["train"][:2]]
    pictures = RegionPictures(examples, (64, 64), parts=("boxes",))
    batch, unreadable = RegionEvaluation(pictures, 4)(0)
    assert batch["weights"].tolist() == [0, 1, 1, 0]
    assert list(unreadable) == [0]
    batch, unreadable = RegionPlan(pictures, 3, 0)(0)
    assert batch["weights"].tolist() == [1, 1, 1]


def test_a_square_around_a_person_keeps_proportions(figures):
    pictures = RegionPictures(figures.splits["train"], (50, 50), parts=("joints",), context=1.5, swapped=np.arange(14))
    joints, truth = pictures.record(0)["joints"][0, :, :2], figures.splits["train"][0].joints[0, :, :2]
    ratio = np.ptp(joints, 0) / np.ptp(truth, 0)
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-4)
    assert 0 < joints.min() < joints.max() < 50


def test_masks_of_polygons_with_holes_outside_are_finite():
    far = Polygons((np.array([[-50.0, -50], [90, -50], [90, 90], [-50, 90]]),))
    assert mask_pixels(far, (6, 7)).shape == (6, 7)


def test_validation_and_fingerprint(scenes, figures):
    assert scenes.fingerprint() == draw_scenes(12).fingerprint() != draw_scenes(12, seed=1).fingerprint()
    alone = figures.__class__("joints", {"train": figures.splits["train"]}, joints=figures.joints)
    assert {split: len(part) for split, part in alone.with_validation(0.25).splits.items()} == {"train": 9, "validation": 3}
