"""What a classifier said of examples whose class is known: what it takes for what, and its worst mistakes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from seqnets.errors import UserError
from seqnets.metrics.classification import accuracy, confusion


class Mistake(NamedTuple):
    """An example that got another class than its own.

    Attributes:
        example: its place among the examples.
        truth: its class.
        guess: the likeliest class.
        probability: that of the guess.
        of_truth: the probability of its own class.
    """

    example: int
    truth: str
    guess: str
    probability: float
    of_truth: float


class Confusion(NamedTuple):
    """Two classes of which one is taken for the other.

    Attributes:
        truth: the true class.
        guess: what it is taken for.
        count: how often.
    """

    truth: str
    guess: str
    count: int


class ClassFigures(NamedTuple):
    """How well one class is recognized.

    Attributes:
        label: its name.
        examples: how many there are.
        precision: the share of right ones among the examples that were taken for it; None if there are none.
        recall: the share of its examples that were taken for it; None if there are none.
        f1: 2 right / (its examples + those taken for it).
    """

    label: str
    examples: int
    precision: float | None
    recall: float | None
    f1: float


@dataclass(frozen=True, eq=False)
class Judgments:
    """The classes that a model gave to N examples.

    Args:
        labels: the names of C classes.
        truth: integers `(N,)`: the true classes; examples with -1 do not count.
        log_probabilities: `(N, C)`: ln p of every class.

    Raises:
        UserError: the shapes do not fit.

    Example:
        >>> found = Judgments(("cat", "dog"), np.array([0, 1, 1]), np.log([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]))
        >>> round(found.accuracy, 3), found.counts.tolist()
        (0.667, [[1, 0], [1, 1]])
        >>> [(one.example, one.truth, one.guess, round(one.probability, 2)) for one in found.worst()]
        [(1, 'dog', 'cat', 0.8)]
    """

    labels: tuple[str, ...]
    truth: np.ndarray
    log_probabilities: np.ndarray

    def __post_init__(self) -> None:
        wanted = (len(self.truth), len(self.labels))
        if self.log_probabilities.shape != wanted:
            raise UserError(
                f"log_probabilities must be {wanted} for these labels and examples, not {self.log_probabilities.shape}"
            )

    @cached_property
    def guesses(self) -> np.ndarray:
        """The likeliest class of every example, `(N,)`."""
        return self.log_probabilities.argmax(-1)

    @cached_property
    def counts(self) -> np.ndarray:
        """How often each class was guessed for each true class, int64 `(C, C)`: row the true class, column the guess."""
        known = self.truth >= 0
        return confusion(self.truth[known], self.guesses[known], len(self.labels))

    @property
    def accuracy(self) -> float:
        """The share of examples that got their own class."""
        return accuracy(self.counts)

    def probability(self, example: int, label: int) -> float:
        """Return the probability of a class of an example."""
        return float(np.exp(self.log_probabilities[example, label]))

    def worst(self, count: int = 10) -> list[Mistake]:
        """Return the mistakes whose own class was least likely, the worst first.

        Args:
            count: how many at most.
        """
        wrong = np.flatnonzero((self.truth >= 0) & (self.guesses != self.truth))
        own = self.log_probabilities[wrong, self.truth[wrong]]
        return [self._mistake(int(example)) for example in wrong[np.argsort(own, kind="stable")][:count]]

    def _mistake(self, example: int) -> Mistake:
        truth, guess = int(self.truth[example]), int(self.guesses[example])
        shares = (self.probability(example, guess), self.probability(example, truth))
        return Mistake(example, self.labels[truth], self.labels[guess], *shares)

    def confused(self, count: int = 10) -> list[Confusion]:
        """Return the classes that are most often taken for another, the most frequent first.

        Args:
            count: how many pairs at most.
        """
        wrong = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        places = [np.unravel_index(place, wrong.shape) for place in order]
        return [
            Confusion(self.labels[row], self.labels[column], int(wrong[row, column]))
            for row, column in places
            if wrong[row, column]
        ]

    def per_class(self) -> list[ClassFigures]:
        """Return the figures of every class that occurs or was guessed, the least F1 first.

        Example:
            >>> found = Judgments(("cat", "dog"), np.array([0, 1, 1]), np.log([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]))
            >>> [(one.label, one.examples, one.precision, one.recall) for one in found.per_class()]
            [('cat', 1, 0.5, 1.0), ('dog', 2, 1.0, 0.5)]
        """
        right, true, guessed = np.diag(self.counts), self.counts.sum(1), self.counts.sum(0)
        there = np.flatnonzero(true + guessed)
        found = [
            ClassFigures(self.labels[c], int(true[c]), _share(right[c], guessed[c]), _share(right[c], true[c]), float(f1))
            for c, f1 in zip(there, 2 * right[there] / (true + guessed)[there])
        ]
        return sorted(found, key=lambda one: one.f1)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        return {
            "labels": list(self.labels),
            "examples": int(self.counts.sum()),
            "accuracy": self.accuracy,
            "counts": self.counts.tolist(),
            "classes": [one._asdict() for one in self.per_class()],
            "confused": [pair._asdict() for pair in self.confused()],
        }


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
