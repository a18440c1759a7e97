"""Sequences with a label for every step: files, splits, and the labels of Python's own source."""

import numpy as np
import pytest

from seqnets.data.demo.python_source import character_classes
from seqnets.data.examples.label_examples import frame_examples, token_examples
from seqnets.data.examples.labeled_sequences import read_frames, read_inputs, read_labeled_sequences
from seqnets.data.examples.texts import SequenceConfig
from seqnets.errors import UserError

EXPECTED = [(["New", "York", "is"], ["B", "I", "O"]), (["big"], ["O"])]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "New\tB\nYork\tI\nis\tO\n\n\nbig\tO\n"),
        ("a.conll", "New NNP x B\nYork NNP x I\nis VB x O\n\nbig JJ x O"),
        ("a.jsonl", '{"tokens": ["New", "York", "is"], "labels": ["B", "I", "O"]}\n{"tokens": ["big"], "labels": ["O"]}\n'),
    ],
)
def test_forms_of_files(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_labeled_sequences([tmp_path / name]) == EXPECTED


def test_a_token_may_hold_a_space_where_tabs_part(tmp_path):
    (tmp_path / "a.tsv").write_text("a b\tX\n \tY\n")
    assert read_labeled_sequences([tmp_path / "a.tsv"]) == [(["a b", " "], ["X", "Y"])]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "New\tB\nYork\n", "line 2 of .* has no label: 'York'"),
        ("a.jsonl", '{"tokens": ["a"], "labels": []}', "line 1 of .* of the same length"),
        ("a.tsv", "\n", "holds no sequence"),
    ],
)
def test_what_is_wrong_is_reported(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read_labeled_sequences([tmp_path / name])


def test_sequences_are_cut_and_padded_with_what_does_not_count():
    sequences = [(["a"] * n, ["x", "y"] * n) for n in range(1, 7)]
    sequences = [(tokens, labels[: len(tokens)]) for tokens, labels in sequences]
    table, names, splits = token_examples(sequences, SequenceConfig(max_length=4, validation_fraction=0.0))
    batch = splits["train"].rows(np.array([1, 5]))
    assert (table.tokens, names) == (("a",), ("x", "y"))
    assert batch["labels"].tolist() == [[0, 1, -1, -1], [0, 1, 0, 1]]
    assert batch["inputs_lengths"].tolist() == [2, 4]


def test_frames_with_lengths(tmp_path):
    inputs = np.arange(24.0).reshape(2, 4, 3)
    path = tmp_path / "a.npz"
    np.savez(path, inputs=inputs, labels=np.array([[0, 1, -1, 0], [1, 1, 1, 1]]), lengths=np.array([3, 4]), classes=["lo", "hi"])
    frames = read_frames(path)
    assert frames.names == ("lo", "hi")
    batch = frame_examples(frames, SequenceConfig(validation_fraction=0.0))["train"].rows(np.array([0]))
    assert batch["labels"].tolist() == [[0, 1, -1, -1]]
    np.testing.assert_array_equal(batch["inputs"][0, :3], inputs[0, :3])
    assert not batch["inputs"][0, 3].any()
    assert [len(row) for row in read_inputs(path, 3)] == [3, 4]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": np.zeros((2, 3, 1))}, "no array 'labels', only inputs"),
        ({"inputs": np.zeros((2, 3)), "labels": np.zeros((2, 3), int)}, "inputs .* must have 3 axes"),
        ({"inputs": np.zeros((2, 3, 1)), "labels": np.zeros((2, 4), int)}, "differ in sequences or frames"),
        ({"inputs": np.zeros((1, 2, 1)), "labels": np.ones((1, 2), int), "lengths": np.array([3])}, "must lie in .1, 2."),
        ({"inputs": np.full((1, 2, 1), np.nan), "labels": np.ones((1, 2), int)}, "not finite"),
        ({"inputs": np.zeros((1, 2, 1)), "labels": np.ones((1, 2), int), "classes": ["one"]}, "classes names only 1"),
        ({"inputs": np.array([None]), "labels": np.zeros((1, 1), int)}, "cannot be read: Object arrays"),
    ],
)
def test_wrong_arrays_are_reported(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message):
        read_frames(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([2, 1], r"lengths in .* is int64 of shape \(2,\); it must hold 3 whole numbers"),
        ([[1], [1], [1]], "one for each sequence"),
        (2, "it must hold 3 whole numbers"),
        ([1.0, 2.0, 2.0], "lengths in .* is float64"),
        ([True, True, True], "lengths in .* is bool"),
        ([1, -1, 2], r"go from -1 to 2; they must lie in \[[01], 4\]"),
        ([1, 2, 99], "go from 1 to 99"),
    ],
)
def test_lengths_are_one_for_each_sequence(tmp_path, lengths, message):
    arrays = {"inputs": np.zeros((3, 4, 2)), "labels": np.zeros((3, 4), int), "lengths": np.array(lengths)}
    np.savez(tmp_path / "a.npz", **arrays)
    for read in (read_frames, lambda path: read_inputs(path, 2)):
        with pytest.raises(UserError, match=message):
            read(tmp_path / "a.npz")


def test_inputs_to_label_are_checked(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.full((2, 3, 1), np.nan), lengths=np.zeros(2, int))
    assert [len(row) for row in read_inputs(tmp_path / "a.npz", 1)] == [0, 0]
    np.savez(tmp_path / "a.npz", inputs=np.full((2, 3, 1), np.nan), lengths=np.array([0, 1]))
    with pytest.raises(UserError, match="not finite, first in sequence 1"):
        read_inputs(tmp_path / "a.npz", 1)


def test_an_array_without_its_archive(tmp_path):
    inputs = np.ones((2, 3, 1))
    np.save(tmp_path / "a.npy", inputs)
    for read in (read_frames, lambda path: read_inputs(path, 1)):
        with pytest.raises(UserError, match=r"save it with numpy\.savez"):
            read(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", inputs=np.load(tmp_path / "a.npy"))  # the advice
    assert len(read_inputs(tmp_path / "a.npz", 1)) == 2


def test_no_array_file_at_all(tmp_path):
    (tmp_path / "a.npz").write_text("hello")
    with pytest.raises(UserError, match=r"cannot be read: File is not a zip file; save it with numpy\.savez"):
        read_frames(tmp_path / "a.npz")
    with pytest.raises(UserError, match="cannot read"):
        read_frames(tmp_path / "none.npz")


def test_every_character_of_a_program_has_its_class():
    source = 'def f(a):\n    """Say\n    it."""\n    return {1:\n        "x"}  # so\n'
    marks = {"k": "keyword", "n": "name", "o": "operator", "s": "space", "d": "documentation", "1": "number", "t": "string"}
    marks["c"] = "comment"
    expected = (
        "kkksnonoos" + "s" * 4 + "dddddd" + "d" * 1 + "d" * 10 + "s" + "s" * 4 + "kkkkkkso1os" + "s" * 8 + "tttosscccc" + "s"
    )
    assert [marks[mark] for mark in expected] == character_classes(source)
