"""Encoded texts on disk: used again while they fit, made anew when they do not, whole or not there."""

import os
import time

import numpy as np
import pytest

from seqnets.data import TextConfig, Vocabulary, read_text
from seqnets.data.text import cache as cache_module
from seqnets.data.text import corpus as text_module
from seqnets.errors import UserError

TEXT = "naïve 😀 text\n" * 100


@pytest.fixture
def config(tmp_path):
    return TextConfig(window=4, in_memory_megabytes=0, cache_directory=str(tmp_path / "cache"))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def encodings(monkeypatch):
    """Counts how often a text is encoded."""
    made = []
    original = text_module.encode_blocks

    def counted(*args, **kwargs):
        made.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(text_module, "encode_blocks", counted)
    return made


def only_file(config):
    (file,) = (cache_module.cache_folder(config.cache_directory)).iterdir()
    return file


def decoded(corpus):
    return corpus.vocabulary.decode(corpus.tokens)


def test_the_second_reading_maps_what_the_first_wrote(path, config, encodings):
    first, second = read_text(path, config=config), read_text(path, config=config)
    assert len(encodings) == 1
    assert decoded(first) == decoded(second) == TEXT
    assert isinstance(second.tokens, np.memmap)
    assert first.vocabulary == second.vocabulary == Vocabulary.from_text(TEXT)
    assert first.fingerprint() == read_text(path, config=TextConfig(window=4)).fingerprint()


def test_relative_and_absolute_paths_share_a_file(path, config, encodings, monkeypatch):
    monkeypatch.chdir(path.parent)
    read_text(path, config=config)
    read_text("text.txt", config=config)
    assert len(encodings) == 1


def test_a_changed_text_is_encoded_anew_in_the_same_place(path, config, encodings):
    old = read_text(path, config=config)
    times = path.stat()
    path.write_text(TEXT[::-1])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # same size and date: only the change time differs
    assert decoded(read_text(path, config=config)) == TEXT[::-1]
    assert len(encodings) == 2
    assert only_file(config).exists()
    assert decoded(old) == TEXT  # who still reads the old file keeps it


def test_settings_that_matter_have_their_own_files(path, config, encodings):
    bytes_config = TextConfig("bytes", 4, in_memory_megabytes=0, cache_directory=config.cache_directory)
    split = TextConfig("chars", 9, 0.3, in_memory_megabytes=0, cache_directory=config.cache_directory)
    vocabulary = Vocabulary.from_text(TEXT + "xyz")
    for _ in range(2):
        read_text(path, config=config)
        read_text(path, config=split)  # window and shares do not matter
        assert read_text(path, config=bytes_config).tokens.tobytes() == TEXT.encode()
        assert read_text(path, config=config, vocabulary=vocabulary).vocabulary == vocabulary
    assert len(encodings) == 3


@pytest.mark.parametrize("kept", [0, 1, 10, -1, -9, -20])
def test_a_half_written_file_is_made_anew(path, config, encodings, kept):
    read_text(path, config=config)
    file = only_file(config)
    file.write_bytes(file.read_bytes()[:kept])
    assert decoded(read_text(path, config=config)) == TEXT
    assert len(encodings) == 2


@pytest.mark.parametrize("changed", [lambda content: content[7:], lambda content: b"x" + content], ids=["lost", "gained"])
def test_tokens_of_another_number_than_stated_are_made_anew(path, config, encodings, changed):
    read_text(path, config=config)
    file = only_file(config)
    file.write_bytes(changed(file.read_bytes()))  # what the file says of itself, at its end, stays
    assert decoded(read_text(path, config=config)) == TEXT
    assert len(encodings) == 2


def test_a_foreign_file_is_made_anew(path, config):
    read_text(path, config=config)
    only_file(config).write_bytes(b"\xff" * 8 + cache_module._MARK)
    assert decoded(read_text(path, config=config)) == TEXT


def test_nothing_stays_of_an_encoding_that_failed(path, config, monkeypatch):
    def interrupted(*_, **__):
        yield np.zeros(10, np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(text_module, "encode_blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_text(path, config=config)
    assert not list(cache_module.cache_folder(config.cache_directory).iterdir())


def test_what_a_killed_process_left_is_removed_after_a_while(path, config):
    read_text(path, config=config)
    file = only_file(config)
    young, old = (file.with_name(f".{file.name}.{digit * 8}.part") for digit in "12")
    for partial in (young, old):
        partial.touch()
    os.utime(old, (0, time.time() - 7200))
    path.write_text(TEXT + "!")
    read_text(path, config=config)
    assert young.exists()
    assert not old.exists()


def test_a_text_that_changes_while_it_is_read_is_refused(path, config, monkeypatch):
    original = text_module.encode_blocks

    def meanwhile(*args, **kwargs):
        yield from original(*args, **kwargs)
        with open(path, "a") as file:
            file.write("more")

    monkeypatch.setattr(text_module, "encode_blocks", meanwhile)
    with pytest.raises(UserError, match="changed while it was read"):
        read_text(path, config=config)


def test_a_folder_that_cannot_be_written_says_so(path, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot keep the encoded text in .*--data.cache-directory"):
        read_text(path, config=TextConfig(window=4, in_memory_megabytes=0, cache_directory=str(tmp_path / "file")))


def test_a_full_disk_says_so(path, config, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        read_text(path, config=config)
    assert not list(cache_module.cache_folder(config.cache_directory).iterdir())


def test_wide_vocabularies_take_two_and_four_bytes_a_token(tmp_path, config):
    for count, size in ((300, 2), (70_000, 4)):
        text = "".join(map(chr, range(0x10000, 0x10000 + count)))
        path = tmp_path / f"{count}.txt"
        path.write_text(text)
        corpus = read_text(path, config=config)
        assert corpus.tokens.itemsize == size
        assert decoded(corpus) == text
        assert corpus.train.read(0, 3).tolist() == [0, 1, 2]
