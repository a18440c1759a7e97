import hashlib
import io
import zipfile

import pytest

from file_server import serving
from seqnets.data.captions import public_sets
from seqnets.data.captions.public_sets import PUBLIC_SETS, Part, PublicSet, download


@pytest.fixture
def server():
    with serving() as server:
        yield server


def packed(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, text in files.items():
            file.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return content.getvalue()


def test_a_whole_set(server, tmp_path, monkeypatch):
    archives = {"text.zip": packed(captions_dot_csv="image,caption\na.jpg,x\n"), "images.zip": packed(deep__a_dot_jpg="jpg")}
    server.files |= archives
    parts = tuple(
        Part(f"{server.url}/{name}", f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}", 1, name[:-4])
        for name, content in archives.items()
    )
    monkeypatch.setitem(public_sets.PUBLIC_SETS, "tiny", PublicSet(parts, "images", "text/captions.csv", "", "Free for all."))
    reported = []
    found = download("tiny", tmp_path, tell=reported.append)
    assert found.captions.read_text() == "image,caption\na.jpg,x\n"
    assert (found.images / "deep" / "a.jpg").read_text() == "jpg"
    assert found.lists is None
    assert reported[0] == "Free for all."
    assert len(reported) == 3
    count = len(server.requests)
    assert download("tiny", tmp_path) == found
    assert len(server.requests) == count
    assert not [path for path in (tmp_path / "tiny" / "downloads").iterdir() if path.suffix != ".lock"]


def test_the_table():
    for found in PUBLIC_SETS.values():
        for part in found.parts:
            kind, _, digest = part.checksum.partition(":")
            assert len(digest) == {"sha256": 64, "md5": 32}[kind]
            assert part.url.endswith(".zip")
    assert {"flickr8k", "coco-train2014", "coco-val2017"} <= set(PUBLIC_SETS)
