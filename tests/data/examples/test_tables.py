"""Rows of tables: quoting, delimiters, rows with too many cells, and the few that may be unusable."""

import gzip

import pytest

from seqnets.data.examples.config import LabeledTextConfig
from seqnets.data.examples.labeled_texts import read_labeled_texts
from seqnets.data.examples.pairs import read_pairs
from seqnets.data.examples.questions import read_questions
from seqnets.data.examples.tables import read_table
from seqnets.errors import UserError


def write(folder, text, name="a.csv"):
    (folder / name).write_bytes(text.encode())
    return folder / name


def rows(path, **settings):
    return read_table(path, ("text", "label"), texts=[0], filled=[1], **settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text,label\nGood, very good,pos\n", ("Good, very good", "pos")),
        ("label,text\npos,Good, very, very good\n", ("Good, very, very good", "pos")),
        ("id,text,label\n1,Good, fine,pos\n2,bad,neg\n", ("Good, fine", "pos")),
        ("text,label\nGood,pos,,\n", ("Good", "pos")),
        ("text;label\nGood, fine;pos\n", ("Good, fine", "pos")),
        ("text\tlabel\nGood, fine\tpos\n", ("Good, fine", "pos")),
        ("text|label\nGood, fine|pos\n", ("Good, fine", "pos")),
        ("sep=;\ntext;label\nGood;pos\n", ("Good", "pos")),
        ("\ufeffsep=,\r\ntext,label\r\nGood,pos\r\n", ("Good", "pos")),
        ("Text , LABEL\nGood,pos\n", ("Good", "pos")),
        ('text,label\n"Good" said he,pos\n', ('"Good" said he', "pos")),
        ('text,label\n"Good, ""fine""",pos\n', ('Good, "fine"', "pos")),
        ('text,label\n"Good\n\nfine",pos\n', ("Good\n\nfine", "pos")),
        ('text,label\n"Good,pos\n', ('"Good', "pos")),
        ("text,label\rGood,pos\r", ("Good", "pos")),
        ("text,label\nGood\rfine,pos\n", ("Good\rfine", "pos")),
        ("text,label\nGood\u2028fine\x0c\x85,pos\n", ("Good\u2028fine\x0c\x85", "pos")),
        (f'text,label\n"{"long, " * 60_000}",pos\n', ("long, " * 60_000, "pos")),
    ],
)
def test_rows(tmp_path, text, expected):
    assert rows(write(tmp_path, text))[0] == expected


def test_a_carriage_return_within_a_field_between_tabs(tmp_path):
    path = write(tmp_path, "text\tlabel\nGood\rfine\tpos\r\nbad\tneg\r\n", "a.tsv")
    assert rows(path) == [("Good\rfine", "pos"), ("bad", "neg")]


@pytest.mark.parametrize(
    ("read", "text", "line"),
    [
        (lambda path: read_pairs([path]), "source,target\nyes, sir,ja, mein Herr\n", 2),
        (lambda path: read_pairs([path]), "source;target\nja;yes\na;b;c\n", 3),
        (read_questions, "image,question,answer\n1.png,is it red, or blue?,red\n", 2),
        (rows, "text,label,comment\nGood, fine,pos,a long story\nbad,neg,short\n", 2),
        (rows, "text,label,comment\nGood,pos,a long story\nbad,neg,so, so\n", 3),
    ],
)
def test_rows_that_can_be_read_in_several_ways_are_refused(tmp_path, read, text, line):
    with pytest.raises(UserError, match=rf"line {line} of .* has \d cells for \d columns, which can be read in several ways"):
        read(write(tmp_path, text))


def test_the_advice_to_quote_is_right(tmp_path):
    assert read_pairs([write(tmp_path, 'source,target\n"yes, sir","ja, mein Herr"\n')]) == [("yes, sir", "ja, mein Herr")]


@pytest.mark.parametrize("bad", ["lonely", "a text,", "a text, \t"])
def test_one_bad_row_of_many_is_left_out_and_reported(tmp_path, bad):
    text = "text,label\n" + "good,pos\n" * 150 + f"{bad}\n" + "bad,neg\n" * 49
    reported = []
    assert len(rows(write(tmp_path, text), tell=reported.append)) == 199
    (sentence,) = reported
    assert sentence.startswith("1 of 200 rows cannot be used and is left out: line 152 of ")
    with pytest.warns(UserWarning, match="line 152"):
        rows(write(tmp_path, text))
    config = LabeledTextConfig()
    assert read_labeled_texts([write(tmp_path, text)], config, tell=reported.append)[1].count("neg") == 49
    with pytest.raises(UserError, match=r"line 152 .* \(3 of 202 rows cannot be used; up to 1% would be left out\)"):
        rows(write(tmp_path, text + f"{bad}\n" * 2))
    with pytest.raises(UserError, match="line 2 of"):
        rows(write(tmp_path, f"text,label\n{bad}\n" + "good,pos\n" * 98))
    assert len(rows(write(tmp_path, f"text,label\n{bad}\n" + "good,pos\n" * 99), tell=reported.append)) == 99


def test_bad_lines_of_json(tmp_path):
    lines = ['{"text": "good", "label": "pos"}'] * 120
    for bad in ("{", "[1]", '{"text": "a"}', '{"text": "a", "label": null}', '{"text": "a", "label": " "}'):
        reported = []
        assert len(rows(write(tmp_path, "\n".join([*lines, bad]), "a.jsonl"), tell=reported.append)) == 120
        assert "line 121" in reported[0]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert len(rows(path)) == 120


def test_labels_without_the_white_space_around_them(tmp_path):
    text = "text,label\na,yes\nb, yes\nc,yes \n"
    assert set(read_labeled_texts([write(tmp_path, text)], LabeledTextConfig())[1]) == {"yes"}


def test_pairs_with_a_column_more(tmp_path):
    path = write(tmp_path, "Go.\tVa !\tCC-BY 2.0 (France)\nRun!\tCours !\tCC-BY 2.0 (France)\n", "fra.txt")
    assert read_pairs([path]) == [("Go.", "Va !"), ("Run!", "Cours !")]


def test_lines_that_cannot_be_read_take_linear_time(tmp_path):
    text = "text,label\n" + 'say "x,pos\n"y,pos\n' * 20_000
    assert len(rows(write(tmp_path, text))) == 40_000
