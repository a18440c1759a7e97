"""The command line, run in this process: quick, and with its output at hand."""

from dataclasses import dataclass

import pytest

from seqnets.cli.main import main
from seqnets.places import cache_folder


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def seqnets(capsys, monkeypatch, tmp_path):
    """Run `seqnets WORDS...` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEQNETS_DEBUG", raising=False)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "native").symlink_to(cache_folder("native").absolute())  # processes need not compile it again
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path / ".cache"))

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def corpus(tmp_path):
    """A small text with a pattern that is quickly learned."""
    path = tmp_path / "numbers.txt"
    path.write_text("one two three four five six seven eight nine ten\n" * 60)
    return path
