"""Sampling: a compiled loop on the device; text streams out while the next characters are drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets import settings
from seqnets.decode.filters import Filters, draw, filtered, filters_of, noise_of
from seqnets.decode.given import key_of
from seqnets.decode.text import utf8
from seqnets.decode.text.config import MANY, SamplingConfig
from seqnets.decode.text.prompt import Split, opening, read_prompt
from seqnets.decode.text.streaming import TextStream

_NOISE_NUMBERS = 1 << 24  # of one chunk; 64 MB
_WEIGHT_BYTES = 1 << 32  # bytes that a chunk reads: some tens of milliseconds on a CPU


def sample(
    model: Any,
    prompt: str = "",
    *,
    key: Array | None = None,
    config: SamplingConfig | None = None,
    separator: tuple[int, ...] = (),
    **overrides: Any,
) -> str:
    """Return text that continues a prompt.

    p(x_t | x_<t) = softmax(filtered(logits_t)). The same key gives the same text.

    Args:
        model: a `CharLM`.
        prompt: the text to continue; if empty, the text begins as after a newline (see `prompt_tokens`).
        key: a JAX key; `jax.random.key(0)` by default.
        config: how to draw; see `SamplingConfig`.
        separator: tokens of the document separator, after which the carry is reset, as in training.
        **overrides: fields of `SamplingConfig`: `length=100, temperature=0.8`.

    Returns:
        The new text, without the prompt.

    Raises:
        UserError: a setting is out of range, or the prompt has a character that the vocabulary lacks.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("hello world"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> len(sample(model, prompt="hello", length=20, temperature=0.8, key=jax.random.key(1)))
        20
    """
    return "".join(stream(model, prompt, key=key, config=config, separator=separator, **overrides))


def stream(model: Any, prompt: str = "", **options: Any) -> Iterator[str]:
    """Sample as `sample` does, but yield the text piece by piece.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("ab"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> sum(len(piece) for piece in stream(model, "ab", length=100))
        100
    """
    return (piece for (piece,) in stream_many(model, prompt, samples=1, **options))


def sample_many(model: Any, prompt: str = "", *, samples: int, **options: Any) -> list[str]:
    """Return several texts that continue a prompt, drawn side by side.

    Sample i draws its noise from `fold_in(key, i)`, so it is the same text for any number of samples, up to the
    rounding of the batch's matrix products; the first is what `sample` returns.

    Args:
        model: a `CharLM`.
        prompt: the text to continue.
        samples: how many, at least 1.
        **options: the options of `sample`.

    Raises:
        UserError: as for `sample`, or `samples` is not positive.

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("ab"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> [len(text) for text in sample_many(model, "ab", samples=3, length=5)]
        [5, 5, 5]
    """
    pieces = list(stream_many(model, prompt, samples=samples, **options))
    return ["".join(text) for text in zip(*pieces)] if pieces else [""] * samples


def stream_many(
    model: Any,
    prompt: str = "",
    *,
    samples: int,
    key: Array | None = None,
    config: SamplingConfig | None = None,
    separator: tuple[int, ...] = (),
    chunk: int | None = None,
    **overrides: Any,
) -> Iterator[list[str]]:
    """Sample as `sample_many` does, but yield lists of pieces, one for each sample.

    Args:
        model: a `CharLM`.
        prompt: the text to continue.
        samples: how many, at least 1.
        key: a JAX key; `jax.random.key(0)` by default.
        config: how to draw.
        separator: tokens of the document separator.
        chunk: characters per dispatch; it changes the size of the pieces, never the text. By default at most 256,
            fewer for a model whose weights take long to read.
        **overrides: fields of `SamplingConfig`.
    """
    config = settings.replaced(config or SamplingConfig(), overrides, "sampling")
    split = Split.of(model)
    chunk = _chunk(split.values) if chunk is None else chunk
    samples = settings.whole("samples", samples, MANY)
    chunk = settings.whole("chunk", chunk, settings.POSITIVE)
    begin = opening(split.vocabulary, prompt, unknown=config.unknown, separator=separator)
    texts = [TextStream(split.vocabulary, config.length, tuple(config.stop), again=begin.again) for _ in range(samples)]
    return _stream(_Loop(split, config, samples, separator, chunk, begin.allowed), begin.tokens, texts, key_of(key))


def _stream(loop: "_Loop", tokens: np.ndarray, texts: list[TextStream], key: Array) -> Iterator[list[str]]:
    if all(text.finished for text in texts):
        return
    state, drawn = loop.run(loop.start(tokens), key)
    written = loop.steps
    while True:
        ahead = None
        if written < loop.length:  # the next chunk is certainly needed: it runs while this one is yielded
            state, ahead = loop.run(state, key)
        yield [text.push(row) for text, row in zip(texts, np.asarray(drawn))]
        if all(text.finished for text in texts):
            return
        state, drawn = (state, ahead) if ahead is not None else loop.run(state, key)
        written += loop.steps


class _State(NamedTuple):
    carry: Any
    token: Array  # (B,), written last and not read yet
    recent: Array  # (B, W), the last tokens, -1 where there is none
    utf8: Array  # (B,), states of the table of transitions
    position: Array  # (), tokens drawn


@dataclass(frozen=True)
class _Rules:
    """The static settings of the loop, besides the filters."""

    steps: int
    separator: tuple[int, ...]
    penalized: int  # of the recent tokens
    spelling: tuple[bytes, ...] | None  # of the tokens, where they may split a character


class _Loop:
    def __init__(
        self,
        split: Split,
        config: SamplingConfig,
        samples: int,
        separator: tuple[int, ...],
        chunk: int,
        first: np.ndarray | None,
    ) -> None:
        self._split, self._samples, self._first, self.length = split, samples, first, config.length
        self.steps = min(chunk, max(1, _NOISE_NUMBERS // (samples * len(split.vocabulary))))
        penalized = config.looks_back
        self._rules = _Rules(self.steps, tuple(separator), penalized, split.vocabulary.spelling)
        self._filters = filters_of(config)
        self._window = max(len(separator), penalized)
        self._packed = _packed(split.graph, split.values)

    def start(self, tokens: np.ndarray) -> _State:
        recent = np.concatenate([np.full(self._window, -1), tokens])[len(tokens) :]
        whole = utf8.state_after(self._split.vocabulary.bytes_of(tokens)) if self._rules.spelling else utf8.START
        carry = read_prompt(self._split, tokens, self._rules.separator)
        return _start(self._samples, carry, *(np.array([last], np.int32) for last in (tokens[-1], recent, whole)))

    def run(self, state: _State, key: Array) -> tuple[_State, Array]:
        return _run(self._split.graph, self._rules, self._split.values, self._packed, state, self._filters, key, self._first)


def _chunk(values: Any) -> int:
    """Return the steps per dispatch: starting one costs about four steps, and no character is visible before it ends."""
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(values))
    most = min(256, max(8, _WEIGHT_BYTES // max(1, weights)))
    return 1 << (most.bit_length() - 1)


@partial(jax.jit, static_argnums=0)
def _packed(graph: Any, values: Any) -> Any:
    return nnx.merge(graph, values).pack()


@partial(jax.jit, static_argnums=0)
def _start(rows: int, *of_one_text: Any) -> _State:
    return _State(*jax.tree.map(lambda leaf: jnp.repeat(leaf, rows, 0), of_one_text), position=jnp.int32(0))


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    graph: Any, rules: _Rules, values: Any, packed: Any, state: _State, filters: Filters, key: Array, first: Array | None
) -> tuple[_State, Array]:
    model = nnx.merge(graph, values)
    read = model.stepper(packed)
    noise = noise_of(key, state.position, (rules.steps, len(state.token), len(model.vocabulary)))

    def step(state: _State, noise: Array) -> tuple[_State, Array]:
        carry = _reset_after(rules.separator, state)
        logits, carry = read(state.token, carry)
        recent = state.recent[:, state.recent.shape[1] - rules.penalized :]
        logits = _beginning(first, _whole(rules, logits, state), state)
        token = draw(filters, filtered(filters, logits, recent), noise)
        after = _State(carry, token, _shifted(state.recent, token), _next_utf8(rules, state, token), state.position + 1)
        return after, token

    state, tokens = jax.lax.scan(step, state, noise)
    return state, tokens.T


def _reset_after(separator: tuple[int, ...], state: _State) -> Any:
    if not separator:
        return state.carry
    ends = jnp.all(state.recent[:, -len(separator) :] == jnp.array([separator]), axis=-1)
    return jax.tree.map(lambda leaf: jnp.where(ends[:, None], 0, leaf), state.carry)


def _shifted(recent: Array, token: Array) -> Array:
    return jnp.concatenate([recent, token[:, None]], axis=1)[:, 1:] if recent.shape[1] else recent


def _whole(rules: _Rules, logits: Array, state: _State) -> Array:
    if not rules.spelling:
        return logits
    return jnp.where(jnp.asarray(utf8.piece_transitions(rules.spelling))[state.utf8] != utf8.BROKEN, logits, -jnp.inf)


def _beginning(allowed: Array | None, logits: Array, state: _State) -> Array:
    return logits if allowed is None else jnp.where((state.position > 0) | allowed[None], logits, -jnp.inf)


def _next_utf8(rules: _Rules, state: _State, token: Array) -> Array:
    return jnp.asarray(utf8.piece_transitions(rules.spelling))[state.utf8, token] if rules.spelling else state.utf8
