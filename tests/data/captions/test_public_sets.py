import hashlib
import http.server
import io
import threading
import zipfile

import pytest

from seqnets.data.captions import public_sets
from seqnets.data.captions.public_sets import PUBLIC_SETS, Part, PublicSet, download, fetch
from seqnets.errors import UserError

pytest.importorskip("pooch")


class Server:
    """Serves files with ranges; `breaks` times it ends a connection in the middle."""

    def __init__(self, ranges=True):
        self.files, self.breaks, self.requests, self.ranges = {}, 0, [], ranges
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler):
        name, span = handler.path[1:], handler.headers.get("Range")
        self.requests.append((name, span))
        if name not in self.files:
            handler.send_error(404)
            return
        content = self.files[name]
        start = int(span[6:-1]) if span and self.ranges else 0
        if start >= len(content):
            handler.send_response(416)
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        rest = content[start:]
        if self.breaks:
            self.breaks -= 1
            rest = rest[: len(rest) // 2]
        handler.wfile.write(rest)
        handler.close_connection = True


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def server(request):
    server = Server(request.param)
    yield server
    server.server.shutdown()
    server.server.server_close()


CONTENT = bytes(range(256)) * 20_000
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def test_a_download_goes_on_where_it_broke_off(server, tmp_path):
    server.files["set.zip"], server.breaks = CONTENT, 2
    for _ in range(2):
        with pytest.raises(UserError, match=r"cannot download '.*': .*; run the same command again to continue where it stopped"):
            fetch(f"{server.url}/set.zip", CHECKSUM, tmp_path)
    assert fetch(f"{server.url}/set.zip", CHECKSUM, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 3
    first, second, third = (span for _, span in server.requests)
    assert first is None
    if server.ranges:
        assert len(CONTENT) // 2 - (1 << 16) < int(second[6:-1]) <= len(CONTENT) // 2
        assert int(second[6:-1]) < len(CONTENT) * 3 // 4 - (1 << 17) < int(third[6:-1])
    fetch(f"{server.url}/set.zip", CHECKSUM, tmp_path)
    assert len(server.requests) == 3  # it is there
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_a_part_that_is_whole_already(server, tmp_path):
    server.files["set.zip"] = CONTENT
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    assert fetch(f"{server.url}/set.zip", CHECKSUM, tmp_path).read_bytes() == CONTENT


def test_another_content_is_refused_and_not_kept(server, tmp_path):
    server.files["set.zip"] = CONTENT[:-1] + b"x"
    for _ in range(2):
        with pytest.raises(UserError, match="has the wrong checksum"):
            fetch(f"{server.url}/set.zip", CHECKSUM, tmp_path)
    assert not list(tmp_path.iterdir())
    server.files["set.zip"] = CONTENT
    assert fetch(f"{server.url}/set.zip", CHECKSUM, tmp_path).read_bytes() == CONTENT


def test_no_such_file_and_no_server(server, tmp_path):
    with pytest.raises(UserError, match=r"cannot download '.*': 404"):
        fetch(f"{server.url}/nothing.zip", CHECKSUM, tmp_path)
    with pytest.raises(UserError, match="cannot download"):
        fetch("http://127.0.0.1:9/nothing.zip", CHECKSUM, tmp_path)


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
    told = []
    found = download("tiny", tmp_path, tell=told.append)
    assert found.captions.read_text() == "image,caption\na.jpg,x\n"
    assert (found.images / "deep" / "a.jpg").read_text() == "jpg"
    assert found.lists is None
    assert told[0] == "Free for all."
    assert len(told) == 5
    count = len(server.requests)
    assert download("tiny", tmp_path) == found
    assert len(server.requests) == count
    assert not list((tmp_path / "tiny" / "downloads").iterdir())


def test_the_table():
    for found in PUBLIC_SETS.values():
        for part in found.parts:
            kind, _, digest = part.checksum.partition(":")
            assert len(digest) == {"sha256": 64, "md5": 32}[kind]
            assert part.url.endswith(".zip")
    assert {"flickr8k", "coco-train2014", "coco-val2017"} <= set(PUBLIC_SETS)
