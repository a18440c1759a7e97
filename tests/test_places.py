"""The cache folder wherever a process runs, and paths that mean the same from any folder."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from seqnets import places
from seqnets.data.text.sources import find
from seqnets.places import absolute_pattern, at_home, cache_folder, is_usable, user_cache


@pytest.fixture
def home(monkeypatch, tmp_path):
    folder = tmp_path / "home [1]"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("SEQNETS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """No HOME, and no entry for the user, as in a container with a number for a user."""
    for name in ("HOME", "SEQNETS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_cache_is_where_the_variables_say(home, monkeypatch):
    assert user_cache() == home / ".cache" / "seqnets"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "x"))
    assert user_cache() == home / "x" / "seqnets"
    monkeypatch.setenv("SEQNETS_CACHE", "~/c")
    assert user_cache() == home / "c"


def test_all_that_is_kept_is_kept_in_one_folder(home, monkeypatch):
    from seqnets.cli import runtime
    from seqnets.data.text.cache import cache_folder as of_texts

    monkeypatch.setenv("SEQNETS_CACHE", "~/c")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    environment = dict(os.environ)
    runtime.prepare(environment)
    assert of_texts() == home / "c" / "text"
    assert cache_folder("native") == home / "c" / "native"
    assert Path(environment["JAX_COMPILATION_CACHE_DIR"]).is_relative_to(home / "c")


def test_without_a_home_there_is_a_folder_of_the_users_own(homeless):
    from seqnets.data.text.cache import cache_folder as of_texts

    folder = cache_folder("native")
    assert folder.is_relative_to(homeless)
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert of_texts().parent == folder.parent


def test_a_temporary_folder_that_somebody_else_made_is_not_used(homeless, monkeypatch):
    there = cache_folder("native").parent
    monkeypatch.setattr(places, "_USER", places._USER + 1)
    there.rename(homeless / f"seqnets-{places._USER}")
    with pytest.raises(OSError, match="no folder to write to"):
        cache_folder("native")


def test_a_link_in_the_temporary_folder_is_not_followed(homeless):
    (homeless / "elsewhere").mkdir()
    (homeless / f"seqnets-{places._USER}").symlink_to(homeless / "elsewhere")
    with pytest.raises(OSError, match="no folder to write to"):
        cache_folder("native")


@pytest.mark.parametrize("chosen", ["/proc/no", "/dev/null/no"])
def test_where_the_cache_cannot_be_written_to_another_folder_serves(chosen, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQNETS_CACHE", chosen)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache_folder("native").is_relative_to(tmp_path)
    assert not is_usable(Path(chosen))


@pytest.mark.parametrize(("said", "threads"), [("", 0), (" ", 0), ("2", 2), ("two", 0), ("-1", 0), ("1.5", 0), ("9" * 30, 0)])
def test_a_strange_number_of_threads_is_a_warning(said, threads, monkeypatch, capsys):
    from seqnets.ops.native.library import default_threads

    monkeypatch.setenv("SEQNETS_THREADS", said)
    default_threads.cache_clear()
    assert (default_threads(), default_threads()) == (threads, threads)
    default_threads.cache_clear()
    assert capsys.readouterr().err.count("SEQNETS_THREADS") == (threads == 0 and bool(said.strip()))


@pytest.mark.parametrize("folder", ["plain", "od[d] *?"])
@pytest.mark.parametrize("name", ["a.txt", "a[1].txt", "~a.txt", "*.txt", "?.txt", "[ab].txt"])
def test_a_recorded_path_leads_to_the_same_files_from_elsewhere(tmp_path, monkeypatch, folder, name):
    (tmp_path / folder).mkdir()
    for file in {"a.txt", "b.txt", name} - {"*.txt", "?.txt", "[ab].txt"}:
        (tmp_path / folder / file).write_text("x")
    monkeypatch.chdir(tmp_path / folder)
    found, recorded = [os.path.abspath(path) for path in find([name])], absolute_pattern(name)
    monkeypatch.chdir(tmp_path)
    assert find([recorded]) == found
    assert absolute_pattern(recorded) == recorded


@pytest.mark.parametrize("name", ["~/a.txt", "~/*.txt", "~/a[1].txt"])
def test_the_home_folder_is_expanded_and_never_a_pattern(home, tmp_path, monkeypatch, name):
    for file in ("a.txt", "a[1].txt"):
        (home / file).write_text("x")
    monkeypatch.chdir(tmp_path)
    found = find([name])
    assert found
    assert all(path.startswith(f"{home}/") for path in found)
    assert find([absolute_pattern(name)]) == found


@dataclass(frozen=True)
class Part:
    weights: str = "~/w.npz"
    separator: str = "~/"


@dataclass(frozen=True)
class Whole:
    corpus: tuple[str, ...] = ("~/a.txt", "b.txt", "-")
    steps: int = 3
    part: Part = Part()


def test_paths_of_settings_begin_with_the_home_folder(home):
    found = at_home(Whole())
    assert found.corpus == (f"{home}/a.txt", "b.txt", "-")
    assert found.part == Part(f"{home}/w.npz", "~/")
    assert found.steps == 3
