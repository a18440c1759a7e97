"""How well a model predicts a text, exactly: every character once, given all characters before it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets import settings
from seqnets.data.text.streams import TokenStream
from seqnets.decode.text.config import MANY
from seqnets.decode.text.prompt import Split
from seqnets.errors import UserError

Progress = Callable[[int, int], None]

_LOGITS_NUMBERS = 1 << 25  # of one chunk; 128 MB
_ALIKE = 1e-5  # see score


@dataclass(frozen=True)
class Score:
    """How well a text is predicted, averaged over the predicted characters (or bytes, for a model of bytes).

    Args:
        nats: mean of -ln p(character | all before it).
        characters: the number of characters (or bytes) in the predicted tokens.
        unit: "character" or "byte".

    Example:
        >>> score = Score(nats=math.log(4), characters=99)
        >>> score.bits_per_char, round(score.perplexity, 6)
        (2.0, 4.0)
    """

    nats: float
    characters: int
    unit: str = "character"

    @property
    def bits_per_char(self) -> float:
        """Bits per character (or byte, for a model of bytes): nats / ln 2."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(nats)."""
        return math.exp(self.nats) if self.nats < 700 else math.inf

    def to_json(self) -> dict[str, float | int | str]:
        """Return all figures by name, for `json.dump`."""
        figures = {name: getattr(self, name) for name in ("nats", "bits_per_char", "perplexity", "characters")}
        return {**figures, "unit": self.unit}

    def __str__(self) -> str:
        return (
            f"{self.nats:.4f} nats, {self.bits_per_char:.4f} bits per {self.unit}, perplexity {self.perplexity:.3f} "
            f"over {self.characters:,} {self.unit}s"
        )


def score(
    model: Any,
    tokens: Any,
    *,
    streams: int = 16,
    warmup: int = 1024,
    chunk: int = 512,
    context: Any = None,
    separator: tuple[int, ...] | None = None,
    progress: Progress | None = None,
) -> Score:
    """Return how well a model predicts a text.

    nats = -1/(N-1) sum_{t=2}^{N} ln p(x_t | x_1 .. x_{t-1})

    For speed the text is cut into `streams` parts that run side by side. Each part first reads the `warmup` characters
    before it, which are not counted again. Most models have forgotten earlier characters by then, so a part begins in the
    state in which the part before it ended. If these states differ by more than 1e-5 in any unit, the parts run again from
    the end states of the previous pass until all agree, which takes at most as many passes as there are parts. The figure
    therefore equals that of the single pass (`streams=1`), to a relative 1e-6; memory does not grow with the text.

    Args:
        model: a `CharLM`.
        tokens: integers of shape (N,), in memory or memory-mapped, or a `TokenStream`; N >= 2.
        streams: parts that run side by side; 1 for the single pass.
        warmup: the fewest characters that each part reads before the first one that counts. It affects the number of
            passes, not the figure.
        chunk: characters of every part per dispatch.
        context: tokens that stand before the text; they are read but not counted, and the text's first character is
            then predicted too.
        separator: tokens of the document separator, at whose last token the carry is reset, as in training; the
            stream's own by default.
        progress: called now and then with the characters predicted so far and in all.

    Raises:
        UserError: a size is out of range, there is nothing to predict, or a token is not of the model's vocabulary.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> vocabulary = Vocabulary.from_text("hello world")
        >>> model = CharLM(vocabulary, hidden_features=8, rngs=nnx.Rngs(0))
        >>> score(model, vocabulary.encode("hello world")).characters
        10
    """
    split = Split.of(model)
    text = Passage.of(tokens, context, separator)
    streams = settings.whole("streams", streams, MANY)
    chunk, warmup = settings.whole("chunk", chunk, settings.POSITIVE), settings.whole("warmup", warmup)
    text.check()
    chunk = min(chunk, max(1, _LOGITS_NUMBERS // (streams * len(split.vocabulary))))
    plan = _Plan(text, streams, warmup, chunk)
    total, units = _settled_sum(split, plan, progress)
    return Score(total / units, units, split.vocabulary.unit)


def _settled_sum(split: Split, plan: "_Plan", progress: Progress | None) -> tuple[float, int]:
    """Run all parts until each begins in the state in which the one before it ends; return the sums of losses and of units."""
    _, _, begins = _passed(split, plan, plan.before, split.initialize_carry(plan.streams))
    for _ in range(plan.used):
        total, units, ends = _passed(split, plan, plan.parts, begins, progress)
        begun, begins = begins, _handed_on(begins, ends)
        if not _differs(begins, begun, plan.used):
            break
    return total, units


def _passed(split: Split, plan: "_Plan", starts: range, carry: Any, progress: Progress | None = None) -> tuple[float, int, Any]:
    total, units, waiting = 0.0, 0, None
    for start in starts:
        inputs, targets, resets, counts = plan.read(start, len(split.vocabulary))
        losses, carry = _losses(split.graph, split.values, inputs, targets, resets, carry)
        total += 0.0 if waiting is None else _sum(*waiting)  # while the device works on this chunk
        waiting = losses, counts
        units += int(split.vocabulary.units_in[targets[counts]].sum())
        tell(progress, (start + starts.step - starts.start) * plan.count // (starts.stop - starts.start), plan.count)
    return total + (0.0 if waiting is None else _sum(*waiting)), units, carry


class Passage:
    """A text with its context, read by position.

    Args:
        stream: the text.
        context: int32 of shape (C,), which has the positions before the text.
    """

    def __init__(self, stream: TokenStream, context: np.ndarray) -> None:
        self._stream, self._context = stream, context
        self.separator = stream.separator
        self.first = max(1, len(context))

    @classmethod
    def of(cls, tokens: Any, context: Any = None, separator: tuple[int, ...] | None = None) -> "Passage":
        """Make a passage from the arguments of `score`."""
        stream = tokens if isinstance(tokens, TokenStream) else TokenStream(tokens)
        if separator is not None:
            stream = TokenStream(stream.tokens, separator)
        return cls(stream, np.asarray([] if context is None else context, np.int32))

    @property
    def count(self) -> int:
        """The number of predicted tokens."""
        return len(self) - self.first

    def check(self) -> None:
        """Refuse a text with nothing to predict."""
        if self.count < 1:
            raise UserError(f"a text of {len(self._stream):,} characters leaves nothing to predict; give at least 2")

    def __len__(self) -> int:
        return len(self._context) + len(self._stream)

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """Return the tokens at some positions of context and text, int32."""
        before = len(self._context)
        if not before:
            return self._stream.gather(positions)
        inside = self._stream.gather(np.maximum(positions - before, 0))
        return np.where(positions < before, self._context[np.minimum(positions, before - 1)], inside)

    def resets(self, positions: np.ndarray) -> np.ndarray:
        """Return where the carry is the initial one: at the first token, and at the last token of each separator."""
        ends = np.full(positions.shape, bool(self.separator))
        for back, token in enumerate(reversed(self.separator)):
            ends &= (positions >= back) & (self.gather(np.clip(positions - back, 0, len(self) - 1)) == token)
        return ends | (positions == 0)


class _Plan:
    """Which position every part predicts at every step, counted from the part's beginning; below 0 it only reads.

    Parts and their warm-up are whole numbers of chunks, so that chunks end where parts begin and end.
    """

    def __init__(self, text: Passage, streams: int, warmup: int, chunk: int) -> None:
        self._text, self.streams, self._chunk, self.count = text, streams, chunk, text.count
        predicted = len(text) - 1
        share = _rounded_up(-(-predicted // streams), chunk)
        self.used = -(-predicted // share)
        last = share * (self.used - 1)  # the longest context that any part has
        self._starts = 1 + share * np.arange(streams)[:, None]
        self.before = range(-_rounded_up(min(warmup, last), chunk), 0, chunk)
        self.parts = range(0, share, chunk)

    def read(self, start: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        targets = self._starts + np.arange(start, start + self._chunk)[None]
        counts = (start >= 0) & (targets >= self._text.first) & (targets < len(self._text))
        inputs, following = (self._text.gather(np.clip(at, 0, len(self._text) - 1)) for at in (targets - 1, targets))
        check_tokens(inputs, vocabulary)
        check_tokens(following, vocabulary)
        return inputs, following, self._text.resets(targets - 1), counts


def _rounded_up(size: int, chunk: int) -> int:
    return -(-size // chunk) * chunk


def token_losses(model: Any, inputs: Any, targets: Any, resets: Any, carry: Any) -> tuple[Array, Any]:
    """Return -ln p(target) at every position, `(B, T)` float32, and the carry after the last."""
    logits, carry = model(jnp.asarray(inputs), carry, resets=jnp.asarray(resets))
    logits = logits.astype(jnp.float32)
    chosen = jnp.take_along_axis(logits, jnp.asarray(targets)[..., None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits, axis=-1) - chosen, carry


def tell(progress: Progress | None, done: int, total: int) -> None:
    """Report progress, if wanted."""
    if progress is not None:
        progress(done, total)


def check_tokens(tokens: np.ndarray, vocabulary: int) -> None:
    """Refuse tokens that the model does not know."""
    if tokens.size and not (tokens.min() >= 0 and tokens.max() < vocabulary):
        wrong = int(tokens.max()) if tokens.max() >= vocabulary else int(tokens.min())
        raise UserError(f"tokens must be in [0, {vocabulary}), the model's vocabulary; found {wrong}: encode the text with it")


@partial(jax.jit, static_argnums=0)
def _losses(graph: Any, values: Any, inputs: Any, targets: Any, resets: Any, carry: Any) -> tuple[Array, Any]:
    return token_losses(nnx.merge(graph, values), inputs, targets, resets, carry)


@jax.jit
def _handed_on(begins: Any, ends: Any) -> Any:
    """Return the states in which the parts should begin: the first as before, each other as the one before it ended."""
    return jax.tree.map(lambda begin, end: jnp.concatenate([begin[:1], end[:-1]]), begins, ends)


@jax.jit
def _differs(right: Any, found: Any, used: int) -> Array:
    def some(right: Array, found: Array) -> Array:
        alike = jnp.abs(right - found) <= _ALIKE * jnp.maximum(1.0, jnp.abs(right))  # false for a NaN
        return jnp.any(~alike & (jnp.arange(len(right)) < used).reshape(-1, *(1,) * (right.ndim - 1)))

    return jnp.any(jnp.stack(jax.tree.leaves(jax.tree.map(some, right, found))))


def _sum(losses: Array, counts: np.ndarray) -> float:
    return float(np.asarray(losses, np.float64)[counts].sum())
