"""A forest as arrays: the nodes of a batch sorted by height and cut into blocks, so that few shapes are compiled.

A tree visited node by node needs a call of the device for each. Here the leaves of a batch are one call, and the nodes above them
are cut into blocks of one height and one kind, so that all nodes of a block can be computed at once and a loop over blocks is a
single program, whatever the trees look like.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from seqnets.data.fingerprint import digest_of
from seqnets.errors import UserError

LEAF, NO_CHILD, NO_LABEL = 0, -1, -1
LEAST_BLOCKS = 8
Schedule = dict[str, Any]  # NumPy arrays; traced ones on a device


class Node(NamedTuple):
    """A node of a tree, whose children are among the nodes before it.

    Args:
        kind: 0 for a leaf, a number of a cell from 1 on for the others.
        argument: the number of its word.
        left: the place of its first child in the tree, -1 for none.
        right: that of its second child.
        label: the number of its class, -1 for none.
    """

    kind: int
    argument: int
    left: int = NO_CHILD
    right: int = NO_CHILD
    label: int = NO_LABEL


class Room(NamedTuple):
    """The shape of a schedule, and so of the program that runs it.

    Args:
        leaves: most leaves.
        blocks: most blocks.
        width: nodes of a block.
    """

    leaves: int
    blocks: int
    width: int

    @property
    def rows(self) -> int:
        """Rows of the device's table: the empty child, the leaves, and the nodes of all blocks."""
        return 1 + self.leaves + self.blocks * self.width

    @property
    def on_ladder(self) -> "Room":
        """The next larger room of 8, 16, 32, ... blocks, with a leaf for each node of a block.

        All forests whose schedule takes at most 8 * 2**n blocks of a width share n + 1 rooms, and so n + 1 programs.

        Example:
            >>> Room(leaves=9, blocks=9, width=4).on_ladder
            Room(leaves=64, blocks=16, width=4)
        """
        needed = max(self.blocks, -(-self.leaves // self.width), LEAST_BLOCKS)
        blocks = 1 << (needed - 1).bit_length()
        return Room(blocks * self.width, blocks, self.width)


@dataclass(frozen=True)
class Forest:
    """Trees whose nodes are end to end in one array.

    Args:
        nodes: int32 `(N, 5)`, the fields of `Node`; the children of a node are before it.
        bounds: where each tree begins and ends, `(T + 1,)`.

    Raises:
        UserError: a tree is empty, or a child is not before its parent.

    Example:
        >>> forest = Forest.of([[Node(0, 7), Node(0, 8), Node(1, 0, 0, 1)], [Node(0, 9)]])
        >>> len(forest), forest.heights.tolist()
        (2, [0, 0, 1, 0])
    """

    nodes: np.ndarray
    bounds: np.ndarray

    def __post_init__(self) -> None:
        within = np.arange(len(self.nodes)) - np.repeat(self.bounds[:-1], self.sizes)
        children = self.nodes[:, 2:4]
        if (self.sizes < 1).any() or (children >= within[:, None]).any() or (children < NO_CHILD).any():
            raise UserError("every tree of a forest needs a node, and every child must come before its parent")

    @classmethod
    def of(cls, trees: Sequence[Sequence[Node]]) -> "Forest":
        """Return a forest of trees, each a list of nodes with the root at its end."""
        flat = [node for tree in trees for node in tree]
        return cls(np.array(flat, np.int32).reshape(-1, len(Node._fields)), np.cumsum([0, *map(len, trees)]))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def sizes(self) -> np.ndarray:
        """The number of nodes of every tree, `(T,)`."""
        return np.diff(self.bounds)

    @property
    def labels(self) -> np.ndarray:
        """The label of every node, `(N,)`."""
        return self.nodes[:, 4]

    @property
    def roots(self) -> np.ndarray:
        """The place of every root among all nodes, `(T,)`."""
        return self.bounds[1:] - 1

    @cached_property
    def heights(self) -> np.ndarray:
        """The longest way from every node down to a leaf, `(N,)`."""
        found: list[int] = []
        starts = np.repeat(self.bounds[:-1], self.sizes).tolist()
        for start, (left, right) in zip(starts, self.nodes[:, 2:4].tolist()):
            found.append(1 + max((found[start + child] for child in (left, right) if child >= 0), default=-1))
        return np.array(found, np.int32)

    def first(self, count: int) -> "Forest":
        """Return the first trees."""
        bounds = self.bounds[: count + 1]
        return Forest(self.nodes[: bounds[-1]], bounds)

    def digest(self) -> str:
        """Return a short hash of all trees."""
        return digest_of({"nodes": self.nodes, "bounds": self.bounds})

    def room(self, rows: np.ndarray, width: int) -> Room:
        """Return the least room for some trees."""
        nodes = self._nodes_of(rows)[0]
        kinds, groups = self.nodes[nodes, 0], self._groups[nodes]
        counts = np.bincount(groups[kinds != LEAF])
        return Room(max(1, int((kinds == LEAF).sum())), max(1, int((-(-counts // width)).sum())), width)

    def room_for_any(self, count: int, width: int) -> Room:
        """Return a room for any `count` of these trees: a training run has one shape, and one program."""
        trees = np.repeat(np.arange(len(self)), self.sizes)
        pairs, counts = np.unique(np.stack([self._groups, trees]), axis=1, return_counts=True)
        order = np.lexsort((-counts, pairs[0]))
        groups, counts = pairs[0][order], counts[order]
        starts = np.searchsorted(groups, groups)
        largest = np.where(np.arange(len(groups)) - starts < count, counts, 0)
        most = np.bincount(groups, largest).astype(int)  # in the first group are the leaves
        return Room(max(1, int(most[0])), max(1, int((-(-most[1:] // width)).sum())), width)

    @cached_property
    def _groups(self) -> np.ndarray:
        """Nodes of one height and kind have one number; numbers rise with height, and leaves have 0."""
        kinds = self.nodes[:, 0]
        return np.where(kinds == LEAF, 0, self.heights * (kinds.max(initial=0) + 1) + kinds)

    def _nodes_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the nodes of some trees, the place in the batch of each one's tree, and where that begins."""
        sizes = self.sizes[rows]
        starts = np.cumsum(sizes) - sizes
        trees = np.repeat(np.arange(len(rows)), sizes)
        return np.arange(sizes.sum()) - np.repeat(starts - self.bounds[rows], sizes), trees, starts[trees]

    def scheduled(self, rows: np.ndarray, room: Room) -> tuple[Schedule, np.ndarray]:
        """Return the arrays with which a device visits some trees, and the row of its table for every node.

        Args:
            rows: the numbers of B trees.
            room: the shape; L leaves and K blocks of width W.

        Returns:
            The schedule: `words` and `word_trees` `(L,)`, the argument and the tree in the batch of every leaf; `kinds` `(K,)`,
            0 for a block without nodes; `arguments`, `left`, `right` and `trees` `(K, W)`, the argument of every node, the rows
            of its children (0 for none) and its tree; `labels` `(1 + L + K W,)`, -1 for none; `roots` `(B,)`, their rows. And the
            rows of all nodes of these trees, in order.

        Raises:
            UserError: the trees do not fit into the room.

        Example:
            >>> forest = Forest.of([[Node(0, 7), Node(0, 8), Node(1, 0, 0, 1, label=2)]])
            >>> schedule, places = forest.scheduled(np.array([0]), Room(leaves=3, blocks=2, width=2))
            >>> schedule["words"].tolist(), schedule["left"].tolist(), schedule["kinds"].tolist(), places.tolist()
            ([7, 8, 0], [[1, 0], [0, 0]], [1, 0], [1, 2, 4])
        """
        own, trees, starts = self._nodes_of(rows)
        kinds, arguments, left, right, labels = self.nodes[own].T
        places, blocks = _places(kinds, self._groups[own], room)
        padded = np.append(places, 0)  # the row of no child
        columns = {
            "arguments": arguments, "trees": trees,
            "left": padded[np.where(left < 0, -1, left + starts)], "right": padded[np.where(right < 0, -1, right + starts)],
        }  # fmt: skip
        found = {name: _spread(column, places, room.rows) for name, column in columns.items()}
        first = 1 + room.leaves
        shape = (room.blocks, room.width)
        schedule = {
            "words": found["arguments"][1:first],
            "word_trees": found["trees"][1:first],
            "kinds": np.pad(blocks, (0, room.blocks - len(blocks))).astype(np.int32),
            **{name: column[first:].reshape(shape) for name, column in found.items()},
            "labels": _spread(labels, places, room.rows, NO_LABEL),
            "roots": places[np.cumsum(self.sizes[rows]) - 1],
        }
        return schedule, places


def _places(kinds: np.ndarray, groups: np.ndarray, room: Room) -> tuple[np.ndarray, np.ndarray]:
    """Return the table's row of every node, and the kind of every block."""
    order = np.argsort(groups, kind="stable")
    numbers, firsts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    within = np.arange(len(order)) - np.repeat(firsts, counts)
    blocks = np.where(numbers == 0, 0, -(-counts // room.width))
    leaves = int(counts[numbers == 0].sum())
    if leaves > room.leaves or blocks.sum() > room.blocks:
        raise UserError(f"{leaves} leaves in {blocks.sum()} blocks do not fit into {room}; take a room of these trees")
    before = np.repeat(np.cumsum(blocks) - blocks, counts)
    places = np.empty(len(order), np.int32)
    places[order] = np.where(groups[order] == 0, 1 + within, 1 + room.leaves + before * room.width + within)
    return places, np.repeat(kinds[order][firsts], blocks)


def _spread(values: np.ndarray, places: np.ndarray, rows: int, fill: int = 0) -> np.ndarray:
    found = np.full(rows, fill, np.int32)
    found[places] = values
    return found


@dataclass(frozen=True)
class Scheduled:
    """The trees of a forest as rows for `seqnets.data.examples.examples.ShuffledBatches`, all in one room.

    The loop prepares batches ahead in a thread, so schedules cost the device no time.
    """

    forest: Forest
    room: Room

    def __len__(self) -> int:
        return len(self.forest)

    def rows(self, rows: np.ndarray) -> Schedule:
        """Return the schedule of some trees."""
        return self.forest.scheduled(rows, self.room)[0]


def on_ladder(forest: Forest, count: int, width: int) -> Iterator[tuple[Schedule, np.ndarray]]:
    """Yield the schedules of all trees in order, with the rows of their nodes, in rooms of the ladder.

    Args:
        forest: T trees.
        count: B, most trees of a schedule; every schedule has B roots, those past the last tree in row 0.
        width: nodes of a block.
    """
    for start in range(0, len(forest), count):
        rows = np.arange(start, min(start + count, len(forest)))
        schedule, places = forest.scheduled(rows, forest.room(rows, width).on_ladder)
        yield {**schedule, "roots": np.pad(schedule["roots"], (0, count - len(rows)))}, places


def width_for(count: int) -> int:
    """Return the width of blocks for batches of some trees: most heights of a tree have one node or two.

    Example:
        >>> width_for(25), width_for(1)
        (32, 8)
    """
    return max(8, 1 << (count - 1).bit_length())
