"""Downloads from a local server that cuts, hangs, moves and lies."""

import errno
import hashlib
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from file_server import serving, wait_until
from seqnets import downloads
from seqnets.downloads import fetch
from seqnets.errors import UserError

CONTENT = bytes(range(256)) * 20_000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE_S", 0.01)
    monkeypatch.delenv("SEQNETS_OFFLINE", raising=False)


@pytest.fixture(params=[True, False], ids=["ranges", "no ranges"])
def server(request):
    with serving(request.param) as server:
        server.files["a.bin"] = CONTENT
        yield server


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("digest", [DIGEST, DIGEST[:15], f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"])
def test_a_file_is_downloaded_once(server, tmp_path, digest):
    path = tmp_path / "deep" / "a.bin"
    for _ in range(2):
        assert fetch(f"{server.url}/a.bin", digest, path) == path
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert names(path.parent) == ["a.bin"]


def test_a_cut_download_continues_by_itself(server, tmp_path):
    server.breaks = 2
    path = fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin")
    assert path.read_bytes() == CONTENT
    spans = [span for _, span in server.requests]
    assert len(spans) == 3
    assert spans[0] is None
    if server.ranges:
        second, third = (int(span[6:-1]) for span in spans[1:])
        assert len(CONTENT) // 2 - (1 << 16) < second <= len(CONTENT) // 2 < third


def test_a_cut_download_continues_with_the_next_command(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    server.breaks = 1
    with pytest.raises(UserError, match=r"the connection was cut \(2\.[56] MB are kept, and the same command continues\)"):
        fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin")
    assert names(tmp_path) == ["a.bin.part"]
    assert fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.bin"]
    assert bool(server.requests[1][1]) is True


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"x", b"other bytes", CONTENT[:1000]])
def test_any_part_that_is_there_ends_in_the_right_file(server, tmp_path, part):
    (tmp_path / "a.bin.part").write_bytes(part)
    assert fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.bin"]


def test_another_content_is_refused_and_not_kept(server, tmp_path):
    server.files["a.bin"] = CONTENT[:-1] + b"x"
    for _ in range(2):
        with pytest.raises(UserError, match=f"what came is another file than the one with {DIGEST}; .*save it as '.*a.bin'"):
            fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin")
        assert names(tmp_path) == []


def test_a_damaged_file_is_replaced_only_by_a_whole_one(server, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(CONTENT[:50])
    server.breaks = 10
    with pytest.raises(UserError, match="was cut"):
        fetch(f"{server.url}/a.bin", DIGEST, path)
    assert path.read_bytes() == CONTENT[:50]
    server.breaks = 0
    assert fetch(f"{server.url}/a.bin", DIGEST, path).read_bytes() == CONTENT


def test_a_moved_file_and_a_busy_server(server, tmp_path):
    server.moved["old.bin"], server.busy = "a.bin", 1
    assert fetch(f"{server.url}/old.bin", DIGEST, tmp_path / "a.bin").read_bytes() == CONTENT
    assert [name for name, _ in server.requests] == ["old.bin", "old.bin", "a.bin"]


def test_a_server_that_stops_is_left_and_asked_again(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT_S", 0.3)
    server.hangs = 1
    assert fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin").read_bytes() == CONTENT
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    server.hangs = 1
    with pytest.raises(UserError, match=r"there is no answer within 0\.3 s \(2\.[56] MB are kept"):
        fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "b.bin")


def test_no_such_file_and_no_server_say_where_to_put_it_and_that_works(server, tmp_path):
    path, address = tmp_path / "a.bin", f"{server.url}/none.bin"
    says = f"cannot download {address}: the server answers 404 Not Found; get it by other means and save it as '{path}'"
    with pytest.raises(UserError, match=re.escape(says)):
        fetch(address, DIGEST, path)
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9/a\.bin: the server cannot be reached; get it by other means"):
        fetch("http://127.0.0.1:9/a.bin", DIGEST, path)
    path.write_bytes(CONTENT)
    assert fetch("http://127.0.0.1:9/a.bin", DIGEST, path) == path


def test_offline_uses_what_is_there_and_asks_nobody(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQNETS_OFFLINE", "1")
    path = tmp_path / "a.bin"
    with pytest.raises(UserError, match=r"a\.bin: --offline or SEQNETS_OFFLINE forbids the network; get it by other means"):
        fetch(f"{server.url}/a.bin", DIGEST, path)
    path.write_bytes(b"other")
    with pytest.raises(UserError, match=r"the file '.*a\.bin' is damaged or another one; --offline"):
        fetch(f"{server.url}/a.bin", DIGEST, path)
    path.write_bytes(CONTENT)
    assert fetch(f"{server.url}/a.bin", DIGEST, path).read_bytes() == CONTENT
    assert server.requests == []


def test_the_proxy_of_the_environment_is_asked(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    server.files["ttp://example.org/a.bin"] = CONTENT  # a proxy gets the whole address
    assert fetch("http://example.org/a.bin", DIGEST, tmp_path / "a.bin").read_bytes() == CONTENT
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="the proxy does not answer; check HTTPS_PROXY and HTTP_PROXY"):
        fetch("http://example.org/a.bin", DIGEST, tmp_path / "b.bin")


def test_a_full_disk_is_noticed_before_and_during(server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(downloads.shutil, "disk_usage", lambda path: _Usage(1 << 20))
        with pytest.raises(UserError, match=r"a\.bin needs 5 MB, but the disk of '.*' has 1 MB left; make room"):
            fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin")

    def fails(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match="No space left"):
            fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin")
    assert "a.bin" not in names(tmp_path)
    assert fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin").read_bytes() == CONTENT


class _Usage:
    def __init__(self, free):
        self.free = free


def test_a_folder_that_cannot_be_written_to(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "file" / "a.bin")
    assert caught.value.filename is not None  # so that the command line can name it


def test_processes_wait_for_each_other(server, tmp_path):
    program = "import sys, pathlib; from seqnets.downloads import fetch; fetch(*sys.argv[1:3], pathlib.Path(sys.argv[3]))"
    server.hangs = 1
    command = [sys.executable, "-c", program, f"{server.url}/a.bin", DIGEST, str(tmp_path / "a.bin")]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: server.requests)
    second = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = second.stderr.readline()
    assert line == "another process downloads a.bin; waiting for it\n"
    threading.Timer(0.1, server.closing.set).start()  # ends the hanging reply, and the first continues
    assert (first.wait(30), second.wait(30)) == (0, 0)
    second.stderr.close()
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert len(server.requests) == 2  # both of the first process


def test_two_threads_download_once(server, tmp_path):
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(f"{server.url}/a.bin", DIGEST, tmp_path / "a.bin"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "a.bin"] * 4
    assert len(server.requests) == 1
