"""Public sets from a local server: archives unpacked once, names in the place of paths, and digests that are true."""

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from file_server import serving
from seqnets.data import public_sets, read_images, read_text
from seqnets.data.public_sets import PUBLIC_SETS, Part, PublicSet, download, is_here, is_public_set
from seqnets.errors import UserError


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEQNETS_OFFLINE", raising=False)
    with serving() as server:
        yield server


def part_of(server, file, content, **more):
    server.files[file] = content
    return Part(f"{server.url}/{file}", f"sha256:{hashlib.sha256(content).hexdigest()}", 1, **more)


def packed(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in files.items():
            file.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return content.getvalue()


def test_a_set_of_archives(server, tmp_path, monkeypatch):
    parts = (
        part_of(server, "text.zip", packed(captions_dot_csv="image,caption\na.jpg,x\n"), folder="text"),
        part_of(server, "images.zip", packed(deep__a_dot_jpg="jpg"), folder="images"),
    )
    found = PublicSet("captions", parts, "Free for all.", "images", "text/captions.csv")
    monkeypatch.setitem(PUBLIC_SETS, "tiny", found)
    messages = []
    assert not is_here("tiny", tmp_path)
    got = download("tiny", tmp_path, tell=messages.append)
    assert got.captions.read_text() == "image,caption\na.jpg,x\n"
    assert (got.data / "deep" / "a.jpg").read_text() == "jpg"
    assert got.lists is None
    assert messages == ["tiny: Free for all.", "unpacking text.zip", "unpacking images.zip"]
    assert is_here("tiny", tmp_path)
    count = len(server.requests)
    assert download("tiny", tmp_path) == got
    assert len(server.requests) == count
    assert not [path for path in (tmp_path / "tiny" / "downloads").iterdir() if path.suffix != ".lock"]


def test_an_archive_put_there_by_hand_is_unpacked(server, tmp_path, monkeypatch):
    content = packed(a_dot_txt="a")
    part = part_of(server, "a.zip", content, folder="images")
    monkeypatch.setitem(PUBLIC_SETS, "tiny", PublicSet("images", (part,), "Free.", "images"))
    server.files.clear()
    with pytest.raises(UserError, match="save it as") as caught:
        download("tiny", tmp_path)
    Path(str(caught.value).rpartition(" save it as '")[2].removesuffix("'")).write_bytes(content)
    assert (download("tiny", tmp_path).data / "a.txt").read_text() == "a"


def test_a_text_by_name_and_a_path_of_that_name_first(server, tmp_path, monkeypatch):
    text = "to be or not to be\n" * 40
    part = part_of(server, "input.txt", text.encode(), name="plays.txt")
    monkeypatch.setitem(PUBLIC_SETS, "plays", PublicSet("text", (part,), "Free.", "plays.txt"))
    monkeypatch.chdir(tmp_path)
    assert is_public_set("plays", "text")
    assert len(read_text("plays")) == len(text)
    (tmp_path / "plays").write_text("another text\n" * 50)
    assert not is_public_set("plays")
    assert len(read_text("plays")) == 650
    with pytest.raises(UserError, match="did you mean the public text 'plays'"):
        read_text("play")


def test_images_by_name(server, tmp_path, monkeypatch):
    def idx(array):
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        return gzip.compress(header + array.astype(np.uint8).tobytes())

    images, labels = np.arange(4 * 4 * 4).reshape(4, 4, 4), np.arange(4) % 2
    parts = (
        part_of(server, "train-images-idx3-ubyte.gz", idx(images)),
        part_of(server, "train-labels-idx1-ubyte.gz", idx(labels)),
    )
    monkeypatch.setitem(PUBLIC_SETS, "mnist", PublicSet("images", parts, "Free."))
    monkeypatch.chdir(tmp_path)
    found = read_images("mnist")
    np.testing.assert_array_equal(found.splits["train"].images[..., 0], images)
    with pytest.raises(UserError, match="did you mean the public set of images 'cifar10'"):
        read_images("cifar-10")


@pytest.mark.parametrize("part", [part for found in PUBLIC_SETS.values() for part in found.parts], ids=lambda part: part.address)
def test_every_digest_is_whole(part):
    kind, _, digits = part.digest.partition(":")
    assert len(digits) == {"sha256": 64, "md5": 32}[kind]
    assert set(digits) <= set("0123456789abcdef")
    assert not part.folder or part.file.endswith((".zip", ".tar.gz"))


@pytest.mark.parametrize(("name", "path"), [
    ("tiny-shakespeare", "text/tinyshakespeare.txt"), ("names", "text/names.txt"), ("sonnets", "text/shakespeare_sonnets.txt"),
    ("mnist", "images/mnist_t10k/t10k-images-idx3-ubyte.gz"), ("mnist", "images/mnist_t10k/t10k-labels-idx1-ubyte.gz"),
])  # fmt: skip
def test_the_digests_of_files_that_are_here(shared_data, name, path):
    content = (shared_data / path).read_bytes()
    digests = {f"{kind}:{hashlib.new(kind, content, usedforsecurity=False).hexdigest()}" for kind in ("sha256", "md5")}
    assert digests & {part.digest for part in PUBLIC_SETS[name].parts}


def test_the_table_names_what_people_ask_for():
    asked = {"tiny-shakespeare", "sonnets", "names", "mnist", "cifar10", "cifar100", "flickr8k", "coco-train2014", "coco-val2017"}
    assert asked <= set(public_sets.PUBLIC_SETS)


def test_captions_by_name_bring_their_images_and_lists(server, monkeypatch, tmp_path):
    from seqnets.tasks.captioner import CaptionerRunConfig, with_public_set

    parts = (
        part_of(server, "text.zip", packed(captions_dot_csv="image,caption\na.jpg,x\n"), folder="text"),
        part_of(server, "images.zip", packed(a_dot_jpg="jpg"), folder="images"),
    )
    monkeypatch.setitem(PUBLIC_SETS, "tiny", PublicSet("captions", parts, "Free.", "images", "text/captions.csv", "text"))
    messages = []
    found = with_public_set(CaptionerRunConfig(captions="tiny"), messages.append)
    home = tmp_path / "cache" / "data" / "tiny"
    assert found.captions == str(home / "text" / "captions.csv")
    assert (found.images, found.data.split_lists) == (str(home / "images"), str(home / "text"))
    assert messages[0] == "tiny: Free."
    own = CaptionerRunConfig(images="photos", captions="tiny")
    assert with_public_set(own, messages.append).images == "photos"
    assert with_public_set(CaptionerRunConfig(captions="other.csv"), messages.append).captions == "other.csv"
    with pytest.raises(UserError, match="there is no file 'flikr8k'; did you mean the public set of captions 'flickr8k'"):
        with_public_set(CaptionerRunConfig(captions="flikr8k"), messages.append)
