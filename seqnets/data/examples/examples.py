"""Examples of any length as arrays of one shape, for all tasks with sequences, labels and pictures."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from seqnets.data.fingerprint import digest_of
from seqnets.errors import UserError

Batch = dict[str, Any]  # NumPy arrays; traced ones inside a loss


@dataclass(frozen=True)
class Ragged:
    """Sequences of different lengths, end to end in one array.

    Args:
        flat: all steps of all sequences, `(steps, ...)`.
        bounds: where each sequence begins and ends in `flat`, `(N + 1,)`.

    Example:
        >>> words = Ragged.of([[1, 2, 3], [4]], np.int32)
        >>> len(words), words.lengths.tolist()
        (2, [3, 1])
        >>> words.padded(np.array([1, 0]), width=2, fill=9).tolist()
        [[4, 9], [1, 2]]
    """

    flat: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, sequences: Iterable[Any], dtype: Any) -> "Ragged":
        """Concatenate sequences."""
        arrays = [np.asarray(sequence, dtype) for sequence in sequences]
        flat = np.concatenate(arrays) if arrays else np.zeros(0, dtype)
        return cls(flat, np.cumsum([0, *(len(array) for array in arrays)]))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.flat[self.bounds[row] : self.bounds[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """The length of every sequence, `(N,)`."""
        return np.diff(self.bounds)

    def padded(self, rows: np.ndarray, width: int, fill: Any = 0) -> np.ndarray:
        """Return some sequences as one array `(B, width, ...)`: cut at `width`, filled up at the end."""
        batch = np.full((len(rows), width, *self.flat.shape[1:]), fill, self.flat.dtype)
        for place, row in zip(batch, rows):
            sequence = self[row][:width]
            place[: len(sequence)] = sequence
        return batch


@dataclass(frozen=True)
class Column:
    """Sequences, the width of their batches, and the padding value."""

    sequences: Ragged
    width: int
    fill: int = 0


class Table(Protocol):
    """Rows in files, read on request."""

    @property
    def identity(self) -> np.ndarray:
        """What identifies these rows, without reading them."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | np.ndarray, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Examples:
    """Aligned columns with one row per example; a batch is a dict of arrays whose shapes never change.

    Args:
        columns: by name. A `Column` gives `name` `(B, width, ...)` and `name_lengths` `(B,)` int32, capped at the width;
            an array `(N, ...)` gives its rows.
        shared: arrays (or objects that read rows from files) that several examples share, by the name of the column that holds
            row numbers into them: many questions share one picture.

    Raises:
        UserError: the columns differ in length.

    Example:
        >>> letters = Column(Ragged.of([[1, 2], [3]], np.int32), width=3)
        >>> examples = Examples({"letters": letters, "label": np.array([0, 1])})
        >>> {name: array.tolist() for name, array in examples.rows(np.array([1])).items()}
        {'letters': [[3, 0, 0]], 'letters_lengths': [1], 'label': [1]}
    """

    columns: Mapping[str, Column | np.ndarray]
    shared: Mapping[str, np.ndarray | Table] | None = None

    def __post_init__(self) -> None:
        sizes = {name: _rows_of(column) for name, column in self.columns.items()}
        if len(set(sizes.values())) != 1:
            raise UserError(f"columns must have the same length, not {sizes}")

    def __len__(self) -> int:
        return _rows_of(next(iter(self.columns.values())))

    def rows(self, rows: np.ndarray, only: str = "") -> Batch:
        """Return some examples as a batch, with all columns or a single one."""
        batch = {}
        for name, column in {only: self.columns[only]}.items() if only else self.columns.items():
            if isinstance(column, Column):
                batch[name] = column.sequences.padded(rows, column.width, column.fill)
                batch[f"{name}_lengths"] = np.minimum(column.sequences.lengths[rows], column.width).astype(np.int32)
            else:
                table = (self.shared or {}).get(name)
                batch[name] = column[rows] if table is None else table[column[rows]]
        return batch

    def first(self, count: int) -> "Examples":
        """Return the first examples, with batches of the same width.

        Example:
            >>> Examples({"label": np.arange(5)}).first(2).columns["label"].tolist()
            [0, 1]
        """
        return Examples({name: _first(column, count) for name, column in self.columns.items()}, self.shared)

    def digest(self) -> str:
        """Return a short hash of all rows, equal only for equal examples; a table in files gives its own identity."""
        arrays = {name: _identity(table) for name, table in (self.shared or {}).items()}
        for name, column in self.columns.items():
            arrays |= _arrays_of(name, column)
        return digest_of(arrays)


class Rows(Protocol):
    """Examples by number."""

    def __len__(self) -> int: ...

    def rows(self, rows: np.ndarray, /) -> Batch:
        """Return some of them as a batch."""
        ...


@dataclass(frozen=True)
class ShuffledBatches:
    """Batches by number; each epoch has its own order, and its last batch is filled from the next epoch.

    Args:
        examples: the examples to draw from.
        batch_size: B.
        seed: seed of the orders.
        rows: index of the rows of the batch that are made.

    Example:
        >>> batches = ShuffledBatches(Examples({"label": np.arange(5)}), batch_size=3, seed=0)
        >>> drawn = np.concatenate([batches.batch(step)["label"] for step in range(5)])
        >>> sorted(drawn[:5].tolist()), sorted(drawn[5:10].tolist())
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
    """

    examples: Rows
    batch_size: int
    seed: int
    rows: slice | np.ndarray = field(default_factory=lambda: slice(None))

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0."""
        return self.examples.rows(drawn_rows(len(self.examples), self.seed, step, self.batch_size, self.rows)[0])


def drawn_rows(size: int, seed: int, step: int, batch_size: int, rows: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which examples a step reads, and the epoch that each belongs to; each epoch reads every example once.

    Args:
        size: the number of examples.
        seed: seed of the orders.
        step: counted from 0.
        batch_size: B.
        rows: index of the rows of the batch that are wanted.

    Example:
        >>> chosen, epochs = drawn_rows(3, seed=0, step=0, batch_size=4, rows=slice(None))
        >>> sorted(chosen[:3].tolist()), epochs.tolist()
        ([0, 1, 2], [0, 0, 0, 1])
    """
    epochs, places = np.divmod(np.arange(step * batch_size, (step + 1) * batch_size)[rows], size)
    orders = {epoch: shuffled(size, seed, epoch) for epoch in np.unique(epochs).tolist()}
    return np.array([orders[epoch][place] for epoch, place in zip(epochs.tolist(), places.tolist())], np.int64), epochs


@lru_cache(maxsize=4)
def shuffled(size: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of an epoch, int64 `(size,)`; cached, since every batch of the epoch needs it.

    Example:
        >>> sorted(shuffled(3, seed=0, epoch=1).tolist())
        [0, 1, 2]
    """
    order = np.random.default_rng([seed, epoch]).permutation(size)
    order.flags.writeable = False
    return order


def in_order(examples: Rows, batch_size: int) -> Iterator[tuple[Batch, int]]:
    """Yield every example once, in order: batches of one shape, each with its number of real rows.

    Example:
        >>> [(batch["label"].tolist(), count) for batch, count in in_order(Examples({"label": np.arange(5)}), 3)]
        [([0, 1, 2], 3), ([3, 4, 4], 2)]
    """
    for start in range(0, len(examples), batch_size):
        rows = np.arange(start, start + batch_size)
        yield examples.rows(np.minimum(rows, len(examples) - 1)), min(batch_size, len(examples) - start)


def column(examples: Examples, name: str) -> Column:
    """Return a column of sequences.

    Raises:
        UserError: no column has that name, or it holds no sequences.
    """
    found = examples.columns.get(name)
    if not isinstance(found, Column):
        raise UserError(f"these examples have no sequences called {name!r}; they have {', '.join(examples.columns)}")
    return found


def _rows_of(column: Column | np.ndarray) -> int:
    return len(column.sequences if isinstance(column, Column) else column)


def _first(column: Column | np.ndarray, count: int) -> Column | np.ndarray:
    if not isinstance(column, Column):
        return column[:count]
    bounds = column.sequences.bounds[: count + 1]
    return Column(Ragged(column.sequences.flat[: bounds[-1]], bounds), column.width, column.fill)


def _identity(table: np.ndarray | Table) -> np.ndarray:
    return table if isinstance(table, np.ndarray) else table.identity


def _arrays_of(name: str, column: Column | np.ndarray) -> dict[str, np.ndarray]:
    if not isinstance(column, Column):
        return {name: column}
    return {name: column.sequences.flat, f"{name}.bounds": column.sequences.bounds, f"{name}.width": np.array(column.width)}
