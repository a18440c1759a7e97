"""How surprised a model is by every character of a text, and what it expected instead."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqnets.errors import UserError
from seqnets.inspect.labels import token_names, token_texts
from seqnets.inspect.reading import trace


class Passage(NamedTuple):
    """A stretch of a text.

    Attributes:
        start: the index of its first character.
        text: what it says.
        bits: mean bits per character.
    """

    start: int
    text: str
    bits: float


@dataclass(frozen=True)
class Surprise:
    """The bits of every character of a text; made by `surprise`.

    Attributes:
        texts: the text, one entry per token.
        bits: float64 `(N,)`: -log2 p of every token given all before it; NaN for the first.
        expected: for every token the likeliest ones in its place, with their probabilities: `(token, p)`, likeliest first.
        names: what to call every token of the vocabulary.
        count: the characters (bytes, for a model of bytes) that were predicted, of which a word or a piece has several.
        unit: "character" or "byte".
    """

    texts: list[str]
    bits: np.ndarray
    expected: list[list[tuple[int, float]]]
    names: list[str]
    count: int
    unit: str

    @property
    def nats(self) -> float:
        """Mean nats per predicted character or byte, the figure of `seqnets evaluate`."""
        return float(np.nansum(self.bits) * np.log(2) / self.count)

    def worst(self, count: int = 5, length: int = 40) -> list[Passage]:
        """Return the passages with the most bits per character that do not overlap, worst first.

        Args:
            count: how many at most.
            length: of each, in tokens.
        """
        bits = np.nan_to_num(self.bits)
        length = min(length, len(bits))
        sums = np.convolve(bits, np.ones(length), "valid")
        found: list[Passage] = []
        while len(found) < count and np.isfinite(sums).any() and sums.max() > 0:
            start = int(sums.argmax())
            found.append(Passage(start, "".join(self.texts[start : start + length]), float(sums[start] / length)))
            sums[max(0, start - length + 1) : start + length] = -np.inf
        return found


def surprise(model: Any, tokens: Any, *, separator: tuple[int, ...] = (), likeliest: int = 5) -> Surprise:
    """Let a model read a text, and record the bits of every character and what the model expected there.

    Args:
        model: a `CharLM`.
        tokens: integers `(N,)`, N >= 2.
        separator: tokens of the document separator.
        likeliest: how many expected tokens to keep.

    Raises:
        UserError: the text has nothing to predict.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("abc"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> found = surprise(model, model.vocabulary.encode("abcabc"), likeliest=2)
        >>> found.bits.shape, len(found.expected[1]), len(found.worst(3, length=2))
        ((6,), 2, 2)

    References:
        Strobelt et al., "GLTR: Statistical Detection and Visualization of Generated Text", 2019.
    """
    if len(tokens) < 2:
        raise UserError(f"a text of {len(tokens)} characters leaves nothing to predict; give at least 2")
    read = trace(model, tokens, separator=separator, likeliest=likeliest)
    expected = [
        [(int(token), float(p)) for token, p in zip(found, probabilities) if p > 0]
        for found, probabilities in zip(read.likeliest, read.probabilities)
    ]
    count = int(model.vocabulary.units_in[read.tokens[1:]].sum())
    return Surprise(
        token_texts(model.vocabulary, read.tokens),
        read.bits,
        expected,
        token_names(model.vocabulary),
        count,
        model.vocabulary.unit,
    )
