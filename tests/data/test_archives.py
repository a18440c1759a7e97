import gzip
import io
import os
import stat
import tarfile
import tracemalloc
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
        refuse(archive, tmp_path, "not a complete zip or tar archive|not a complete gzip file|cannot be read")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    archive.write_bytes(flipped)
    refuse(archive, tmp_path, "not a complete zip or tar archive|not a complete gzip file|cannot be read")


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


class Zeros(io.RawIOBase):
    def __init__(self, size):
        self.left = size

    def read(self, size):
        count = min(size, self.left)
        self.left -= count
        return bytes(count)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.SOLARIS_XHDTYPE])
def test_a_header_as_large_as_a_file_is_not_read(tmp_path, kind, mode):
    with tarfile.open(tmp_path / "a", mode) as file:
        header = tarfile.TarInfo("header")
        header.type, header.size = kind, 6 << 20
        file.addfile(header, Zeros(6 << 20))
        file.addfile(tarfile.TarInfo("a"))
    tracemalloc.start()
    try:
        refuse(tmp_path / "a", tmp_path, "has a header of 6,291,456 bytes", max_bytes=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < (20 if mode == "w:xz" else 5) << 20  # xz has a dictionary of eight
    finally:
        tracemalloc.stop()


def test_many_large_headers_are_counted(tmp_path):
    with tarfile.open(tmp_path / "a", "w:gz", format=tarfile.PAX_FORMAT) as file:
        for number in range(20):
            entry = tarfile.TarInfo(f"{number}")
            entry.pax_headers = {"comment": "x" * (1 << 20)}
            file.addfile(entry)
    refuse(tmp_path / "a", tmp_path, "more than the 1,000,000 bytes allowed", max_bytes=1_000_000)


def test_what_follows_the_last_file_is_counted(tmp_path):
    tar_of(tmp_path / "plain", [("a", b"x")], "w")
    (tmp_path / "a").write_bytes(gzip.compress((tmp_path / "plain").read_bytes() + bytes(40 << 20)))
    (tmp_path / "plain").unlink()
    refuse(tmp_path / "a", tmp_path, "more than the 1,000,000 bytes allowed", max_bytes=1_000_000)


@pytest.mark.parametrize("name", ["", "."])
@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_a_file_without_a_name(tmp_path, make, name):
    refuse(make(tmp_path / "a", [(name, b"x")]), tmp_path, "holds a file without a name")


def test_a_damaged_header_in_the_middle_does_not_end_the_archive_in_silence(tmp_path):
    archive = tar_of(tmp_path / "a", [("a", b"x" * 600), ("b", b"y"), ("c", b"z")], "w")
    content = bytearray(archive.read_bytes())
    content[3 * 512 + 5] ^= 1
    archive.write_bytes(content)
    refuse(archive, tmp_path, "not a complete zip or tar archive")


def test_a_tar_archive_that_ends_in_a_zip_archive_is_a_tar_archive(tmp_path):
    inner = zip_of(tmp_path / "inner.zip", [("x", b"x")]).read_bytes()
    (tmp_path / "inner.zip").unlink()
    assert files_of(extract_archive(tar_of(tmp_path / "a", [("inner.zip", inner)], "w"), tmp_path / "out")) == {
        "inner.zip": inner
    }


def test_many_files_of_no_bytes_fit(tmp_path):
    archive = tar_of(tmp_path / "a", [(f"{number:0150}", b"") for number in range(600)])
    assert len(files_of(extract_archive(archive, tmp_path / "out", max_bytes=0))) == 600


def refuse(archive, tmp_path, message, **limits):
    before = sorted(tmp_path.parent.iterdir()), sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=message) as refused:
        extract_archive(archive, tmp_path / "out", **limits)
    assert "\n" not in str(refused.value)
    assert (sorted(tmp_path.parent.iterdir()), sorted(tmp_path.iterdir())) == before
