"""Images of one file name in different folders keep their own captions, everywhere."""

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from seqnets.data.captions import read_captions, read_references, with_pictures
from seqnets.data.captions.captioned_images import CaptionedImages
from seqnets.data.captions.config import CaptionDataConfig
from seqnets.decode.captions.hypothesis import Caption
from seqnets.errors import UserError
from seqnets.metrics import Scorer
from seqnets.tasks.captioner.figures import CaptionJudge
from seqnets.tasks.captioner.sources import _captioned

ANIMALS = {"cats": "a cat", "dogs": "the dog", "birds": "some bird"}
PLACES = ("on a red sofa", "in the green grass", "at a long wall")


def paths():
    return [(f"{folder}/{n}.png", f"{animal} {PLACES[n]}") for folder, animal in ANIMALS.items() for n in range(3)]


@pytest.fixture
def folder(tmp_path):
    for name, _ in paths():
        (tmp_path / "pics" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(tmp_path / "pics" / name)
    return tmp_path


def read(folder, before="", **settings):
    lines = ["image,caption", *(f"{before}{name},{text}" for name, text in paths())]
    (folder / "captions.csv").write_text("\n".join(lines))
    return read_captions(folder / "captions.csv", **settings)


@pytest.mark.parametrize("before", ["", "pics/", "/data/other/", "C:\\pics\\", "../", "a/b/pics/"])
def test_captions_find_their_own_picture(folder, before):
    found, absent = with_pictures(read(folder, before), folder / "pics")
    assert not absent
    assert dict(zip(found.images, found.captions)) == {str(folder / "pics" / name): (text,) for name, text in paths()}


def test_what_nobody_can_tell_apart_is_left_out(folder):
    found = read(folder)
    lines = "image,caption\nfish/0.png,a fish\n0.png,a thing\ncats/1.png,a cat\n"
    (folder / "captions.csv").write_text(lines)
    found, absent = with_pictures(read_captions(folder / "captions.csv", test_fraction=0, split="train"), folder / "pics")
    assert found.images == (str(folder / "pics/cats/1.png"),)
    assert absent.shared == ("fish/0.png", "0.png")
    assert "2 of 3 images are given names that match several files" in found.remarks[-1]


def test_a_name_composed_in_the_table_and_decomposed_on_disk(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / unicodedata.normalize("NFD", "Äpfel.png"))
    (tmp_path / "c.csv").write_text(f"image,caption\n{unicodedata.normalize('NFC', 'Äpfel.png')},two apples\n")
    found, absent = with_pictures(read_captions(tmp_path / "c.csv", split="train"), tmp_path)
    assert (len(found), bool(absent)) == (1, False)


def test_perfect_captions_have_a_perfect_figure(folder, monkeypatch):
    found, _ = with_pictures(read(folder, split="validation"), folder / "pics")
    images = _captioned(found, np.zeros((len(found), 2, 2, 3), np.uint8))
    assert list(images.names) == [name for name, _ in paths()]
    judge = CaptionJudge(images, max_words=9)
    perfect = [Caption(texts[0], np.zeros(1, int), 0.0, None, (), score=0.0, ended=True, grid=None) for texts in found.captions]
    monkeypatch.setattr(CaptionJudge, "captions", lambda self, model: perfect)
    monkeypatch.setattr(CaptionJudge, "_nats", lambda self, model, shift: 0.0)
    figures = judge.figures(None)
    expected = Scorer(dict(enumerate(found.captions)))({n: texts[0] for n, texts in enumerate(found.captions)}).corpus
    assert figures["CIDEr"] == pytest.approx(expected["CIDEr"]) == pytest.approx(10, abs=1)
    assert figures["BLEU-4"] == pytest.approx(1)


def test_two_images_of_one_name_in_memory_are_refused():
    with pytest.raises(UserError, match=r"two images are called 'a\.png'; give them different names, such as their paths"):
        CaptionedImages(np.zeros((2, 4, 4, 3), np.uint8), [["a"], ["b"]], names=["a.png", "a.png"])
    CaptionedImages(np.zeros((2, 4, 4, 3), np.uint8), [["a"], ["b"]], names=["x/a.png", "y/a.png"])


def test_cocos_form_and_the_digest_tell_them_apart(folder):
    found = read(folder)
    coco = found.to_coco()
    assert [image["file_name"] for image in coco["images"]] == [image["id"] for image in coco["images"]] == list(found.images)
    (folder / "c.json").write_text(json.dumps(coco))
    assert read_references(folder / "c.json").captions == found.captions
    moved = read(folder, "x/")
    assert moved.digest != found.digest
    with_paths, _ = with_pictures(found, folder / "pics")
    assert (with_paths.digest, with_paths.to_coco()) == (found.digest, coco)


def test_numbers_that_two_images_share_are_no_identity(tmp_path):
    entries = [{"image": f"{folder}.jpg", "image_id": 1, "caption": folder} for folder in "ab"]
    (tmp_path / "c.json").write_text(json.dumps(entries))
    assert read_references(tmp_path / "c.json").ids == ("a.jpg", "b.jpg")


def test_split_lists_mean_paths(folder):
    lists = {
        "train": "cats/0.png\nds/cats/1.png\ndogs/0.png\n",
        "dev": "cats/2.png\nbirds/0\n",
        "test": "dogs\\1.png\n2.png\nfish/9.png\n",
    }
    for split, text in lists.items():
        (folder / f"{split}.txt").write_text(text)
    found = read(folder, lists={split: folder / f"{split}.txt" for split in lists})
    splits = dict(zip(found.images, found.splits))
    assert [name for name, split in splits.items() if split == "train"] == ["cats/0.png", "cats/1.png", "dogs/0.png"]
    assert [name for name, split in splits.items() if split == "validation"] == ["cats/2.png", "birds/0.png"]
    assert [name for name, split in splits.items() if split == "test"] == ["dogs/1.png"]
    assert "1 of 8 images in the lists have no caption (fish/9.png)" in found.remarks
    assert any(remark.startswith("1 of 8 names in the lists match several images") for remark in found.remarks)


def test_splits_by_hash_tell_equal_names_apart(tmp_path):
    (tmp_path / "c.csv").write_text("image,caption\n" + "".join(f"{n}/rgb.png,dog {n}\n" for n in range(50)))
    found = read_captions(tmp_path / "c.csv")
    assert [found.splits.count(split) for split in ("train", "validation", "test")] == [40, 5, 5]


def test_scripts_without_spaces_are_tokens_of_characters(tmp_path):
    from seqnets.tasks.captioner.sources import _vocabulary

    reported = []
    chinese = [["一只狗在草地上奔跑"], ["两只猫"]]
    assert "狗" in _vocabulary(chinese, CaptionDataConfig(), reported.append).letters.characters
    assert reported == [
        "the captions are in a script without spaces, so tokens are characters; --data.unit words makes them words"
    ]
    assert "一只狗在草地上奔跑" in _vocabulary(chinese, CaptionDataConfig(unit="words"), reported.append).words
    assert _vocabulary([["一 只 狗 在 草地 上 奔跑"]], CaptionDataConfig(), reported.append).words
    assert _vocabulary([["a dog"]], CaptionDataConfig(), reported.append).words == ("a", "dog")
    assert len(reported) == 1


def test_a_judge_counts_characters_where_there_are_no_spaces(monkeypatch):
    texts = ["一只狗在草地上", "两只猫睡在沙发上", "许多鸟"]
    images = CaptionedImages(np.zeros((3, 2, 2, 3), np.uint8), [[text] for text in texts])
    said = [Caption(f"{text}吧", np.zeros(1, int), 0.0, None, (), score=0.0, ended=True, grid=None) for text in texts]
    monkeypatch.setattr(CaptionJudge, "captions", lambda self, model: said)
    monkeypatch.setattr(CaptionJudge, "_nats", lambda self, model, shift: 0.0)
    assert CaptionJudge(images, max_words=9).figures(None)["CIDEr"] > 3


def test_one_image_without_a_word_does_not_end_validation(monkeypatch):
    images = CaptionedImages(np.zeros((2, 2, 2, 3), np.uint8), [["🐕"], ["a dog runs here"]])
    said = [Caption("a dog runs here", np.zeros(1, int), 0.0, None, (), score=0.0, ended=True, grid=None)] * 2
    monkeypatch.setattr(CaptionJudge, "captions", lambda self, model: said)
    monkeypatch.setattr(CaptionJudge, "_nats", lambda self, model, shift: 0.0)
    assert CaptionJudge(images, max_words=9).figures(None)["CIDEr"] > 0
