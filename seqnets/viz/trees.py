"""Trees whose nodes have the color of their label (extra [viz])."""

from collections.abc import Sequence
from typing import Any

from seqnets.viz.text import Tell, fitted, font_families, new_figure, plain, warn

_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#56b4e9", "#6e6e6e")  # Okabe, Ito
_LETTERS, _SIZE, _MOST_INCHES = 14, 9, 40


def places(children: Sequence[tuple[int, int]]) -> list[tuple[float, int]]:
    """Return where to draw the nodes of a tree: the column of every node, and its height above the leaves.

    Args:
        children: the places of both children of every node, -1 for none; children come before their parents.

    Example:
        >>> places([(-1, -1), (-1, -1), (0, 1)])
        [(0.0, 0), (1.0, 0), (0.5, 1)]
    """
    column, found = 0, [(0.0, 0)] * len(children)
    waiting = [len(children) - 1]
    while waiting:  # from the root to the leaves, the left ones first
        node = waiting.pop()
        below = [child for child in children[node] if child >= 0]
        waiting += below[::-1]
        if not below:
            found[node] = (float(column), 0)
            column += 1
    for node, pair in enumerate(children):
        below = [found[child] for child in pair if child >= 0]
        if below:
            found[node] = (sum(x for x, _ in below) / len(below), 1 + max(y for _, y in below))
    return found


def tree_figure(tree: Sequence[Any], labels: Sequence[str], probabilities: Any, *, tell: Tell = warn) -> Any:
    """Draw a tree: words at the bottom, each node in the color of its label, the paler the less sure it is.

    Args:
        tree: its nodes, with label, word, left and right, such as `seqnets.data.examples.trees.Part`.
        labels: all labels.
        probabilities: `(N, C)`, those of every label at every node.
        tell: called with a sentence where no installed font has some of the characters.

    Returns:
        A `matplotlib.figure.Figure`; its method `savefig` writes it to a file.

    Raises:
        UserError: matplotlib is not installed.

    Example:
        >>> from seqnets.data.examples.trees import parse_trees
        >>> (tree,) = parse_trees("(x (x a) (y b))", "a text")
        >>> figure = tree_figure(tree, ("x", "y"), [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['x', 'a', 'y', 'b', 'x']
    """
    where = places([(part.left, part.right) for part in tree])
    columns, heights = (1 + max(at[axis] for at in where) for axis in (0, 1))
    figure = new_figure(
        (min(_MOST_INCHES, 1 + 0.75 * columns), min(_MOST_INCHES, 1 + 0.45 * heights)), dpi=110, layout="compressed"
    )
    axes = figure.subplots()
    fonts = font_families("".join([*labels, *(part.word for part in tree)]), tell)
    number_of = {label: number for number, label in enumerate(labels)}
    for part, (x, y), shares in zip(tree, where, probabilities):
        for child in (part.left, part.right):
            if child >= 0:
                axes.plot([x, where[child][0]], [y, where[child][1]], color="0.7", lw=1, zorder=1)
        number = number_of[part.label]
        box = {"boxstyle": "round,pad=0.25", "facecolor": _tinted(number, float(shares[number])), "edgecolor": "0.4"}
        _write(axes, (x, y), part.label, fonts, bbox=box, va="center")
        if part.word:
            _write(axes, (x, y - 0.55), part.word, fonts, va="top", rotation=90 if len(part.word) > 5 else 0)
    axes.set(xlim=(-0.7, columns - 0.3), ylim=(-1.6, heights - 0.4))
    axes.axis("off")
    return figure


def _write(axes: Any, at: tuple[float, float], text: str, fonts: Any, **options: Any) -> None:
    axes.text(*at, plain(fitted(text, _LETTERS, _SIZE)[0]), ha="center", fontsize=_SIZE, fontfamily=fonts, zorder=2, **options)


def _tinted(number: int, share: float) -> tuple[float, ...]:
    color = _COLORS[number % len(_COLORS)]
    return tuple(1 - 0.75 * share * (1 - int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
