"""Which file a name means, and that no two images are called alike."""

import time
import unicodedata

import pytest

from seqnets.data.images.names import image_ids, match_names, path_as_given

FILES = ["cats/1.jpg", "dogs/1.jpg", "dogs/2.PNG", "a b.jpg", "deep/COCO_val2014_000000000042.jpg"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("cats/1.jpg", "cats/1.jpg"),
        ("pics/cats/1.jpg", "cats/1.jpg"),
        ("/data/pics/dogs/1.jpg", "dogs/1.jpg"),
        ("C:\\data\\dogs\\1.jpg", "dogs/1.jpg"),
        ("../cats/1.jpg", "cats/1.jpg"),
        ("./cats//1.jpg", "cats/1.jpg"),
        ("CATS/1.JPG", "cats/1.jpg"),
        ("cats/1", "cats/1.jpg"),
        ("2.png", "dogs/2.PNG"),
        ("2", "dogs/2.PNG"),
        (" a b.jpg ", "a b.jpg"),
        ("42", "deep/COCO_val2014_000000000042.jpg"),
        ("1.jpg", None),
        ("1", None),
        ("birds/1.jpg", None),
        ("dogs/3.jpg", None),
        ("cats", None),
        ("", None),
        (".", None),
    ],
)
def test_the_longest_end_of_a_path_counts(name, file):
    (place,) = match_names([name], FILES).places
    assert (None if place is None else FILES[place]) == file


def test_names_that_are_shared_are_reported():
    assert match_names(["1.jpg", "cats/1.jpg", "birds/1.jpg", "none.jpg"], FILES).shared == ("1.jpg", "birds/1.jpg")


@pytest.mark.parametrize(
    ("names", "files", "places"),
    [
        (["cats/1.jpg", "birds/1.jpg"], ["cats/1.jpg"], [0, None]),  # the whole name beats a part of it
        (["cats/1.jpg", "birds/1.jpg"], ["photos/1.jpg"], [None, None]),  # nobody knows whose it is
        (["birds/1.jpg"], ["photos/1.jpg"], [0]),
        (["x/cats/1.jpg", "y/birds/1.jpg"], ["cats/1.jpg"], [0, None]),
        (["1.jpg", "cats/1.jpg", "1"], ["cats/1.jpg"], [0, 0, 0]),
        (["a.jpg", "A.jpg"], ["a.jpg", "A.jpg"], [0, 1]),
        (["A.JPG"], ["a.jpg", "A.jpg"], [None]),
        (["a.jpg"], ["a.jpg", "deep/a.jpg"], [0]),
        (["a"], ["a.jpg", "a.png"], [None]),
        (["a.jpg"], ["a"], [0]),
    ],
)
def test_several_names_of_one_file(names, files, places):
    assert match_names(names, files).places == places


def test_the_folder_counts_too():
    assert match_names(["cats/1.jpg", "dogs/1.jpg"], ["1.jpg"], root="/photos/cats").places == [0, None]


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_unicode_forms_do_not_matter(forms):
    name, file = (unicodedata.normalize(form, "crème/Äpfel.jpg") for form in forms)
    assert match_names([name], [file, "crème/Apfel.jpg"]).places == [0]


def test_the_numbers_of_frames_are_not_those_of_coco():
    names = ["a/000000000001.png", "b/000000000001.png", "COCO_val2014_000000000001.jpg", "c/1.png", "d/1.png"]
    assert image_ids(names) == names
    assert image_ids(names[1:2]) == [1]
    assert image_ids(["a.jpg", "b.jpg", "c.jpg"], [7, 7, None]) == ["a.jpg", "b.jpg", "c.jpg"]
    assert path_as_given(path_as_given("a\\./b.jpg")) == "a/b.jpg"


def test_many_files_of_one_name_take_linear_time():
    files, begin = [f"{n:06d}/rgb.png" for n in range(20_000)], time.process_time()
    names = [f"data/{n:06d}/rgb.png" for n in range(20_000)]
    assert match_names(names, files).places == list(range(20_000))
    assert match_names([f"x/{n}/rgb.png" for n in range(20_000)], files).places == [None] * 20_000
    assert time.process_time() - begin < 5
