"""Which unit of a recurrent network follows what: quotes, the position in the line, comments, the depth of brackets.

Karpathy, Johnson, Li, "Visualizing and Understanding Recurrent Networks", 2015, found such units by eye. Here every unit is
compared with what a scanner marks, on text that the network did not learn from, and with a network of random weights.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flax import nnx

from seqnets.data.text.scanners import Language, guess_language
from seqnets.errors import UserError
from seqnets.inspect.labels import token_marks, token_texts
from seqnets.inspect.reading import trace

FEWEST = 20  # characters with, and without, a mark
FOLLOWS = {"area under the ROC curve": 0.8, "correlation": 0.4}
BEYOND_CHANCE = 0.03  # what a unit must have above the best unit of a network with random weights


@dataclass(frozen=True)
class Detector:
    """The unit that follows a mark best.

    The unit is chosen on the first half of the text and scored on the second.

    Attributes:
        mark: what it may follow.
        measure: "area under the ROC curve" for a mark that is there or not, "correlation" for a number.
        score: of the unit, at least as good as guessing: 0.5 to 1 for an area, 0 to 1 for a correlation.
        unit: its index among all units, the lowest layer's first.
        layer: its layer, from 0.
        index: its index in the layer.
        direction: 1 if it is high where the mark is, -1 if it is low.
        random: the score of the best unit of a network with random weights, found in the same way.
        share: the mean of the mark over the text.
        scores: float32 `(U,)`: every unit's score on the second half, negative for the direction -1 (0.5 is taken from areas).
    """

    mark: str
    measure: str
    score: float
    unit: int
    layer: int
    index: int
    direction: int
    random: float
    share: float
    scores: np.ndarray

    @property
    def follows(self) -> bool:
        """Whether the unit follows the mark, and not only as well as a random one."""
        return self.score >= FOLLOWS[self.measure] and self.score >= self.random + BEYOND_CHANCE

    @property
    def verdict(self) -> str:
        """One clause for people."""
        if self.follows:
            ways = ("rises", "falls") if self.measure == "correlation" else ("is high", "is low")
            joined = "with it" if self.measure == "correlation" else "there"
            return f"unit {self.index} of layer {self.layer + 1} {ways[self.direction < 0]} {joined}"
        if self.score >= FOLLOWS[self.measure]:
            return "a unit of a network with random weights follows it as well"
        return "no unit follows this"

    def to_json(self) -> dict[str, Any]:
        """Return all but the scores of single units, for `json.dump`."""
        names = ("mark", "measure", "score", "unit", "layer", "index", "direction", "random", "share", "follows", "verdict")
        return {name: getattr(self, name) for name in names}


def detectors(
    model: Any, tokens: Any, *, language: Language | None = None, separator: tuple[int, ...] = (), seed: int = 0
) -> list[Detector]:
    r"""Find, for everything that a scanner can mark, the unit that follows it best.

    Args:
        model: a `CharLM`.
        tokens: a text that the model did not learn from, integers `(N,)`; at least 1,000, better 20,000.
        language: what the text is written in; guessed if None.
        separator: tokens of the document separator.
        seed: of the random weights that it is compared with.

    Returns:
        The detectors, the best above their random rivals first. Marks that the text has (almost) never or always are left out.

    Raises:
        UserError: the text is too short.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> text = "ab cd 12\n" * 100
        >>> model = CharLM(Vocabulary.from_text(text), hidden_features=4, rngs=nnx.Rngs(0))
        >>> sorted(found.mark for found in detectors(model, model.vocabulary.encode(text)))
        ['characters since a space', 'digit', 'position in the line']
    """
    if len(tokens) < 2 * FEWEST:
        raise UserError(f"a text of {len(tokens)} characters is too short to compare units on; give at least 1,000")
    texts = token_texts(model.vocabulary, tokens)
    marks = token_marks(texts, language or guess_language("".join(texts)))
    own = _Units(trace(model, tokens, separator=separator).states)
    rival = type(model)(model.vocabulary, model.config, rngs=nnx.Rngs(seed))
    others = _Units(trace(rival, tokens, separator=separator).states)
    width = model.config.hidden_features
    found = [_detector(name, mark, own, others, width) for name, mark in marks.items() if _varies(mark)]
    return sorted(found, key=lambda detector: detector.random - detector.score)


class _Units:
    """The states of all units over a text, halved: one half to choose by, the other to score by."""

    def __init__(self, states: np.ndarray) -> None:
        self._half = len(states) // 2
        self._ranks, self._centered = [], []
        for half in (states[: self._half], states[self._half :]):
            self._ranks.append(_ranks(half))
            centered = half - half.mean(0)
            self._centered.append(centered / np.maximum(np.sqrt((centered**2).sum(0)), 1e-30))

    def scores(self, mark: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the signed score of every unit on both halves: area - 0.5, or the correlation."""
        halves = (mark[: self._half], mark[self._half :])
        if mark.dtype == bool:
            first, second = (_areas(ranks, half) for ranks, half in zip(self._ranks, halves))
        else:
            first, second = (_correlations(centered, half) for centered, half in zip(self._centered, halves))
        return first, second


def _detector(name: str, mark: np.ndarray, own: _Units, others: _Units, width: int) -> Detector:
    yes_or_no = mark.dtype == bool
    base = 0.5 if yes_or_no else 0.0
    chosen, scores = own.scores(mark)
    unit = int(np.abs(chosen).argmax())
    direction = 1 if chosen[unit] > 0 else -1
    random_chosen, random_scores = others.scores(mark)
    rival = int(np.abs(random_chosen).argmax())
    rival_score = base + np.sign(random_chosen[rival]) * random_scores[rival]
    measure = "area under the ROC curve" if yes_or_no else "correlation"
    return Detector(
        name, measure, float(base + direction * scores[unit]), unit, unit // width, unit % width, direction, float(rival_score),
        float(mark.mean()), scores.astype(np.float32),
    )  # fmt: skip


def _varies(mark: np.ndarray) -> bool:
    halves = mark[: len(mark) // 2], mark[len(mark) // 2 :]
    if mark.dtype != bool:
        return all(half.std() > 0 for half in halves)
    return all(FEWEST <= half.sum() <= len(half) - FEWEST for half in halves)


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata  # one of JAX's own dependencies

    return rankdata(values, axis=0).astype(np.float32)


def _areas(ranks: np.ndarray, mark: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of every unit, less a half: the Mann-Whitney statistic from mean ranks."""
    yes, count = int(mark.sum()), len(mark)
    total = mark.astype(np.float64) @ ranks
    return (total - yes * (yes + 1) / 2) / (yes * (count - yes)) - 0.5


def _correlations(centered: np.ndarray, mark: np.ndarray) -> np.ndarray:
    values = mark.astype(np.float64) - mark.mean()
    return (values / np.sqrt((values**2).sum())) @ centered
