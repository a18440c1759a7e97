"""Layouts: the modules that answer a question, as trees, such as `and find red transform left find square`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.examples.examples import Batch, Examples
from seqnets.data.fingerprint import digest_of
from seqnets.data.forest import LEAF, Forest, Node, Room, Schedule, width_for
from seqnets.errors import UserError

TRANSFORM, AND = 1, 2
MODULES = {"find": (LEAF, 0), "transform": (TRANSFORM, 1), "and": (AND, 2)}
"""The modules by name: the kind of their nodes, and how many maps they read. `find` and `transform` have a word."""

AND_TOKEN, UNKNOWN = 4, 3  # the token of `and`, and the first word that modules have

MOST = 32
"""Modules of a layout; words of a question past the half are not read by the rule."""

FORM = "find WORD, transform WORD LAYOUT or and LAYOUT LAYOUT"
_RELATIONS = ("left", "right", "above", "below", "over", "under", "behind", "beside")
_SILENT = ("is", "are", "there", "a", "an", "the", "of", "to", "any", "shape", "shapes", "thing", "it", "?", ".")
_BACKWARD = {"_Find": "find", "_Transform": "transform", "_And": "and", "_Answer": ""}


class Module(NamedTuple):
    """A node of a layout, whose children are among the nodes before it.

    Args:
        name: find, transform or and.
        word: its word; "" for and.
        left: the place of the first layout that it reads, -1 for none.
        right: the place of the second one.
    """

    name: str
    word: str = ""
    left: int = -1
    right: int = -1

    def __str__(self) -> str:
        return f"{self.name} {self.word}".rstrip()


Layout = list[Module]  # the root at its end


def parse_layout(text: str, where: str = "the layout") -> Layout:
    """Read a layout, each module before what it reads.

    Raises:
        UserError: it is not a layout; the message says where.

    Example:
        >>> [str(module) for module in parse_layout("and find red transform left find square")]
        ['find square', 'transform left', 'find red', 'and']
    """
    layout: Layout = []
    waiting: list[int] = []  # places of modules that nothing has read yet, the first one at the end
    for name, word in reversed(list(_named(text.split()))):
        needs = MODULES.get(name, (0, MOST + 1))[1]
        if needs > len(waiting) or (name != "and" and not word):
            raise UserError(f"{where} {text[:60]!r} has {name[:20]!r} where a module should be; write {FORM}")
        children = [waiting.pop() for _ in range(needs)]
        waiting.append(len(layout))
        layout.append(Module(name, word, *children))
    if len(waiting) != 1 or len(layout) > MOST:
        raise UserError(f"{where} {text[:60]!r} is {len(waiting)} layouts of {len(layout)} modules; write one of at most {MOST}")
    return layout


def _named(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for name in rest:
        yield name, "" if name == "and" else next(rest, "")


def layout_of(question: str) -> str:
    """Return the layout of a question by a rule: things are found, and a relation moves the map of what comes after it.

    Example:
        >>> layout_of("is a red shape left of above a square?")
        'and find red transform left transform above find square'
    """
    words = [word for word in question.lower().replace("?", " ").split() if word not in _SILENT][: MOST // 2]
    while words and words[-1] in _RELATIONS:
        words.pop()  # nothing comes after it
    parts = [f"transform {word}" if word in _RELATIONS else f"and find {word}" for word in words[:-1]]
    return " ".join([*parts, f"find {words[-1] if words else 'thing'}"])


def of_module_names(names: Sequence[Any], question: str, where: str) -> str:
    """Return the layout that the names of modules without words describe, in reverse order, as N2NMN's files have them.

    Raises:
        UserError: they are no layout; the message says where.

    Example:
        >>> of_module_names(["_Find", "_Find", "_Transform", "_And", "_Answer"], "is a red shape left of a square", "question 0")
        'and find red transform left find square'
    """
    expected = layout_of(question)
    shape = [str(module).partition(" ")[0] for module in parse_layout(expected)]
    given = [_BACKWARD.get(name, "unknown") for name in names if isinstance(name, str)]
    if len(given) < len(names) or "unknown" in given or sorted(name for name in given if name) != sorted(shape):
        raise UserError(f"{where} has a layout {str(names)[:60]} that does not fit {question[:60]!r}; write {FORM}")
    return expected


def layout_forest(layouts: Sequence[Layout], number_of: Any) -> Forest:
    """Encode layouts as a forest.

    Args:
        layouts: any number.
        number_of: the number of a word.
    """
    nodes = [
        [Node(MODULES[one.name][0], number_of(one.word) if one.word else 0, one.left, one.right) for one in layout]
        for layout in layouts
    ]
    return Forest.of(nodes)


def layout_tokens(forest: Forest, given: np.ndarray, length: int) -> np.ndarray:
    """Return layouts as tokens for a policy, each module before what it reads, `(N, length)` int32, with zeros after them.

    Rows of layouts that are not given, `(N,)`, are zeros.

    Raises:
        UserError: a layout has more modules.

    Example:
        >>> numbers = {"red": 4, "left": 5, "square": 6}
        >>> forest = layout_forest([parse_layout("and find red transform left find square")], numbers.get)
        >>> layout_tokens(forest, np.array([True]), 6).tolist()
        [[4, 7, 10, 11, 0, 0]]
    """
    most = int(forest.sizes[given].max(initial=0))
    if most > length:
        raise UserError(f"a layout has {most} modules, and the policy writes {length} at most; set --model.layout-modules {most}")
    rows = np.repeat(np.arange(len(forest)), forest.sizes)
    places = forest.roots[rows] - np.arange(len(rows))
    kinds, words = forest.nodes[:, 0], forest.nodes[:, 1]
    found = np.where(kinds == AND, AND_TOKEN, AND_TOKEN + 1 + 2 * (words - UNKNOWN) + kinds)
    tokens = np.zeros((len(forest), length), np.int32)
    tokens[rows[given[rows]], places[given[rows]]] = found[given[rows]]
    return tokens


def forest_of_tokens(tokens: np.ndarray) -> Forest:
    """Return the layouts that rows of tokens stand for, `(N, length)`: the reverse of `layout_tokens`.

    Example:
        >>> forest_of_tokens(np.array([[4, 7, 11, 0]])).nodes[:, :4].tolist()
        [[0, 6, -1, -1], [0, 4, -1, -1], [2, 0, 1, 0]]
    """
    return Forest.of([_nodes_of(row[row > 0][::-1].tolist()) for row in np.asarray(tokens)])


def _nodes_of(tokens: Sequence[int]) -> list[Node]:
    nodes: list[Node] = []
    waiting: list[int] = []
    for token in tokens:
        word, kind = divmod(token - AND_TOKEN - 1, 2)
        kind, word = (AND, 0) if token == AND_TOKEN else (kind, UNKNOWN + word)
        children = [waiting.pop() for _ in range(kind)]  # as many as the number of its kind
        waiting.append(len(nodes))
        nodes.append(Node(kind, word, *children))
    return nodes


def room_of_layouts(count: int, modules: int) -> Room:
    """Return a room for any layouts of some modules at most: each height and kind has a block that is not full at most."""
    width, above = width_for(count), modules - 1
    return Room(count * -(-modules // 2), max(1, count * above // width + 2 * above), width)


def laid_rows(forest: Forest, rows: np.ndarray, room: Room, most: int) -> Schedule:
    """Return the schedule of some layouts, and the rows of the nodes of each, `(B, most)`."""
    schedule, places = forest.scheduled(rows, room)
    of_nodes = np.zeros((len(rows), most), np.int32)
    of_nodes[np.arange(most) < forest.sizes[rows][:, None]] = places
    return {**{name: schedule[name] for name in schedule if name != "labels"}, "nodes": of_nodes}


@dataclass(frozen=True)
class LaidOut:
    """Questions with their layouts: examples whose batches hold schedules.

    Args:
        examples: the questions, with the columns `image`, `tokens` and `label`.
        forest: the layout of each.
        given: which layouts are from the data rather than from the rule, `(N,)`.
        room: the shape of all batches; None for the ladder's.
        most: the most nodes of a layout.
    """

    examples: Examples
    forest: Forest
    given: np.ndarray
    room: Room | None = None
    most: int = MOST

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def columns(self) -> Any:
        """The columns of the examples."""
        return self.examples.columns

    def rows(self, rows: np.ndarray) -> Batch:
        """Return some questions as a batch: their columns, their schedule, and the rows of the nodes of each, `(B, most)`."""
        room = self.room or self.forest.room(rows, 32).on_ladder
        return {**self.examples.rows(rows), **laid_rows(self.forest, rows, room, self.most)}

    def digest(self) -> str:
        """Return a short hash of all questions and layouts."""
        return digest_of({"examples": np.array(self.examples.digest()), "layouts": np.array(self.forest.digest())})
