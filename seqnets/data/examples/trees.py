"""Labeled trees in parentheses, as the Penn and the Stanford Sentiment Treebank write them, and as a forest to train on."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from seqnets.data.examples.config import TreeDataConfig
from seqnets.data.examples.held_out import held_out
from seqnets.data.examples.tables import read_whole
from seqnets.data.examples.texts import extended
from seqnets.data.forest import LEAF, NO_LABEL, Forest, Node
from seqnets.data.words.token_table import TokenTable
from seqnets.errors import UserError

NOTHING = "_"
"""The label of a node that has none."""

FORM = "(LABEL WORD) for a word and (LABEL TREE TREE) for a phrase"
_POLARITY = {"0": "negative", "1": "negative", "3": "positive", "4": "positive", "2": NOTHING}
_COMPOSED = 1
_SPLITS = {"train": False, "validation": True}
_MARK = re.compile(r"[()]|[^ \t\r\n()]+")  # a word of the Stanford treebank holds a no-break space


class Part(NamedTuple):
    """A node of a tree, whose children are among the parts before it.

    Args:
        label: its label, `NOTHING` for none.
        word: the word of a leaf; "" for a node with children.
        left: the place of its first child, -1 for none.
        right: the place of its second child.
    """

    label: str
    word: str = ""
    left: int = -1
    right: int = -1


Tree = list[Part]  # the root at its end


class _Open(NamedTuple):
    place: int
    atoms: list[str]
    children: list[int]


def parse_trees(text: str, where: str, *, labels: Collection[str] | None = None) -> list[Tree]:
    """Read trees in parentheses.

    A node with one child is its child under its own label; of more than two children, the later ones become a node without a
    label: `(S a b c)` is read as `(S a (_ b c))`.

    Args:
        text: any number of trees, on as many lines as you like.
        where: what to call the text in errors.
        labels: for trees to be labeled: those that a model knows. A tree whose nodes do not all begin with one of them is read as
            one without labels, such as `(3 - (2 + 5))`.

    Raises:
        UserError: a parenthesis is missing, or a node has no word; the message says where.

    Example:
        >>> (tree,) = parse_trees("(3 (2 not) (4 bad))", "a text")
        >>> [(part.label, part.word) for part in tree], written(tree)
        ([('2', 'not'), ('4', 'bad'), ('3', '')], '(3 (2 not) (4 bad))')
        >>> written(parse_trees("(3 - (2 + 5))", "a text", labels=("2", "3"))[0])
        '(_ (_ 3) (_ (_ -) (_ (_ 2) (_ (_ +) (_ 5)))))'
    """
    found = []
    for line, marks in _wholes(text, where):
        bare = labels is not None and not _is_labeled(marks, {*labels, NOTHING})
        found.append(_tree(marks, f"the tree at line {line:,} of {where}", bare))
    return found


def _wholes(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line of each tree, and its marks."""
    depth, line, end, marks = 0, 1, 0, []
    for match in _MARK.finditer(text):
        mark = match.group()
        if not depth:
            line, end = line + text.count("\n", end, match.start()), match.start()
        depth += {"(": 1, ")": -1}.get(mark, 0)
        if depth < 0 or (depth == 0 and mark != ")"):
            raise UserError(f"{where} has {mark[:40]!r} outside of a tree at line {line:,}; write {FORM}")
        marks.append(mark)
        if depth == 0:
            yield line, marks
            marks = []
    if depth:
        raise UserError(f"the tree at line {line:,} of {where} lacks {depth:,} closing parentheses; add them")


def _is_labeled(marks: Sequence[str], labels: set[str]) -> bool:
    """Return whether every node is a known label, and then one word or only trees."""
    ends = zip(marks, [*marks[1:], ""], [*marks[2:], "", ""], [*marks[3:], "", "", ""])
    return all(
        label in labels and (first == "(" or after == ")") for mark, label, first, after in ends if mark == "("
    ) and not any(before == ")" and mark not in "()" for before, mark in pairwise(marks))


def _tree(marks: Sequence[str], where: str, bare: bool) -> Tree:
    tree: Tree = []
    stack = [_Open(0, [], [])]
    for place, mark in enumerate(marks):
        if mark == "(":
            stack.append(_Open(place, [], []))
        elif mark == ")":
            done = stack.pop()
            stack[-1].children.append(_close(tree, done, where, marks, bare))
        elif bare:
            stack[-1].children.append(_add(tree, Part(NOTHING, mark)))
        elif stack[-1].children:
            raise UserError(f"{where} has the word {mark[:40]!r} beside a tree; write {FORM}")
        else:
            stack[-1].atoms.append(mark)
    return tree


def _close(tree: Tree, done: _Open, where: str, marks: Sequence[str], bare: bool) -> int:
    """Add a node, and return its place."""
    label, *words = done.atoms or [NOTHING]
    if words and not done.children and len(words) == 1:
        return _add(tree, Part(label, words[0]))
    if words or not done.children:
        shown = " ".join(marks[done.place : done.place + 8])[:60]
        raise UserError(f"{where} has the node {shown!r}, which is not {FORM}; mend it")
    if len(done.children) == 1:
        (only,) = done.children
        tree[only] = tree[only]._replace(label=tree[only].label if label == NOTHING else label)
        return only
    *others, last = done.children
    for child in reversed(others[1:]):
        last = _add(tree, Part(NOTHING, left=child, right=last))
    return _add(tree, Part(label, left=others[0], right=last))


def _add(tree: Tree, part: Part) -> int:
    tree.append(part)
    return len(tree) - 1


def read_trees(sources: Iterable[str | Path]) -> list[Tree]:
    """Read labeled trees.

    Args:
        sources: files (also .gz) of trees in parentheses.

    Raises:
        UserError: a file cannot be read, or holds something else; the message says where.

    Example:
        >>> read_trees(["no/such.txt"])
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cannot read 'no/such.txt': No such file or directory; check the path
    """
    trees = []
    for source in sources:
        found = parse_trees(read_whole(source), f"'{source}'")
        if not found:
            raise UserError(f"'{source}' holds no trees; write {FORM}")
        trees += found
    return trees


def written(tree: Tree) -> str:
    """Return a tree in parentheses, as `parse_trees` reads it."""
    texts: list[str] = []
    for part in tree:
        inside = part.word or f"{texts[part.left]} {texts[part.right]}"
        texts.append(f"({part.label} {inside})")
        for child in (part.left, part.right):
            if child >= 0:
                texts[child] = ""  # or a deep tree would take the square of its size
    return texts[-1]


def phrase(tree: Tree, place: int) -> str:
    """Return the words below a node.

    Example:
        >>> phrase(parse_trees("(3 (2 a) (4 (3 fine) (2 film)))", "a text")[0], 3)
        'fine film'
    """
    words, open_nodes = [], [place]
    while open_nodes:
        part = tree[open_nodes.pop()]
        words += [part.word] if part.word else []
        open_nodes += [child for child in (part.right, part.left) if child >= 0]
    return " ".join(words)


def with_two_labels(trees: Sequence[Tree]) -> list[Tree]:
    """Return sentiment trees with the labels negative and positive: 2 becomes none, and trees with a neutral root are left out.

    Raises:
        UserError: the labels are not 0 to 4.
    """
    found = sorted({part.label for tree in trees for part in tree} - {NOTHING})
    if other := [label for label in found if label not in _POLARITY]:
        raise UserError(
            f"data.labels binary is for trees with the labels 0 (worst) to 4 (best), not {other[0][:40]!r}; set it to all"
        )
    changed = [[part._replace(label=_POLARITY.get(part.label, NOTHING)) for part in tree] for tree in trees]
    return [tree for tree in changed if tree[-1].label != NOTHING]


def tree_examples(
    trees: Sequence[Tree], validation: Sequence[Tree], config: TreeDataConfig, *, extends: TokenTable | None = None
) -> tuple[TokenTable, tuple[str, ...], dict[str, Forest], dict[str, list[Tree]]]:
    """Split and encode labeled trees; the table of words comes from the training part.

    Args:
        trees: those to train on.
        validation: those to validate on; if there are none, a share of `trees` is held out.
        config: how.
        extends: a table to which the words that it lacks are added, such as a trained model's.

    Returns:
        The words, the distinct labels in sorted order, and the forests and the trees by split.

    Raises:
        UserError: there are fewer than two labels, or too few trees to split.

    Example:
        >>> trees = parse_trees("(1 (0 a) (1 b)) (0 (0 a) (0 c))", "a text")
        >>> words, labels, forests, _ = tree_examples(trees, trees, TreeDataConfig())
        >>> words.tokens, labels, forests["train"].labels.tolist()
        (('a', 'b', 'c'), ('0', '1'), [0, 1, 1, 0, 0, 0])
    """
    if config.labels == "binary":
        trees, validation = with_two_labels(trees), with_two_labels(validation)
    labels = tuple(sorted({part.label for tree in trees for part in tree} - {NOTHING}))
    if len(labels) < 2:
        raise UserError(f"a classifier needs at least two different labels; these trees have only {', '.join(labels)!r}")
    parts = {"train": list(trees), "validation": list(validation)}
    if not validation:
        held = held_out([written(tree) for tree in trees], config.validation_fraction).tolist()
        parts = {name: [tree for tree, out in zip(trees, held) if out == other] for name, other in _SPLITS.items()}
    words = [[part.word for part in tree if part.word] for tree in parts["train"]]
    table = extended(extends, TokenTable.of(words, min_count=config.min_count))
    parts = {name: part for name, part in parts.items() if part}
    return table, labels, {name: forest_of(part, table, labels) for name, part in parts.items()}, parts


def forest_of(trees: Sequence[Tree], words: TokenTable, labels: Sequence[str]) -> Forest:
    """Encode trees: words and labels that are not known become unknown and none."""
    number_of: dict[Any, int] = {label: number for number, label in enumerate(labels)}
    tokens = iter(words.numbers([part.word for tree in trees for part in tree]).tolist())
    return Forest.of([
        [
            Node(LEAF if part.word else _COMPOSED, next(tokens), part.left, part.right, number_of.get(part.label, NO_LABEL))
            for part in tree
        ]
        for tree in trees
    ])  # fmt: skip
