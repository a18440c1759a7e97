"""What the scanners mark, against labels of others, Pygments and Python's own tokenizer."""

import io
import tokenize

import numpy as np
import pytest

from seqnets.inspect import guess_language, scan
from seqnets.inspect.labels import token_marks, token_names, token_texts

PYTHON = '''def f(x):
    """A doc "string"
    of two lines."""
    if x[1] == 'a#b' and (x > 2):  # a comment with "quotes"
        return f"{x}\\\\" + r'\\\\'
    elif not x: return {1: [2]}
'''


def shown(text, name, language):
    return "".join(".#"[int(mark > 0)] for mark in scan(text, language)[name])


@pytest.mark.parametrize(
    ("language", "name", "text", "marks"),
    [
        ("prose", "quotes", 'He said "go" and', "........####...."),
        ("prose", "quotes", "Er sagt „ja“ “no” x", "........####.####.."),
        ("prose", "quotes", '"open\n\nnext', "#####......"),
        ("prose", "web address", "see http://a.b/c?d now", "....##############...."),
        ("prose", "capital", "An OX", "#..##"),
        ("c", "comment", "a // b\nc /* d\ne */ f", "..####...#########.."),
        ("c", "string", r'a = "b\"c" + "d', "....######...##"),
        ("c", "string", "x = 'a'; // \"no\"", "....###........."),
        ("c", "if condition", "if (a(b) && c) d; iffy(x)", "##############..........."),
        ("c", "braces", "f { g { } } h", "..########..."),
        ("python", "if condition", "if a[b:c]: d", "##########.."),
        ("latex", "math", "a $x$ b $$y$$ c", "..###...#####.."),
        ("latex", "command", r"\frac a \% b", "#####......."),
        ("latex", "comment", "100\\% x % y", "........###"),
        ("latex", "environments", r"\begin{a} x \end{a} y", "############........."),
    ],
)
def test_marks(language, name, text, marks):
    assert shown(text, name, language) == marks


def test_numbers():
    marks = scan("ab (c [d] (e))\n  f", "python")
    assert marks["position in the line"].tolist() == [*range(15), 0, 1, 2]
    assert marks["round brackets"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 1, 0, 0, 0, 0, 0]
    assert marks["square brackets"].tolist()[6:10] == [1, 1, 0, 0]
    assert marks["indentation"].tolist()[-3:] == [1, 2, 2]
    assert marks["characters since a space"].tolist()[:5] == [0, 1, 0, 1, 2]


@pytest.mark.parametrize("text", [PYTHON, "x = 1\n" * 3, "if x:\n    pass\n"])
def test_comments_and_strings_of_python_are_those_of_its_tokenizer(text):
    starts = np.cumsum([0, *(len(line) for line in text.splitlines(keepends=True))])
    expected = {"comment": np.zeros(len(text), bool), "string": np.zeros(len(text), bool)}
    kinds = {tokenize.COMMENT: "comment", tokenize.STRING: "string"}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        name = kinds.get(token.type) or ("string" if tokenize.tok_name[token.type].startswith("FSTRING") else None)
        if name:
            begin, end = (starts[line - 1] + column for line, column in (token.start, token.end))
            prefix = len(token.string) - len(token.string.lstrip("rbfuRBFU")) if token.type == tokenize.STRING else 0
            expected[name][begin + prefix : end] = True
    marks = scan(text, "python")
    np.testing.assert_array_equal(marks["comment"], expected["comment"])
    if not any(name.startswith("FSTRING") for name in dir(tokenize)):  # later ones divide f-strings
        np.testing.assert_array_equal(marks["string"], expected["string"])


def test_labels_of_the_kernel(shared_data):
    text = (shared_data / "text" / "linux_kernel_part.c").read_text("utf-8", errors="replace")[:60_000]
    labels = np.load(shared_data / "text" / "linux_kernel_part.c.first_120000_labels.npz")
    marks = scan(text, "c")
    names = {
        "in_comment": "comment",
        "in_string": "string",
        "brace_depth": "braces",
        "paren_depth": "round brackets",
        "column": "position in the line",
    }
    for theirs, ours in names.items():
        np.testing.assert_array_equal(marks[ours], labels[theirs][: len(text)], err_msg=theirs)
    assert (marks["if condition"] == labels["in_if_condition"][: len(text)]).mean() > 0.9995  # strings in conditions
    assert guess_language(text) == "c"


def test_labels_of_war_and_peace(shared_data):
    text = (shared_data / "text" / "war_and_peace_first60.txt").read_text("utf-8")[:60_000]
    labels = np.load(shared_data / "text" / "war_and_peace_first60.txt.first_120000_labels.npz")
    np.testing.assert_array_equal(scan(text, "prose")["quotes"], labels["in_quotes"][: len(text)])
    assert guess_language(text) == "prose"


@pytest.mark.parametrize("text", ["", "(", "\\", "'" * 9, '"""', "/*", "$", "\\begin", "\x00\ud800 é\u2028", "if", "if (" * 50])
@pytest.mark.parametrize("language", ["prose", "python", "c", "latex"])
def test_any_text_is_marked_whole(text, language):
    assert {len(marks) for marks in scan(text, language).values()} == {len(text)}
    assert guess_language(text) in ("prose", "python", "c", "latex")


def test_tokens_of_bytes():
    from seqnets.data import bytes_vocabulary

    texts = token_texts(bytes_vocabulary(), list('"é" x'.encode()))
    assert texts == ['"', "", "é", '"', " ", "x"]
    assert token_marks(texts, "prose")["quotes"].tolist() == [True, True, True, True, False, False]
    assert token_names(bytes_vocabulary())[0xE9] == "\\xe9"
    assert "".join(token_texts(bytes_vocabulary(), [0xC3])) == "\ufffd"
