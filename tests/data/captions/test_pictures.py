import pytest
from PIL import Image

from seqnets.data.captions import CaptionSet, with_pictures
from seqnets.errors import UserError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("a.jpg", "deep/b.PNG", "deep/er/c.jpg"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.txt").write_text("no image")
    return tmp_path


def captions(*names):
    return CaptionSet(names, tuple((f"caption of {name}",) for name in names), ("train",) * len(names), names)


def test_files_are_found_by_path_by_name_and_without_ending(folder):
    found, absent = with_pictures(captions("a.jpg", "b.png", "deep/er/c.jpg", "c", "A.JPG"), folder)
    assert not absent
    expected = ["a.jpg", "deep/b.PNG", "deep/er/c.jpg", "deep/er/c.jpg", "a.jpg"]
    assert found.images == tuple(str(folder / name) for name in expected)
    assert found.captions[1] == ("caption of b.png",)
    assert found.remarks == ()


def test_missing_and_damaged_images_are_reported_and_left_out(folder):
    found, absent = with_pictures(captions("a.jpg", "nothing.jpg", "cut.jpg", "empty.jpg", "gone.jpg", "b.PNG"), folder)
    assert found.ids == ("a.jpg", "b.PNG")
    assert absent.missing == ("nothing.jpg", "gone.jpg")
    assert len(absent.damaged) == 2
    assert str(absent).startswith("2 of 6 images are missing (nothing.jpg, gone.jpg), 2 of 6 images are damaged ('")
    assert "empty.jpg' is empty" in str(absent)
    assert found.remarks == (str(absent),)
    quick, absent = with_pictures(captions("a.jpg", "cut.jpg", "gone.jpg"), folder, decode=False)
    assert (quick.ids, absent.damaged) == (("a.jpg", "cut.jpg"), ())


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "deep/../../a.jpg"])
def test_no_file_outside_the_folder_is_read(folder, name):
    (folder.parent / "a.jpg").write_bytes(b"x")
    found, absent = with_pictures(captions(name, "b.png"), folder)
    inside = [str(folder / "a.jpg")] if name.endswith("a.jpg") else []
    assert [*found.images] == [*inside, str(folder / "deep/b.PNG")]
    assert len(absent.missing) == 1 - len(inside)


def test_nothing_to_use(folder):
    with pytest.raises(UserError, match=r"none of the 2 images with captions is in '.*' \(looked for x.jpg, y.jpg\)"):
        with_pictures(captions("x.jpg", "y.jpg"), folder)
    with pytest.raises(UserError, match="can be used: 1 of 1 images is damaged"):
        with_pictures(captions("cut.jpg"), folder)
    with pytest.raises(UserError, match="is not a folder"):
        with_pictures(captions("a.jpg"), folder / "a.jpg")
