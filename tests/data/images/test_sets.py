"""Labeled images of every kind, recognized by their files."""

import gzip
import re
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from seqnets.data.images.sets import read_images
from seqnets.errors import UserError


def write_idx(path, array):
    content = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_cifar(path, labels, images):
    rows = [[*np.atleast_1d(label), *image.transpose(2, 0, 1).ravel()] for label, image in zip(labels, images)]
    path.write_bytes(np.array(rows, np.uint8).tobytes())


def write_photos(folder, classes, count=4, size=(12, 10)):
    rng = np.random.default_rng(len(str(folder)))
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)).save(folder / name / f"{i}.png")


RNG = np.random.default_rng(0)
DIGITS, NUMBERS = RNG.integers(0, 256, (6, 5, 4)), np.array([3, 1, 4, 1, 5, 9])


@pytest.mark.parametrize("end", ["-images-idx3-ubyte", "-images.idx3-ubyte.gz"])
def test_idx_files_alone_are_what_there_is_to_train_on(tmp_path, end):
    write_idx(tmp_path / f"t10k{end}", DIGITS)
    write_idx(tmp_path / f"t10k{end.replace('images', 'labels').replace('idx3', 'idx1')}", NUMBERS)
    found = read_images(tmp_path)
    assert found.kind == "MNIST"
    assert found.classes == tuple("0123456789")
    assert list(found.splits) == ["train"]
    np.testing.assert_array_equal(found.splits["train"].images[..., 0], DIGITS)
    assert found.splits["train"].labels.tolist() == NUMBERS.tolist()


def test_fashion_is_known_by_its_folder_and_has_a_test_split(tmp_path):
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for split in ("train", "t10k"):
        write_idx(folder / f"{split}-images-idx3-ubyte", DIGITS)
        write_idx(folder / f"{split}-labels-idx1-ubyte", NUMBERS)
    found = read_images(folder)
    assert list(found.splits) == ["test", "train"] or list(found.splits) == ["train", "test"]
    assert found.classes[9] == "ankle boot"


def test_cifar_records_become_images(tmp_path):
    images = RNG.integers(0, 256, (5, 32, 32, 3), np.uint8)
    write_cifar(tmp_path / "data_batch_1.bin", [3, 0], images[:2])
    write_cifar(tmp_path / "data_batch_2.bin", [9], images[2:3])
    write_cifar(tmp_path / "test_batch.bin", [1, 2], images[3:])
    found = read_images(tmp_path)
    np.testing.assert_array_equal(found.splits["train"].images, images[:3])
    np.testing.assert_array_equal(found.splits["test"].images, images[3:])
    assert [found.classes[label] for label in found.splits["train"].labels] == ["cat", "airplane", "truck"]


def test_cifar_100_has_its_fine_labels(tmp_path):
    images = RNG.integers(0, 256, (2, 32, 32, 3), np.uint8)
    write_cifar(tmp_path / "train.bin", [(7, 99), (0, 5)], images)
    (tmp_path / "fine_label_names.txt").write_text("\n".join(f"kind{i}" for i in range(100)))
    found = read_images(tmp_path)
    assert [found.classes[label] for label in found.splits["train"].labels] == ["kind99", "kind5"]


def test_folders_are_classes(tmp_path):
    write_photos(tmp_path / "a", ["dog", "cat"], count=3)
    (tmp_path / "a" / "empty").mkdir()
    write_photos(tmp_path / "b", ["cat", "emu"], count=2)
    found = read_images(tmp_path / "a", tmp_path / "b")
    assert found.classes == ("cat", "dog", "emu")
    train = found.splits["train"]
    assert {(path.parent.name, label) for path, label in zip(train.images, train.labels)} == {("cat", 0), ("dog", 1), ("emu", 2)}
    assert len(train) == 10


def test_folders_of_splits_are_splits(tmp_path):
    for split, count in (("train", 3), ("valid", 2), ("test", 1)):
        write_photos(tmp_path / split, ["dog", "cat"], count=count)
    found = read_images(tmp_path)
    assert {name: len(images) for name, images in found.splits.items()} == {"train": 6, "validation": 4, "test": 2}
    assert found.with_validation(0.5) is found


def test_each_class_gives_its_share_and_new_images_move_few_old_ones(tmp_path):
    write_photos(tmp_path, ["dog", "cat"], count=40)
    before = read_images(tmp_path).with_validation(0.25)
    held = before.splits["validation"]
    assert np.bincount(held.labels).tolist() == [10, 10]
    assert not set(held.names) & set(before.splits["train"].names)
    for i in range(40, 44):
        Image.new("RGB", (4, 4)).save(tmp_path / "dog" / f"{i}.png")
    after = read_images(tmp_path).with_validation(0.25).splits["validation"]
    assert len(set(held.names) & set(after.names)) >= 17
    assert read_images(tmp_path).with_validation(0.0).splits.keys() == {"train"}


def test_equal_images_fall_on_one_side(tmp_path):
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.repeat(RNG.integers(0, 256, (10, 4, 4)), 3, axis=0))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.repeat([0, 1], 15))
    found = read_images(tmp_path).with_validation(0.3)
    assert not set(found.splits["validation"].names) & set(found.splits["train"].names)
    assert len(found.splits["validation"]) == 12


def test_the_fingerprint_tells_sets_apart(tmp_path):
    write_photos(tmp_path, ["dog", "cat"])
    before = read_images(tmp_path).fingerprint()
    assert read_images(tmp_path).fingerprint() == before
    (tmp_path / "dog" / "0.png").rename(tmp_path / "dog" / "zero.png")
    assert read_images(tmp_path).fingerprint() != before


def test_the_measured_preprocessing_normalizes(tmp_path):
    rule = read_images().preprocessing()
    images = rule.normalize(read_images().splits["train"].images)
    np.testing.assert_allclose(images.mean((0, 1, 2)), 0, atol=2e-3)
    np.testing.assert_allclose(images.std((0, 1, 2)), 1, atol=2e-3)
    assert rule.image_size == (32, 32)
    assert read_images().preprocessing(40, "gray").image_size == (40, 40)


def spoiled(kind, folder):
    if kind == "pickles":
        (folder / "data_batch_1").write_bytes(b"\x80\x04")
    if kind == "cut cifar":
        (folder / "data_batch_1.bin").write_bytes(bytes(3072))
    if kind == "labels too large":
        write_cifar(folder / "data_batch_1.bin", [10], np.zeros((1, 32, 32, 3)))
    if kind in ("cut idx", "no labels", "not gzip", "misfit"):
        write_idx(folder / "train-images-idx3-ubyte", DIGITS)
    if kind == "misfit":
        write_idx(folder / "train-labels-idx1-ubyte", NUMBERS[:4])
    if kind == "cut idx":
        (folder / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0]))
    if kind == "not gzip":
        (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"hello")
    if kind == "one class":
        write_photos(folder, ["dog"])
    if kind == "loose":
        Image.new("RGB", (4, 4)).save(folder / "a.png")
    if kind == "no train":
        write_photos(folder / "val", ["dog", "cat"])


MISTAKES = {
    "pickles": "pickles, which can run any code when read; get the binary version",
    "cut cifar": "has 3,072 bytes, not a multiple of 3,073, a CIFAR record",
    "labels too large": "has the label 10, more than CIFAR's 10 classes",
    "cut idx": "do not fit its shape",
    "no labels": "has train-images-idx3-ubyte but no train-labels-idx1-ubyte (or .gz)",
    "not gzip": "is not a complete gzip file",
    "misfit": "they do not belong together",
    "one class": "has images of one class only (dog)",
    "loose": "has no folders of images, one for each class (the images in it belong to no class)",
    "no train": "has a folder val/ but no train/",
    "nothing": "has no folders of images, one for each class; give such a folder, or one with CIFAR's",
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_what_cannot_be_used_is_reported(tmp_path, kind):
    spoiled(kind, tmp_path)
    with pytest.raises(UserError) as error:
        read_images(tmp_path)
    assert MISTAKES[kind] in str(error.value)


def test_a_missing_folder_and_a_file_are_reported(tmp_path):
    with pytest.raises(UserError, match="there is no folder"):
        read_images(tmp_path / "no")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file; give a folder"):
        read_images(tmp_path / "file")


def test_mnist_itself(shared_data):
    found = read_images(shared_data / "images/mnist_t10k").with_validation(0.15)
    assert sum(len(images) for images in found.splits.values()) == 10000
    assert abs(len(found.splits["validation"]) - 1500) <= 5


def remarks(folder):
    return "\n".join(read_images(folder).remarks)


def test_loose_pictures_are_reported(tmp_path):
    write_photos(tmp_path, ["dog", "cat"])
    Image.new("RGB", (4, 4)).save(tmp_path / "loose.png")
    assert re.search(r"left out 1 image that lies in '.*' itself, in no class: 'loose.png'", remarks(tmp_path))


def test_a_class_that_has_no_training_images_is_left_out_and_reported(tmp_path):
    write_photos(tmp_path / "train", ["dog", "cat"], count=2)
    write_photos(tmp_path / "val", ["dog", "cat", "emu"], count=3)
    write_photos(tmp_path / "test", ["unknown"], count=2)
    found = read_images(tmp_path)
    assert found.classes == ("cat", "dog")
    assert {name: len(images) for name, images in found.splits.items()} == {"train": 4, "validation": 6}
    assert "class 'emu' has no images to train on, and its 3 for validation are left out" in found.remarks[0]
    assert "class 'unknown' has no images to train on, and its 2 for test are left out" in found.remarks[1]


@pytest.mark.parametrize("name", ["train", "test", "val"])
def test_a_class_may_be_called_as_a_split(tmp_path, name):
    write_photos(tmp_path, [name, "bus", "car"])
    found = read_images(tmp_path)
    assert found.classes == tuple(sorted([name, "bus", "car"]))
    assert not found.remarks


def test_classes_beside_the_folder_of_the_split_are_reported(tmp_path):
    write_photos(tmp_path / "train", ["dog", "cat"])
    write_photos(tmp_path, ["emu"])
    assert "whose classes are in train/: emu/; move them there" in remarks(tmp_path)


@pytest.mark.parametrize(("name", "content", "reason"), [
    ("a.jpg", b"no picture", "is not an image"), ("a.heic", b"\0\0\0\x18ftypheic", "pillow-heif"), ("a.png", b"", "is empty"),
])  # fmt: skip
def test_a_class_without_a_readable_image_is_refused(monkeypatch, tmp_path, name, content, reason):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    write_photos(tmp_path, ["dog", "cat"])
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"the class 'emu' has no image that can be read, of 1: .*{reason}.*repair them"):
        read_images(tmp_path)


def test_a_folder_of_files_of_no_known_ending_is_no_class_and_reported(tmp_path):
    write_photos(tmp_path, ["dog", "cat"])
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / "a.jpg_large").touch()
    (tmp_path / "dog" / "b").touch()
    assert "1 file is skipped" in remarks(tmp_path)
    assert re.search(r"not a class: the folder '.*emu' has no images; looked for .* 'a.jpg_large'", remarks(tmp_path))


def test_what_was_passed_over_explains_why_there_is_one_class_only(tmp_path):
    write_photos(tmp_path / "train", ["steam"])
    write_photos(tmp_path, ["bus", "car"])
    with pytest.raises(
        UserError, match=r"one class only \(steam\); .*; skipped in '.*', whose classes are in train/: bus/, car/"
    ):
        read_images(tmp_path)
