import io
import os
import stat
import tarfile
import zipfile

import pytest

from seqnets.data.archives import extract_archive
from seqnets.errors import UserError

FILES = {"images/a.jpg": b"one", "images/deep/b.jpg": b"two" * 1000, "captions.txt": b"image,caption\n"}


def tar_of(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            for key, value in (content if isinstance(content, dict) else {}).items():
                setattr(entry, key, value)
            data = content if isinstance(content, bytes) else b""
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    return path


def zip_of(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            entry = zipfile.ZipInfo(name)
            if isinstance(content, dict):
                entry.external_attr = content["mode"] << 16
                content = content.get("data", b"")
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content)
    return path


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_unpacks(tmp_path, kind):
    members = [("images/", {"type": tarfile.DIRTYPE, "mode": 0o755})] if kind != "zip" else []
    members += list(FILES.items())
    archive = zip_of(tmp_path / "a", members) if kind == "zip" else tar_of(tmp_path / "a", members, kind)
    assert files_of(extract_archive(archive, tmp_path / "out")) == FILES
    (tmp_path / "empty").mkdir()
    assert files_of(extract_archive(archive, tmp_path / "empty")) == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty", "out"]


HOSTILE_NAMES = ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "..", "C:/x.txt", "a\\..\\..\\x", "C:x", "a\nb"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_names_that_lead_elsewhere(tmp_path, make, name):
    archive = make(tmp_path / "a", [("good.txt", b"x"), (name, b"bad")])
    refuse(archive, tmp_path, "leads out of the folder|control character")


@pytest.mark.parametrize(
    "entry",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.SYMTYPE, "linkname": "good.txt"},
        {"type": tarfile.LNKTYPE, "linkname": "good.txt"},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
        {"type": tarfile.BLKTYPE},
        {"type": tarfile.FIFOTYPE},
    ],
    ids=lambda entry: repr(entry["type"]),
)
def test_links_and_devices_in_tar(tmp_path, entry):
    refuse(tar_of(tmp_path / "a", [("good.txt", b"x"), ("odd", entry)]), tmp_path, "holds 'odd', a (link|device)")


def test_a_file_below_a_link_in_tar(tmp_path):
    members = [("dir", {"type": tarfile.SYMTYPE, "linkname": str(tmp_path)}), ("dir/x.txt", b"bad")]
    refuse(tar_of(tmp_path / "a", members), tmp_path, "holds 'dir', a link")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_zip(tmp_path, kind):
    archive = zip_of(tmp_path / "a", [("odd", {"mode": kind | 0o777, "data": b"/etc/passwd"})])
    refuse(archive, tmp_path, "holds 'odd', a (link|device)")


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_too_much(tmp_path, make):
    archive = make(tmp_path / "a", [("a", bytes(3 << 20)), ("b", bytes(3 << 20))])
    assert archive.stat().st_size < 1 << 16
    refuse(archive, tmp_path, "more than the 5,000,000 bytes allowed", max_bytes=5_000_000)
    refuse(archive, tmp_path, "more than the 1 files allowed", max_files=1)
    extract_archive(archive, tmp_path / "fits", max_bytes=6 << 20, max_files=2)


def test_a_zip_that_lies_about_its_size(tmp_path):
    archive = zip_of(tmp_path / "a", [("a", bytes(1 << 20))])
    content = bytearray(archive.read_bytes())
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(content)
    with pytest.raises(UserError):
        extract_archive(archive, tmp_path / "out", max_bytes=100)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_damage(tmp_path, make):
    archive = make(tmp_path / "a", [("a", os.urandom(100_000))])
    whole = archive.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 20):
        archive.write_bytes(whole[:cut])
        refuse(archive, tmp_path, "no whole zip or tar archive|cannot be unpacked")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    archive.write_bytes(flipped)
    refuse(archive, tmp_path, "no whole zip or tar archive|cannot be unpacked")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_a_name_twice(tmp_path, make):
    refuse(make(tmp_path / "a", [("x", b"1"), ("x", b"2")]), tmp_path, "holds 'x' twice")


def test_no_folder_is_overwritten(tmp_path):
    archive = zip_of(tmp_path / "a", FILES.items())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists and is not empty"):
        extract_archive(archive, tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="exists and is not empty"):
        extract_archive(archive, tmp_path / "link")
    assert files_of(tmp_path / "out") == {"mine.txt": b"mine"}


def test_no_permissions_but_the_usual(tmp_path):
    archive = tar_of(tmp_path / "a", [("run.sh", b"x")])
    with tarfile.open(archive, "w") as file:
        entry = tarfile.TarInfo("run.sh")
        entry.mode = 0o6777
        file.addfile(entry)
    out = extract_archive(archive, tmp_path / "out")
    assert not (out / "run.sh").stat().st_mode & 0o7111


def refuse(archive, tmp_path, message, **limits):
    before = sorted(tmp_path.parent.iterdir()), sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=message) as refused:
        extract_archive(archive, tmp_path / "out", **limits)
    assert "\n" not in str(refused.value)
    assert (sorted(tmp_path.parent.iterdir()), sorted(tmp_path.iterdir())) == before
