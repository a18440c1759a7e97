"""What of a text keeps to its form: by hand, in real programs and documents, and from the command line."""

import gzip
import json
import sysconfig
from pathlib import Path

import pytest

from seqnets.cli.main import main
from seqnets.errors import UserError
from seqnets.metrics import well_formed

STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"])


@pytest.mark.parametrize(
    ("language", "text", "counts", "fault"),
    [
        ("python", "", [(0, 0)], None),
        ("python", "x = 1\n\n# a comment (\nif x:\n    y = (\n2)\nelse:\n    y = 3\n", [(2, 2)], None),
        ("python", "@f\ndef g():\n    '''One\nline at the left.'''\nh = 1", [(2, 2)], None),
        ("python", "x = 1\nd = {\ny = 2\nz = 3\n", [(3, 4)], "line 2: "),
        ("python", "try:\n    x\nexcept:\n    y\nfinally:\n    z\nreturn\n", [(1, 2)], "line 7: 'return' outside function"),
        ("python", "x = '''\ny = 1\n", [(1, 2)], "line 1: it does not end"),
        ("python", "x = '\\d'\nx = \0\n", [(1, 2)], "line 2: "),
        ("c", "f(a[1]); /* ( */ // (\nchar *s = \"(\", c = '{';", [(2, 2), (2, 2), (0, 0)], None),
        ("c", "{ ( }", [(0, 1), (0, 0), (2, 2)], "line 1: '(' is not closed before '}'"),
        ("c", "\n{ ) {", [(0, 1), (0, 0), (0, 2)], "line 2: ')' closes nothing"),
        ("c", "{\n{ }", [(0, 0), (0, 0), (2, 3)], "line 1: '{' is open where the text ends"),
        ("latex", r"\begin{a} $x$ \{ % \end{b} {" + "\n" + r"\end{a}", [(2, 2), (0, 0), (2, 2)], None),
        ("latex", r"\begin{a}\begin{b}\end{a}\end{b}", [(2, 4), (0, 0), (0, 0)], "line 1: '\\\\begin{b}' is not closed before"),
        (
            "latex",
            "$$x$$ \\[y\\] \\(z\\) $a\n \nb$ \\$",
            [(0, 0), (0, 0), (6, 8)],
            "line 1: '$' does not end before",
        ),
        ("latex", r"{ \emph{x} $\{$ ", [(0, 0), (2, 3), (2, 2)], "line 1: '{' is open"),
    ],
)
def test_by_hand(language, text, counts, fault):
    found = well_formed(text, language)
    assert list(found.counts.values()) == counts
    assert (found.fault is None) if fault is None else str(found.fault).startswith(fault)


def test_a_language_that_has_no_form_is_refused():
    with pytest.raises(UserError, match="prose"):
        well_formed("x", "prose")


@pytest.mark.parametrize("name", ["ast", "heapq", "textwrap", "tokenize", "zipfile"])
def test_the_standard_library_is_right_to_the_last_statement(name):
    path = STANDARD_LIBRARY / f"{name}.py"
    text = (path if path.is_file() else STANDARD_LIBRARY / name / "__init__.py").read_text("utf-8")
    found = well_formed(text, "python")
    assert found.fault is None
    right, total = found.counts["statements"]
    assert right == total > 10


@pytest.mark.parametrize(
    ("name", "language", "end"),
    [("linux_kernel_part.c", "c", "\n}\n"), ("stacks_project_part.tex", "latex", "\\end{document}\n")],
)
def test_real_texts_are_right(name, language, end, shared_data):
    text = (shared_data / "text" / name).read_text("utf-8")[:200_000]
    found = well_formed(text[: text.rindex(end) + len(end)], language)
    assert found.fault is None
    assert min(total for _, total in found.counts.values()) > 50


@pytest.mark.parametrize("place", [0.3, 0.6])
def test_a_bracket_taken_out_is_found(place):
    text = (STANDARD_LIBRARY / "heapq.py").read_text("utf-8")
    at = text.index("):\n", int(place * len(text)))
    right, total = well_formed(text[:at] + text[at + 1 :], "python").counts["statements"]
    assert right < total


def test_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "sample.c"
    path.write_text("int f(void) {\n  return (1;\n}\n", "utf-8")
    assert main(["score", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "round brackets: 2 of 3 right (66.67%)",
        "square brackets: 0 of 0 right",
        "braces: 2 of 2 right (100.00%)",
        "first fault: line 2: '(' is not closed before '}'",
    ]
    assert main(["score", str(path), "--language", "python", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"statements": {"right": 0, "all": 1}}


@pytest.mark.parametrize("name", ["A.TEX", "a.tex", "a.tex.gz", "A.Tex.gz"])
def test_the_name_says_the_language(name, tmp_path, capsys):
    text = b"{}\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name.lower().endswith(".gz") else text)
    assert main(["score", str(tmp_path / name)]) == 0
    assert "braces: 2 of 2 right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample.c", "captions.json"], "leave 'captions.json' out"),
        (["sample.c", "--partial"], "--partial is for captions"),
        (["sample.txt"], "--language python|c|latex"),
        (["none.py"], "no file or folder"),
    ],
)
def test_misuse_is_one_sentence(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("sample.c", "sample.txt"):
        Path(name).write_text("x", "utf-8")
    assert main(["score", *words]) == 2
    assert message in capsys.readouterr().err
