"""Trees in parentheses: what is read, and the sentences about what cannot be."""

import pytest

from seqnets.data.examples.config import TreeDataConfig
from seqnets.data.examples.trees import parse_trees, phrase, read_trees, tree_examples, with_two_labels, written
from seqnets.errors import UserError


def read(text, **options):
    return [written(tree) for tree in parse_trees(text, "a text", **options)]


@pytest.mark.parametrize(
    ("text", "trees"),
    [
        ("(3 (2 a)\n  (4 b))(1 c)", ["(3 (2 a) (4 b))", "(1 c)"]),
        ("( (S (NP (DT the) (JJ old) (NN dog)) (VP barks)) )", ["(S (NP (DT the) (_ (JJ old) (NN dog))) (VP barks))"]),
        ("(S (NP (N dogs)))", ["(S dogs)"]),
        ("(2 8\u00a01\\/2)", ["(2 8\u00a01\\/2)"]),  # the Stanford treebank has a no-break space in a word
        ("", []),
    ],
)
def test_what_is_read(text, trees):
    assert read(text) == trees


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("(3 - (2 + 5))", "(_ (_ 3) (_ (_ -) (_ (_ 2) (_ (_ +) (_ 5)))))"),
        ("(3 (2 not) (2 bad))", "(3 (2 not) (2 bad))"),
        ("(not (very good))", "(_ (_ not) (_ (_ very) (_ good)))"),
        ("(very good)", "(_ (_ very) (_ good))"),
        ("(good)", "(_ good)"),
    ],
)
def test_trees_to_label_may_have_words_alone(text, tree):
    assert read(text, labels=("2", "3", "5")) == [tree]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("(2 a) b", "'b' outside of a tree at line 1"),
        ("(2 a)\n)", "')' outside of a tree at line 2"),
        ("(2 a)\n(3 (2 b)", "at line 2 of 'trees.txt' lacks 1 closing"),
        ("()", "the node '( )'"),
        ("(2)", "the node '( 2 )'"),
        ("(2 a b)", "the node '( 2 a b )'"),
        ("(2 (1 a) b)", "the word 'b' beside a tree"),
        (" ", "'trees.txt' holds no trees"),
    ],
)
def test_what_is_refused_in_a_sentence(tmp_path, monkeypatch, text, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trees.txt").write_text(text)
    with pytest.raises(UserError) as refused:
        read_trees(["trees.txt"])
    assert sentence in str(refused.value)


def test_a_deep_tree_is_read_and_written():
    deep = "(1 " * 20_000 + "(1 a) (0 b)" + " (0 c))" * 19_999 + ")"
    (tree,) = parse_trees(deep, "a text")
    assert written(tree).count("(") == deep.count("(")
    assert phrase(tree, len(tree) - 1).split()[:3] == ["a", "b", "c"]


def test_two_labels_leave_neutral_ones_out():
    trees = parse_trees("(4 (2 a) (3 b)) (2 (1 a) (4 b)) (0 c)", "a text")
    assert [written(tree) for tree in with_two_labels(trees)] == ["(positive (_ a) (positive b))", "(negative c)"]
    with pytest.raises(UserError, match="labels binary is for trees with the labels 0"):
        with_two_labels(parse_trees("(NP a)", "a text"))


def test_words_of_the_validation_are_unknown():
    trees, others = parse_trees("(1 (0 a) (1 b)) (0 a)", "a text"), parse_trees("(1 (0 z) (7 b))", "a text")
    words, labels, forests, _ = tree_examples(trees, others, TreeDataConfig())
    assert forests["validation"].nodes[:, 1].tolist()[:2] == [words.unknown, words.numbers(["b"])[0]]
    assert (labels, forests["validation"].labels.tolist()) == (("0", "1"), [0, -1, 1])
    with pytest.raises(UserError, match="two different labels"):
        tree_examples(trees[1:], [], TreeDataConfig())
