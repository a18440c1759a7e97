"""Beam search: the likeliest continuations of a prompt, all beams of all prompts in one compiled loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets import settings
from seqnets.data.token_kinds import UnknownPolicy
from seqnets.decode.captions.beam import length_penalty as penalized
from seqnets.decode.text import utf8
from seqnets.decode.text.automata import search_states
from seqnets.decode.text.config import MANY
from seqnets.decode.text.prompt import Split, prompt_tokens, read_prompt
from seqnets.decode.text.streaming import known_stop


@dataclass(frozen=True)
class Continuation:
    """A text found by beam search.

    Args:
        text: the continuation of the prompt, without the stop string.
        log_prob: ln p(text, and the stop string if it came, | prompt).
        score: log_prob divided by the length penalty; the best is the highest.
        stopped: whether the stop string came.
    """

    text: str
    log_prob: float
    score: float
    stopped: bool


def beam_search(
    model: Any,
    prompt: str | Sequence[str] = "",
    *,
    length: int = 100,
    width: int = 8,
    stop: str = "",
    length_penalty: float = 0.0,
    unknown: UnknownPolicy = "error",
    separator: tuple[int, ...] = (),
) -> Any:
    """Return the likeliest continuations that a beam of `width` finds, the best first.

    Every step extends each unfinished beam by every token and keeps the `width` best of them all, finished ones
    included, by

        score = log_prob / ((5 + n) / 6)^length_penalty,    n = tokens of the continuation, including those of the stop string.

    Args:
        model: a `CharLM`.
        prompt: the text to continue, or several.
        length: the most tokens.
        width: beams.
        stop: a string that finishes a beam; "" for no such string.
        length_penalty: 0 ranks by log-probability alone, which favors short texts where there is a stop string; values of
            about 0.6 to 1 compensate for length.
        unknown: what to do with characters of the prompt that the vocabulary lacks.
        separator: tokens of the document separator, after which the carry is reset.

    Returns:
        A list of at most `width` `Continuation`s; for several prompts a list of such lists.

    Raises:
        UserError: a setting is out of range, or a character of the prompt or the stop string is unknown.

    References:
        Wu et al., Google's neural machine translation system, 2016, equation 14 (the length penalty).

    Example:
        >>> from flax import nnx
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> model = CharLM(Vocabulary.from_text("ab"), hidden_features=8, rngs=nnx.Rngs(0))
        >>> best, *others = beam_search(model, "ab", length=3, width=8)
        >>> len(best.text), len(others), best.log_prob >= others[0].log_prob
        (3, 7, True)
    """
    length, width = settings.whole("length", length, settings.POSITIVE), settings.whole("width", width, MANY)
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts:
        return []
    split = Split.of(model)
    ending = known_stop(split.vocabulary, stop)
    read = [prompt_tokens(split.vocabulary, text, unknown=unknown, separator=separator) for text in prompts]
    rules = _Rules(width, ending, tuple(separator), split.vocabulary.spelled, split.vocabulary.spelling is not None)
    beams = _search(split.graph, rules, split.values, _starts(split, rules, read, length), length, jnp.float32(length_penalty))
    found = [_continuations(split, rules, beams, row, length_penalty) for row in range(len(prompts))]
    return found[0] if isinstance(prompt, str) else found


@dataclass(frozen=True)
class _Rules:
    """The static settings of the search."""

    width: int
    stop: str
    separator: tuple[int, ...]
    pieces: tuple[bytes, ...]  # the bytes of each token
    whole_utf8: bool  # whether a token may split a character


class _Beams(NamedTuple):
    """All beams of all P prompts; leaves are (P, W, ...), except the carry's, which are (P * W, H)."""

    carry: Any
    token: Array  # (P, W), written last and not yet read
    log_prob: Array  # (P, W), -inf where there is no beam yet
    size: Array  # (P, W), tokens written
    ended: Array  # (P, W), whether the stop string came
    found: Array  # (P, W), bytes of the stop string that the continuation ends with
    written: Array  # (P, W, L), -1 after the end; L is the power of two that holds the length
    recent: Array  # (P, W, S), as long as the separator, including the prompt
    utf8: Array  # (P, W)


def _starts(split: Split, rules: _Rules, prompts: list[np.ndarray], length: int) -> _Beams:
    rows, width = len(prompts), rules.width
    carries = [read_prompt(split, tokens, rules.separator) for tokens in prompts]
    window = len(rules.separator)
    padded = [np.concatenate([np.full(window, -1), tokens]) for tokens in prompts]
    states = [utf8.state_after(split.vocabulary.bytes_of(tokens)) if rules.whole_utf8 else utf8.START for tokens in prompts]

    def per_beam(values: Any) -> Array:
        return jnp.repeat(jnp.asarray(np.array(values), jnp.int32)[:, None], width, axis=1)

    return _Beams(
        carry=jax.tree.map(lambda *leaves: jnp.repeat(jnp.concatenate(leaves), width, axis=0), *carries),
        token=per_beam([tokens[-1] for tokens in prompts]),
        log_prob=jnp.full((rows, width), -jnp.inf).at[:, 0].set(0.0),  # all beams equal the prompt, so only one may count
        size=jnp.zeros((rows, width), jnp.int32),
        ended=jnp.zeros((rows, width), bool),
        found=jnp.zeros((rows, width), jnp.int32),
        written=jnp.full((rows, width, max(32, 1 << (length - 1).bit_length())), -1, jnp.int32),
        recent=per_beam([tokens[len(tokens) - window :] for tokens in padded]),
        utf8=per_beam(states),
    )


@partial(jax.jit, static_argnums=(0, 1))
def _search(graph: Any, rules: _Rules, values: Any, beams: _Beams, length: Any, penalty: Array) -> _Beams:
    model = nnx.merge(graph, values)
    read = model.stepper(model.pack())

    def step(t: Array, beams: _Beams) -> _Beams:
        logits, carry = read(beams.token.reshape(-1), _reset_after(rules.separator, beams))
        log_probs = jax.nn.log_softmax(logits).reshape(*beams.token.shape, -1)
        parents, tokens, log_prob = _best(_candidates(rules, beams, log_probs), beams, penalty)
        return _extended(rules, _chosen(beams._replace(carry=carry), parents), tokens, log_prob, t)

    return jax.lax.fori_loop(0, length, step, beams)  # any length of one power of two is the same program


def _candidates(rules: _Rules, beams: _Beams, log_probs: Array) -> Array:
    if rules.whole_utf8:
        log_probs = jnp.where(jnp.asarray(utf8.piece_transitions(rules.pieces))[beams.utf8] != utf8.BROKEN, log_probs, -jnp.inf)
    # a finished beam has one candidate: itself
    itself = jnp.where(jnp.arange(log_probs.shape[-1]) == 0, 0.0, -jnp.inf)[None, None]
    return beams.log_prob[..., None] + jnp.where(beams.ended[..., None], itself, log_probs)


def _best(candidates: Array, beams: _Beams, penalty: Array) -> tuple[Array, Array, Array]:
    rows, width, vocabulary = candidates.shape
    scores = candidates / penalized(beams.size + ~beams.ended, penalty)[..., None]
    _, places = jax.lax.top_k(scores.reshape(rows, -1), width)
    log_prob = jnp.take_along_axis(candidates.reshape(rows, -1), places, axis=1)
    return places // vocabulary, (places % vocabulary).astype(jnp.int32), log_prob


def _chosen(beams: _Beams, parents: Array) -> _Beams:
    rows, width = parents.shape
    flat = (jnp.arange(rows)[:, None] * width + parents).reshape(-1)

    def pick(leaf: Array) -> Array:
        return leaf.reshape(rows * width, *leaf.shape[2:])[flat].reshape(leaf.shape)

    carry = jax.tree.map(lambda leaf: leaf[flat], beams.carry)
    return jax.tree.map(pick, beams._replace(carry=()))._replace(carry=carry)


def _extended(rules: _Rules, beams: _Beams, tokens: Array, log_prob: Array, t: Array) -> _Beams:
    written = beams.written.at[:, :, t].set(jnp.where(beams.ended, -1, tokens))
    found = jnp.asarray(search_states(rules.stop.encode(), rules.pieces))[beams.found, tokens] if rules.stop else beams.found
    return _Beams(
        carry=beams.carry,
        token=tokens,
        log_prob=log_prob,
        size=beams.size + ~beams.ended,
        ended=beams.ended | (found == len(rules.stop.encode())) if rules.stop else beams.ended,
        found=found,
        written=written,
        recent=jnp.concatenate([beams.recent, tokens[..., None]], axis=-1)[..., 1:] if rules.separator else beams.recent,
        utf8=jnp.asarray(utf8.piece_transitions(rules.pieces))[beams.utf8, tokens] if rules.whole_utf8 else beams.utf8,
    )


def _reset_after(separator: tuple[int, ...], beams: _Beams) -> Any:
    if not separator:
        return beams.carry
    ends = jnp.all(beams.recent == jnp.array(separator)[None, None], axis=-1).reshape(-1, 1)
    return jax.tree.map(lambda leaf: jnp.where(ends, 0, leaf), beams.carry)


def _continuations(split: Split, rules: _Rules, beams: _Beams, row: int, penalty: float) -> list[Continuation]:
    facts = zip(*(np.asarray(leaf[row]) for leaf in (beams.written, beams.log_prob, beams.size, beams.ended)))
    return [
        Continuation(
            _text(split, written[:size], rules.stop if ended else ""),
            float(log_prob),
            _score(log_prob, size, penalty),
            bool(ended),
        )
        for written, log_prob, size, ended in facts
        if np.isfinite(log_prob)
    ]


def _score(log_prob: Any, size: Any, penalty: float) -> float:
    return float(log_prob / penalized(int(size), penalty))


def _text(split: Split, tokens: np.ndarray, stop: str) -> str:
    text = split.vocabulary.decoder().push(tokens)  # leaves out an incomplete last character
    return text.partition(stop)[0] if stop else text
