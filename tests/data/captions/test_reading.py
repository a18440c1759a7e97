import json
from hashlib import sha256

import pytest

from seqnets.data.captions import CaptionSet, image_id, read_captions
from seqnets.errors import UserError

EXPECTED = {"a.jpg": ("a dog, running", 'a "big" dog'), "b.jpg": ("two cats",)}
FORMS = {
    "csv": 'image,caption\na.jpg,"a dog, running"\nb.jpg,two cats\na.jpg,"a ""big"" dog"\n',
    "csv, bare commas": 'image,caption\na.jpg,a dog, running\nb.jpg,two cats\na.jpg,"a ""big"" dog"\n',
    "csv, windows": '\ufeffFile Name,File,Caption\r\n1,a.jpg,"a dog, running"\r\n2,b.jpg,two cats\r\n3,a.jpg,"a ""big"" dog"\r\n',
    "csv, order": 'caption,file_name\n"a dog, running",a.jpg\ntwo cats,b.jpg\n"a ""big"" dog",a.jpg',
    "csv, line break": 'image,caption\na.jpg,"a dog,\nrunning"\nb.jpg,two cats\na.jpg,"a ""big"" dog"\n',
    "tsv": 'image\tcaption\na.jpg\ta dog, running\nb.jpg\ttwo cats\na.jpg\ta "big" dog\n',
    "flickr30k": 'image_name| comment_number| comment\na.jpg| 0| a dog, running\nb.jpg| 0| two cats\na.jpg| 1| a "big" dog\n',
    "tokens": 'a.jpg#0\ta dog, running\na.jpg#1\ta "big" dog\nb.jpg#0\ttwo cats\n',
    "jsonl": '{"image": "a.jpg", "caption": "a dog, running"}\n\n{"image": "b.jpg", "caption": "two cats"}\n'
    '{"image": "a.jpg", "caption": "a \\"big\\" dog"}\n',
    "jsonl, lists": '{"file": "a.jpg", "captions": ["a dog, running", "a \\"big\\" dog"]}\n'
    '{"file": "b.jpg", "captions": ["two cats"]}',
    "jsonl, one line": '{"a.jpg": ["a dog, running", "a \\"big\\" dog"], "b.jpg": "two cats"}',
    "coco": json.dumps(
        {
            "info": {},
            "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}, {"id": 10, "file_name": "c.jpg"}],
            "annotations": [
                {"id": 1, "image_id": 7, "caption": "a dog, running"},
                {"id": 2, "image_id": 9, "caption": "two cats"},
                {"id": 3, "image_id": 7, "caption": 'a "big"\n dog'},
            ],
        }
    ),
    "karpathy": json.dumps(
        {
            "dataset": "flickr8k",
            "images": [
                {
                    "filename": "a.jpg",
                    "imgid": 0,
                    "split": "train",
                    "sentences": [{"tokens": ["x"], "raw": "a dog, running"}, {"raw": 'a "big" dog'}],
                },
                {"filename": "b.jpg", "imgid": 1, "split": "val", "sentences": [{"raw": "two cats"}]},
            ],
        }
    ),
    "list": json.dumps(
        [
            {"file": "a.jpg", "split": "train", "captions": ["a dog, running", 'a "big" dog']},
            {"file": "b.jpg", "split": "val", "captions": ["two cats", " "]},
        ],
        indent=1,
    ),
}


def names_of_rows(count, bad, broken, between=","):
    header = f"image{between}caption\n" if between == "," else "image_name| comment_number| comment\n"
    return header + "".join(f"{broken}\n" if n == bad else f"{n}.jpg{between}dog {n}\n" for n in range(count))


def write(folder, text, name="captions"):
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return folder / name


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_recognized(tmp_path, form):
    found = read_captions(write(tmp_path, FORMS[form]), validation_fraction=0.5, test_fraction=0)
    assert dict(zip(found.images, found.captions)) == EXPECTED
    if form in ("karpathy", "list"):
        assert found.splits == ("train", "validation")
    else:
        assert sorted(found.splits) == ["train", "validation"]
    assert found.ids == ((7, 9) if form == "coco" else ("a.jpg", "b.jpg"))


TWO = {"a.jpg": ("a dog, running",), "b.jpg": ("two cats sleep",)}
MORE_FORMS = {
    "no header": "a.jpg,a dog, running\nb.jpg,two cats sleep\n",
    "no header, quoted": 'a.jpg,"a dog, running"\r\nb.jpg,two cats sleep\r\n',
    "no header, tabs": "a.jpg\ta dog, running\nb.jpg\ttwo cats sleep\n",
    "no header, semicolons": "a.jpg;a dog, running\nb.jpg;two cats sleep\n",
    "no header, bars": "a.jpg|a dog, running\nb.jpg|two cats sleep\n",
    "no header, images last": "a dog, running,a.jpg\ntwo cats sleep,b.jpg\n",
    "no header, numbers": "a.jpg|0|a dog, running\nb.jpg|1|two cats sleep\n",
    "no header, numbers before": "0,b.jpg,two cats sleep\n1,a.jpg,a dog, running\n",
    "sep": "sep=;\nimage;caption\na.jpg;a dog, running\nb.jpg;two cats sleep\n",
    "sep, no header": "sep=;\r\na.jpg;a dog, running\r\nb.jpg;two cats sleep\r\n",
    "column names": "Image Name,Caption\na.jpg,a dog, running\nb.jpg,two cats sleep\n",
    "image_id": "image_id,caption\na.jpg,a dog, running\nb.jpg,two cats sleep\n",
    "a comma in the middle": "image,caption,source\na.jpg,a dog, running,web\nb.jpg,two cats sleep,web\n",
    "a comma at the front": "caption,image\na dog, running,a.jpg\ntwo cats sleep,b.jpg\n",
    "hugging face": 'file_name,caption_0,caption_1\na.jpg,"a dog, running",\nb.jpg,two cats sleep,\n',
    "hugging face, lines": '{"file_name": "a.jpg", "caption_0": "a dog, running", "caption_1": null}\n'
    '{"file_name": "b.jpg", "caption_0": "two cats sleep"}',
    "llava": json.dumps(
        [
            {"id": n, "image": n, "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": text}]}
            for n, (text,) in TWO.items()
        ]
    ),
    "flickr8k-cn": "a.jpg#zhm#0 a dog, running\nb.jpg#zhm#0 two cats sleep\n",
    "flickr8k-cn, tabs": "a.jpg#enr#0\ta dog, running\nb.jpg#enr#0\ttwo cats sleep\n",
    "one line of json": '{"image": "a.jpg", "captions": ["a dog, running"]}\n{"image": "b.jpg", "caption": "two cats sleep"}',
    "blank lines first": "\n\nimage,caption\n\na.jpg,a dog, running\nb.jpg,two cats sleep\n",
    "results": json.dumps([{"image_id": name, "caption": text} for name, (text,) in TWO.items()]),
}


@pytest.mark.parametrize("form", MORE_FORMS)
def test_more_forms(tmp_path, form):
    found = read_captions(write(tmp_path, MORE_FORMS[form]), split="train")
    assert dict(sorted(zip(found.images, found.captions))) == TWO


def test_several_captions_in_a_row(tmp_path):
    found = read_captions(write(tmp_path, "file_name,caption_0,caption_1,split\na.jpg,a dog,the dog,train\n"))
    assert found.captions == (("a dog", "the dog"),)


def test_a_single_object_is_a_line_and_no_table_of_names(tmp_path):
    found = read_captions(write(tmp_path, '{"image": "a.jpg", "caption": "a dog"}\n'), split="train")
    assert (found.images, found.captions) == (("a.jpg",), (("a dog",),))


def test_captions_that_begin_with_a_quotation_mark(tmp_path):
    found = read_captions(write(tmp_path, 'image,caption\na.jpg,"hi" says a man, "ho" another\n'), split="train")
    assert found.captions == (('"hi" says a man, "ho" another',),)


def test_a_text_file_beside_each_picture(tmp_path):
    for name in ("a.jpg", "deep/b.PNG", "deep/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for name, text in (("a.txt", "a dog, running\nthe dog\n\n"), ("deep/b.txt", "two cats sleep"), ("deep/c.txt", "")):
        write(tmp_path, text, name)
    found = read_captions(tmp_path, split="train")
    assert dict(zip(found.images, found.captions)) == {
        "a.jpg": ("a dog, running", "the dog"),
        "deep/b.PNG": ("two cats sleep",),
    }
    assert found.remarks == ("1 caption has no text and is left out",)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"has no \.txt; give a captions file"):
        read_captions(tmp_path / "empty")


def test_several_files_say_their_splits_by_their_names(tmp_path):
    paths = [write(tmp_path, f"image,caption\n{n}.jpg,a dog\n", f"captions_{n}2014.csv") for n in ("train", "val")]
    assert read_captions(paths).splits == ("train", "validation")
    other = write(tmp_path, "image,caption\n" + "".join(f"{n}.jpg,a dog\n" for n in range(30)), "more.csv")
    assert len(set(read_captions([*paths, other]).splits)) == 3  # by hash: not every name says a split
    assert read_captions(other).splits.count("train") == 24


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("x,y\na.jpg,a dog\nb.jpg,a cat", "image,caption"),
        ("x;y\na.jpg;a dog\nb.jpg;a cat", "image;caption"),
        ("x\ty\na.jpg\ta dog\nb.jpg\ta cat", "image<tab>caption"),
        ("a.jpg|a dog|a cat\nb.jpg|a cat|a dog", "image|caption|other"),
    ],
)
def test_the_first_line_that_is_advised_helps(tmp_path, text, advice):
    with pytest.raises(UserError, match="such as: ") as refused:
        read_captions(write(tmp_path, text), split="train")
    assert str(refused.value).endswith(f"begin the file with a line that names its columns, such as: {advice}")
    found = read_captions(write(tmp_path, advice.replace("<tab>", "\t") + "\n" + text), split="train")
    assert found.captions[found.images.index("a.jpg")] == ("a dog",)


BAD = {
    "coco": json.dumps(
        {
            "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(200)],
            "annotations": [{"image_id": n, "caption": f"dog {n}"} for n in range(199)] + [{"image_id": 199, "caption": None}],
        }
    ),
    "coco, dangling": json.dumps(
        {
            "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(199)],
            "annotations": [{"image_id": n, "caption": f"dog {n}"} for n in range(200)],
        }
    ),
    "karpathy": json.dumps(
        {"images": [{"filename": f"{n}.jpg", "sentences": [{"raw": f"dog {n}" if n else None}]} for n in range(200)]}
    ),
    "csv": names_of_rows(200, 19, "x.jpg"),
    "bars": names_of_rows(200, 19, "x.jpg| 4   A dog runs .", "| 0| "),
    "tokens": "".join("broken\n" if n == 19 else f"{n}.jpg#0\tdog {n}\n" for n in range(200)),
    "lines": "".join("{broken\n" if n == 19 else json.dumps({"image": f"{n}", "caption": "dog"}) + "\n" for n in range(200)),
}


@pytest.mark.parametrize("form", BAD)
def test_one_bad_entry_of_many_is_left_out_and_reported(tmp_path, form):
    found = read_captions(write(tmp_path, BAD[form]))
    assert len(found) == 199
    assert found.remarks[0].startswith("1 of 200 captions cannot be used and is left out: ")


def test_values_that_are_missing_and_rows_that_repeat_are_reported(tmp_path):
    found = read_captions(write(tmp_path, "image,caption\na,nan\na,None\na,x\na,x\nb,y\nb,Nan bread\n"), split="train")
    assert found.captions == (("x", "x"), ("y", "Nan bread"))
    assert found.remarks == (
        "2 captions are only a word for a missing value, such as nan, and left out",
        "1 caption repeats another of the same image and is kept",
    )


def test_every_form_is_listed_where_help_and_errors_need_it(tmp_path):
    from seqnets.data.captions import FORMS as TABLE
    from seqnets.data.captions import form_names

    assert all(form.name in form_names() for form in TABLE)
    with pytest.raises(UserError) as refused:
        read_captions(write(tmp_path, '{"info": 3}'))
    assert form_names() in str(refused.value)


def test_karpathys_coco(tmp_path):
    images = [
        {
            "filepath": "val2014",
            "filename": "COCO_val2014_000000391895.jpg",
            "cocoid": 391895,
            "split": "restval",
            "sentences": [],
        },
        {"filepath": "val2014", "filename": "COCO_val2014_000000000042.jpg", "split": "test", "sentences": [{"raw": "Dogs"}]},
    ]
    images[0]["sentences"] = [{"raw": f"caption {i}"} for i in range(7)]
    found = read_captions(write(tmp_path, json.dumps({"images": images, "dataset": "coco"})))
    assert found.images[0] == "val2014/COCO_val2014_000000391895.jpg"
    assert found.ids == (391895, 42)
    assert found.splits == ("train", "test")
    assert len(found.captions[0]) == 7


WRONG = {
    "empty": ("", "is empty; give lines such as"),
    "header only": ("image,caption\n", "has no captions; give lines such as"),
    "no header": (
        "a.jpg,a dog,a cat\n",
        "the first line of '.*' does not name a column of images, .*, such as: image,caption,other",
    ),
    "no delimiter": ("a.jpg a dog\n", "only 'a.jpg a dog'; separate image and caption by a comma, and begin"),
    "no captions": ("image,size\na.jpg,3\n", "does not name a column of captions, only 'image, size'"),
    "short line": ("image,caption\na.jpg,a dog\nb.jpg\n", "line 3 of '.*' has 1 column and lacks column 2, 'caption'"),
    "no image": ("image,caption\n,a dog\n", "line 2 of '.*' names no image"),
    "open quote": (
        'caption,image\n"a dog,\nruns,b.jpg\nb.jpg\n',
        "line 2 of '.*' names no image; give its file name .2 of 3 captions cannot be used",
    ),
    "token line": ("a.jpg#0\ta dog\nb.jpg a cat\n", "line 2 of '.*' is not 'name.jpg#0', a tab and a caption, but 'b.jpg a cat'"),
    "jsonl": ('{"image": "a", "caption": "b"}\n{"image": "a" "caption": "b"}\n', "line 2, column 15 of '.*' is not JSON"),
    "jsonl list": (
        '{"image": "a", "caption": "b"}\n[1]\n',
        r"line 2 of '.*' is not a JSON object but '\[1\]'",
    ),
    "jsonl keys": ('{"image": "a", "words": "b"}\n{"image": "a"}\n', "line 1 of '.*' has no 'caption' but image, words"),
    "number": (
        '{"image": "a", "caption": 3}\n{"image": "a", "caption": "b"}',
        "line 1 .* must have texts for image and caption, not 3",
    ),
    "json": ('{\n "images": [}\n', "line 2, column 13 of '.*' is not JSON"),
    "other json": ('{"info": 3}', "is JSON, but its form is unknown; give COCO's"),
    "coco image": ('{"images": [{"id": 1}], "annotations": []}', "image 0 of '.*' must be"),
    "coco bare": (
        '{"images": [], "annotations": [{"image_id": 1, "caption": "a"}]}',
        "annotation 0 of '.*' belongs to image 1, which",
    ),
    "coco text": ('{"images": [], "annotations": [{"image_id": 1}]}', "annotation 0 of '.*' has no text 'caption'"),
    "split": (
        '[{"image": "a", "caption": "b", "split": "left"}]',
        "entry 0 of entries in '.*' has the split 'left'; it must be one of",
    ),
    "two splits": (
        "image,caption,split\na,b,train\na,c,test\n",
        "line 3 of '.*' puts image 'a' into 'test', but it was in 'train'",
    ),
    "deep": ("[" * 100_000, "nested too deeply|is not JSON"),
    "one image": ("image,caption\na.jpg,a dog\n", "1 different examples cannot be split"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_place(tmp_path, case):
    text, message = WRONG[case]
    with pytest.raises(UserError, match=message) as refused:
        read_captions(write(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_not_utf8(tmp_path):
    (tmp_path / "captions").write_bytes("image,caption\na,caf\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match="is not UTF-8"):
        read_captions(tmp_path / "captions")


def names(count):
    return "image,caption\n" + "".join(f"{i:05d}.jpg,dog {i}\n" for i in range(count))


def test_the_split_is_the_same_on_any_machine_and_in_any_order(tmp_path):
    found = read_captions(write(tmp_path, names(1000)))
    assert [found.splits.count(split) for split in ("train", "validation", "test")] == [800, 100, 100]
    head, *lines = names(1000).splitlines()
    turned = read_captions(write(tmp_path, "\n".join([head, *lines[::-1]])))
    assert dict(zip(turned.images, turned.splits)) == dict(zip(found.images, found.splits))
    by_hash = sorted(found.images, key=lambda name: sha256(name.encode()).digest())
    assert set(found.split("test").images) == set(by_hash[:100])
    assert set(found.split("validation").images) == set(by_hash[100:200])
    more = read_captions(write(tmp_path, names(1010)))
    moved = sum(more.splits[i] != found.splits[i] for i in range(1000))
    assert moved <= 10


def test_settings_of_the_split(tmp_path):
    path = write(tmp_path, names(20))
    assert set(read_captions(path, split="val").splits) == {"validation"}
    assert "test" not in read_captions(path, test_fraction=0).splits
    with pytest.raises(UserError, match="leave nothing to train on"):
        read_captions(path, validation_fraction=0.5, test_fraction=0.5)
    with pytest.raises(UserError, match=r"at least 0 and below 1, not -0\.1"):
        read_captions(path, test_fraction=-0.1)


def test_images_without_a_split_are_left_out_and_reported(tmp_path):
    found = read_captions(write(tmp_path, "image,caption,split\na,x,train\nb,y,\nc,z,unassigned\nd,w,dev\n"))
    assert (found.images, found.splits) == (("a", "d"), ("train", "validation"))
    assert found.remarks == ("2 of 4 images are in no split and left out",)


def test_captions_without_text_are_reported(tmp_path):
    found = read_captions(write(tmp_path, "image,caption\na,x\na, \nb,\nc,y\n"), test_fraction=0)
    assert found.images == ("a", "c")
    assert found.remarks == ("2 captions have no text and are left out",)


def test_lists(tmp_path):
    path = write(tmp_path, names(6))
    lists = {"train": "00001.jpg\n00002.jpg\n", "dev": "00003\n", "test": "00004.jpg\n00009.jpg\r\n"}
    files = {split: write(tmp_path, text, f"{split}Images.txt") for split, text in lists.items()}
    found = read_captions(path, lists=files)
    assert found.images == ("00001.jpg", "00002.jpg", "00003.jpg", "00004.jpg")
    assert found.splits == ("train", "train", "validation", "test")
    assert found.remarks == (
        "2 of 6 images are in no list and left out",
        "1 of 5 images in the lists have no caption (00009.jpg)",
    )
    assert read_captions(path, lists=tmp_path).splits == found.splits
    write(tmp_path, "00001.jpg", "testImages.txt")
    with pytest.raises(UserError, match=r"image '00001\.jpg' is in two lists, train and test"):
        read_captions(path, lists=files)
    write(tmp_path, "x", "second_train.txt")
    with pytest.raises(UserError, match="has several lists for train"):
        read_captions(path, lists=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no lists of images"):
        read_captions(path, lists=tmp_path / "empty")
    with pytest.raises(UserError, match="is not a folder"):
        read_captions(path, lists=tmp_path / "nothing")
    with pytest.raises(UserError, match="none of the 6 images"):
        read_captions(path, lists={"train": write(tmp_path, "z", "z.txt")})


def test_the_real_sets(shared_data):
    folder = shared_data / "captions"
    official = read_captions(folder / "flickr8k_text/Flickr8k.token.txt", lists=folder / "flickr8k_text")
    assert str(official) == "8,000 images with 40,000 captions (6,000 train, 1,000 validation, 1,000 test)"
    table, listed = (read_captions(folder / "flickr8k_1000" / name) for name in ("captions.txt", "dataset.json"))
    assert (len(table), len(listed)) == (1000, 991)
    assert {split: listed.splits.count(split) for split in set(listed.splits)} == {"train": 753, "validation": 113, "test": 125}
    captions = dict(zip(table.images, table.captions))
    assert all(sorted(captions[image]) == sorted(texts) for image, texts in zip(listed.images, listed.captions))


def test_ids():
    assert image_id("COCO_train2014_000000000009.jpg") == 9
    assert image_id("x/000000000009.png") == 9
    assert image_id("x/0000000009.png") == "x/0000000009.png"


def test_coco_form_comes_back(tmp_path):
    found = read_captions(write(tmp_path, FORMS["coco"]), split="test")
    again = read_captions(write(tmp_path, json.dumps(found.to_coco())), split="test")
    assert again == found
    assert isinstance(again, CaptionSet)
    assert again.digest == found.digest != found.split("train").digest
