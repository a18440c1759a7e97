"""Labeled texts and pairs out of every form of file, and what is said of the wrong ones."""

import gzip
import json

import pytest

from seqnets.data.examples.labeled_texts import LabeledTextConfig, read_labeled_texts
from seqnets.data.examples.pairs import pair_examples, read_pairs
from seqnets.data.examples.texts import SequenceConfig, text_examples
from seqnets.errors import UserError

READ = (["good, really", "bad"], ["yes", "no"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'id,Label,Text\n1,yes,"good, really"\n2,no,bad\n'),
        ("a.tsv", "text\tlabel\ngood, really\tyes\nbad\tno\n"),
        ("a.jsonl", '{"text": "good, really", "label": "yes"}\n\n{"label": "no", "text": "bad"}\n'),
    ],
)
def test_tables_name_their_columns(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_labeled_texts([tmp_path / name], LabeledTextConfig()) == READ
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
    assert read_labeled_texts([tmp_path / f"{name}.gz"], LabeledTextConfig()) == READ


def test_columns_can_have_other_names(tmp_path):
    (tmp_path / "a.csv").write_text("review,stars\nfine,5\n")
    config = LabeledTextConfig(text_column="review", label_column="stars")
    assert read_labeled_texts([tmp_path / "a.csv"], config) == (["fine"], ["5"])


def test_a_folder_for_each_label(tmp_path):
    for label, text in (("pos", "one\ntwo"), ("neg", "three")):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "1.txt").write_text(text)
    assert read_labeled_texts([tmp_path / "set"], LabeledTextConfig()) == (["three", "one\ntwo"], ["neg", "pos"])


def test_a_file_for_each_label(tmp_path):
    (tmp_path / "cats.txt").write_text("meow\n\npurr\n")
    (tmp_path / "dogs.txt").write_text("woof\n")
    expected = (["meow", "purr", "woof"], ["cats", "cats", "dogs"])
    assert read_labeled_texts([tmp_path / "cats.txt", tmp_path / "dogs.txt"], LabeledTextConfig()) == expected
    assert read_labeled_texts([tmp_path], LabeledTextConfig()) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "review,label\nx,y\n", "does not name the column 'text', only 'review, label'"),
        ("a.csv", "text,label\nx\n", "line 2 of .* has 1 column"),
        ("a.jsonl", '{"text": "x"}\n', "line 1 of .* has no 'label'; it has text"),
        ("a.jsonl", "text\n", "line 1, column 1 of .* is not JSON"),
        ("a.jsonl", "[1]\n", "is not a JSON object"),
        ("a.csv", "text,label\n", "has no rows"),
        ("a.txt", "\n \n", "holds no text"),
        ("a.csv", b"text,label\n\xff,x\n", "is not UTF-8 .at byte 11"),
        ("a.csv.gz", b"text", "is not a complete gzip file"),
    ],
)
def test_what_is_wrong_is_reported(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        read_labeled_texts([tmp_path / name], LabeledTextConfig())


def test_the_vocabulary_is_that_of_the_training_part():
    texts = [f"word{n}" for n in range(40)]
    config = SequenceConfig(vocabulary="words", validation_fraction=0.25)
    vocabulary, names, splits = text_examples(texts, ["x", "y"] * 20, config)
    assert names == ("x", "y")
    assert {name: len(examples) for name, examples in splits.items()} == {"train": 30, "validation": 10}
    assert len(vocabulary) == 4 + 30
    assert (splits["validation"].columns["tokens"].sequences.flat == vocabulary.unknown).all()


def test_one_label_is_not_enough():
    with pytest.raises(UserError, match="at least two different labels; these texts have only x"):
        text_examples(["a", "b"], ["x", "x"], SequenceConfig())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "ein Hund\ta dog\n"),
        ("a.txt", "ein Hund\ta dog\n"),
        ("a.tsv", "target\tsource\na dog\tein Hund\n"),
        ("a.csv", "source,target\nein Hund,a dog\n"),
        ("a.jsonl", json.dumps({"source": "ein Hund", "target": "a dog"})),
    ],
)
def test_pairs(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_pairs([tmp_path / name]) == [("ein Hund", "a dog")]


def test_a_line_without_a_target_is_reported(tmp_path):
    (tmp_path / "a.tsv").write_text("ein Hund\ta dog\neine Katze\n")
    with pytest.raises(UserError, match=r"line 2 of .* has 1 column; it needs source and target"):
        read_pairs([tmp_path / "a.tsv"])


def test_targets_end_with_the_end_token_and_long_pairs_are_left_out():
    pairs = [("ab" * n, "b" * n) for n in range(1, 21)]
    (_, target), splits, left_out = pair_examples(pairs, SequenceConfig(max_length=16))
    assert left_out == 12
    for examples in splits.values():
        sequences = examples.columns["target"].sequences
        assert all(sequences[row][-1] == target.end for row in range(len(sequences)))
    with pytest.raises(UserError, match=r"longer than data\.max_length"):
        pair_examples(pairs[10:], SequenceConfig(max_length=4))
