"""The embedded default text."""

import ast

import pytest

from seqnets.data import read_text, standard_library
from seqnets.data.demo import library_text as demo
from seqnets.errors import UserError


def test_the_default_text_is_a_few_megabytes_of_python_in_sorted_order():
    paths = standard_library()
    assert list(paths) == sorted(paths)
    corpus = read_text()
    assert corpus.sources == tuple(map(str, paths))
    assert 3_000_000 < len(corpus) < 6_000_000
    assert len(corpus.vocabulary) <= 100
    ast.parse(paths[len(paths) // 2].read_text())
    assert corpus.fingerprint() == read_text().fingerprint()


def test_an_interpreter_without_sources_says_so(tmp_path, monkeypatch):
    (tmp_path / "site.py").write_text("pass")
    with pytest.raises(UserError, match=r"no source of its standard library .*give a text"):
        standard_library(tmp_path)
    monkeypatch.setattr(demo.sysconfig, "get_path", lambda _: str(tmp_path / "not-there"))
    with pytest.raises(UserError, match=r"no source of its standard library"):
        read_text()


def test_generated_foreign_and_unreadable_modules_are_left_out(tmp_path):
    (tmp_path / "good.py").write_text("x = 1\n" * 50_000)
    (tmp_path / "_sysconfigdata_linux.py").write_text("x = 1\n")
    (tmp_path / "accents.py").write_text("é = 1\n")
    (tmp_path / "broken.py").symlink_to("nowhere")
    (tmp_path / "package.py").mkdir()
    assert [path.name for path in standard_library(tmp_path)] == ["good.py"]
