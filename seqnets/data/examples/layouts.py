"""Layouts: the modules that answer a question, as trees, such as `and find red transform left find square`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.examples.examples import Batch, Examples
from seqnets.data.fingerprint import digest_of
from seqnets.data.forest import LEAF, Forest, Node, Room
from seqnets.errors import UserError

TRANSFORM, AND = 1, 2
MODULES = {"find": (LEAF, 0), "transform": (TRANSFORM, 1), "and": (AND, 2)}
"""The modules by name: the kind of their nodes, and how many maps they read. `find` and `transform` have a word."""

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


@dataclass(frozen=True)
class LaidOut:
    """Questions with their layouts: examples whose batches hold schedules.

    Args:
        examples: the questions, with the columns `image`, `tokens` and `label`.
        forest: the layout of each.
        room: the shape of all batches; None for the ladder's.
        most: the most nodes of a layout.
    """

    examples: Examples
    forest: Forest
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
        schedule, places = self.forest.scheduled(rows, room)
        sizes = self.forest.sizes[rows]
        of_nodes = np.zeros((len(rows), self.most), np.int32)
        of_nodes[np.arange(self.most) < sizes[:, None]] = places
        return {**self.examples.rows(rows), **{name: schedule[name] for name in schedule if name != "labels"}, "nodes": of_nodes}

    def digest(self) -> str:
        """Return a short hash of all questions and layouts."""
        return digest_of({"examples": np.array(self.examples.digest()), "layouts": np.array(self.forest.digest())})
