"""Where texts come from: gzip, folders, globs, pipes, and everything that is not there."""

import gzip
import io
import os
import subprocess
import sys
import types

import pytest

from seqnets.data import TextConfig, read_text
from seqnets.data.text import sources as sources_module
from seqnets.data.text.sources import find
from seqnets.errors import UserError

MAPPED = TextConfig(window=1, validation_fraction=0, in_memory_megabytes=0)
PLAIN = TextConfig(window=1, validation_fraction=0)


@pytest.fixture(autouse=True)
def _private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """A folder of texts between things that are none."""
    files = {"b.txt": "B", "a/2.md": "A2", "a/10.txt": "A10", "c.py": "C", "a.txt": "A", "no-ending": "N", "é.txt": "E"}
    root = tmp_path / "corpus"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "d.txt.gz").write_bytes(gzip.compress(b"D"))
    (root / ".hidden").write_text("hidden")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("hidden")
    (root / "empty.txt").touch()
    (root / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    return root


def text_of(*names, config=PLAIN):
    corpus = read_text(*names, config=config)
    return corpus.vocabulary.decode(corpus.tokens)


def piped(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(content), closed=False))


@pytest.mark.parametrize("config", [PLAIN, MAPPED], ids=["memory", "mapped"])
def test_folder_is_read_in_sorted_order_without_what_is_no_text(folder, config):
    corpus = read_text(folder, config=config)
    order = ["a/10.txt", "a/2.md", "a.txt", "b.txt", "c.py", "d.txt.gz", "no-ending", "é.txt"]
    assert [os.path.relpath(name, folder) for name in corpus.sources] == order
    assert corpus.vocabulary.decode(corpus.tokens) == "A10A2ABCDNE"


def test_links_in_a_folder_are_followed_once(folder):
    (folder / "loop").symlink_to(folder)
    (folder / "a" / "up").symlink_to("..")
    (folder / "itself").symlink_to("itself")
    (folder / "nowhere").symlink_to("not-there")
    (folder / "z.txt").symlink_to("a.txt")
    assert text_of(folder) == "A10A2ABCDNE"
    with pytest.raises(UserError, match=r"cannot read '.*itself'"):
        text_of(folder / "itself")


def test_globs_are_sorted_and_recursive(folder):
    assert text_of(f"{folder}/*.txt") == "ABE"
    assert text_of(f"{folder}/a/*") == "A10A2"
    assert text_of(f"{folder}/**/*.txt") == "A10ABE"
    assert text_of(f"{folder}/[bc].*") == "BC"
    (folder / "odd[1].txt").write_text("brackets")
    assert text_of(f"{folder}/odd[1].txt") == "brackets"


def test_several_files_keep_the_order_given(folder):
    assert text_of(folder / "c.py", str(folder / "a.txt"), folder / "d.txt.gz") == "CAD"


def test_home_is_understood(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert text_of("~/a/10.txt") == "A10"


@pytest.mark.parametrize("config", [PLAIN, MAPPED], ids=["memory", "mapped"])
def test_gzip_of_several_members(tmp_path, monkeypatch, config):
    monkeypatch.setattr(sources_module, "BLOCK_BYTES", 100)
    text = "naïve 😀\n" * 100
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(text.encode()) + gzip.compress(b"second"))
    assert text_of(path, config=config) == text + "second"


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"plain text", lambda b: b[:40] + b"\xff" * 9 + b[49:]])
def test_broken_gzip(tmp_path, damage):
    path = tmp_path / "t.txt.gz"
    path.write_bytes(damage(gzip.compress(os.urandom(2000).hex().encode())))
    with pytest.raises(UserError, match=r"t.txt.gz' is not a complete gzip file"):
        text_of(path)


def test_gzip_that_unpacks_beyond_the_limit_goes_to_the_cache(tmp_path):
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"x" * (3 << 20)))
    corpus = read_text(path, config=TextConfig(in_memory_megabytes=1))
    assert len(corpus) == 3 << 20
    assert len(list((tmp_path / "cache" / "text").iterdir())) == 1


@pytest.mark.parametrize("config", [PLAIN, MAPPED], ids=["memory", "mapped"])
@pytest.mark.parametrize("kind", ["chars", "bytes"])
def test_standard_input(tmp_path, monkeypatch, config, kind):
    monkeypatch.setattr(sources_module, "BLOCK_BYTES", 7)
    text = "piped — 😀 text\r\n" * 20
    config = TextConfig(kind, 1, 0, in_memory_megabytes=config.in_memory_megabytes)
    for content in (text, text + "more", text):  # another text must not be taken for the one before
        piped(monkeypatch, content.encode())
        assert text_of("-", config=config) == content
    assert not list((tmp_path / "cache").rglob("*.spool"))


def test_standard_input_among_files(folder, monkeypatch):
    piped(monkeypatch, b"in")
    assert text_of(folder / "a.txt", "-", folder / "b.txt") == "AinB"


def test_real_pipes(tmp_path):
    code = "import sys; from seqnets.data import *; c = read_text(*sys.argv[1:], config=TextConfig(window=1))"
    program = f"{code}; print(c.vocabulary.decode(c.tokens))"
    command = ["bash", "-c", 'printf "from stdin" | "$0" -c "$1" <(printf "substituted, ") -', sys.executable, program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "substituted, from stdin\n"


def test_broken_standard_input_names_it(monkeypatch):
    piped(monkeypatch, b"abc\xff")
    with pytest.raises(UserError, match=r"'standard input' is not UTF-8 \(at byte 3\)"):
        text_of("-")
    piped(monkeypatch, b"")
    with pytest.raises(UserError, match=r"'standard input' is empty"):
        text_of("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match=r"standard input, but it is closed"):
        text_of("-")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.txt", "no file or folder '.*missing.txt'"),
        ("", "no file or folder"),
        ("*.nothing", "no file matches the pattern"),
        ("no-folder/", "no file or folder"),
        ("file.txt/below", "no file or folder"),
        ("x" * 5000, r"cannot read 'xxx.*\(5,000 characters\)': File name too long"),
        ("nul\0byte", "cannot read 'nul"),
        ("empty.txt", "'empty.txt' is empty"),
        ("hollow.gz", "'hollow.gz' holds no text"),
        ("mark.txt", "'mark.txt' holds no text"),
        ("bare", "folder 'bare' holds no text file"),
        ("bar*", "folder 'bare' holds no text file"),
        (os.devnull, "'/dev/null' is empty"),
    ],
)
def test_what_is_not_there(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "mark.txt").write_bytes(b"\xef\xbb\xbf")
    (tmp_path / "hollow.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "picture").write_bytes(b"\0\0")
    with pytest.raises(UserError, match=message):
        text_of(name)


def test_a_text_named_twice_is_refused(folder):
    for names in ((folder / "a.txt", folder / "a.txt"), (folder, folder / "b.txt"), ("-", "-")):
        with pytest.raises(UserError, match="named twice"):
            find(names)


@pytest.mark.parametrize("hidden", ["file", "folder"])
def test_no_permission(folder, hidden, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    # permissions do not bind root, who may well run this
    if hidden == "file":
        monkeypatch.setattr(sources_module, "open", refuse, raising=False)
        with pytest.raises(UserError, match=r"cannot read '.*a.txt': Permission denied"):
            text_of(folder / "a.txt")
    else:
        monkeypatch.setattr(os, "listdir", refuse)
        with pytest.raises(UserError, match=r"cannot read '.*corpus': Permission denied"):
            text_of(folder)
