"""Beam search over captions: all beams of all images in one loop that ends as soon as no beam can improve the result."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.decode.captions.rules import CaptionRules, Hypotheses, Step, for_all, permitted

_BEHIND = -1e20  # sorts captions without an end after all others, and by score among themselves


def beam_tokens(step: Step, carry: Any, annotations: Any, rules: CaptionRules, penalty: Array | float = 0.0) -> Hypotheses:
    """Return the likeliest captions that a beam of `rules.width` finds, the best first.

    Every step extends each of the K open beams by every word and by the end token. A candidate that ends and is among the K
    best of all becomes a finished caption; the K best extensions by a word stay open. Captions are ranked by

        score = log_prob / ((5 + n) / 6)^penalty,    n = tokens, including the end.

    The loop stops when no open beam, however likely its continuation, could still reach the `n_best`, so the result is that
    of all `max_length` steps. After `max_length` words, the end token must be among the K best candidates for a caption to
    end. Otherwise its log-probability does not include the end, and it is ranked after all captions that ended.

    Args:
        step: `(tokens (B,), carry, annotations) -> (logits (B, V), carry, attention (B, L) or None)`.
        carry: a pytree with leading axis B.
        annotations: a pytree with leading axis B; the beams of an image share it.
        rules: the allowed tokens, lengths and number of beams.
        penalty: power of the length penalty, at least 0; an array of shape () avoids recompilation.

    Returns:
        `Hypotheses` of shape (B, n_best).

    References:
        Wu et al., Google's neural machine translation system, 2016.

    Example:
        >>> rules = CaptionRules(begin=0, end=1, max_length=2, forbidden=(0,), width=2, n_best=2)
        >>> table = jnp.log(jnp.array([[0, 0, 0.6, 0.4], [0, 1, 0, 0], [0, 0.5, 0.25, 0.25], [0, 1.0, 0, 0]]))
        >>> found = beam_tokens(lambda tokens, carry, _: (table[tokens], carry, None), jnp.zeros(1), (), rules)
        >>> [(row.tolist(), f"{p:.2f}") for row, p in zip(found.tokens[0], jnp.exp(found.log_prob[0]))]
        [([3, -1], '0.40'), ([2, -1], '0.30')]
    """
    rows = jax.tree.leaves(carry)[0].shape[0]
    begin = _begin(step, carry, annotations, rules, rows)
    advance = for_all(step, rules)

    def going(search: _Search) -> Array:
        best = jnp.max(search.log_prob, axis=1) / length_penalty(rules.max_length + 1, penalty)
        return (search.t <= rules.max_length) & ~jnp.all(search.found.score[:, -1] >= best)

    search = jax.lax.while_loop(going, lambda search: _extended(search, advance, annotations, rules, penalty), begin)
    return _traced(search, rules)


class _Found(NamedTuple):
    """The best captions so far, sorted; leaves are (B, N)."""

    score: Array
    log_prob: Array
    size: Array
    slot: Array  # the beam of its last word
    ended: Array


class _History(NamedTuple):
    """The history of the search: token and parent of each beam after every step, attention of each beam before it."""

    token: Array  # (T + 1, B, K)
    parent: Array  # (T + 1, B, K)
    attention: Array | None  # (T + 1, K, B, L)


class _Search(NamedTuple):
    t: Array
    carry: Any  # (K, B, ...)
    token: Array  # (K, B)
    log_prob: Array  # (B, K), -inf where there is no beam
    found: _Found
    history: _History


def _begin(step: Step, carry: Any, annotations: Any, rules: CaptionRules, rows: int) -> _Search:
    width, steps = rules.width, rules.max_length + 1
    tokens = jnp.full(rows, rules.begin, jnp.int32)
    _, _, attention = jax.eval_shape(step, tokens, carry, annotations)
    maps = None if attention is None or not rules.attention else jnp.zeros((steps, width, *attention.shape), attention.dtype)
    none = jnp.zeros((rows, rules.n_best), jnp.int32)
    past = jnp.zeros((steps, rows, width), jnp.int32)
    nothing = jnp.full(none.shape, -jnp.inf)
    return _Search(
        t=jnp.int32(0),
        carry=jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[None], (width, *leaf.shape)), carry),
        token=jnp.broadcast_to(tokens[None], (width, rows)),
        log_prob=jnp.full((rows, width), -jnp.inf).at[:, 0].set(0.0),  # all beams are empty, so only one may count
        found=_Found(nothing, nothing, none, none, none.astype(bool)),
        history=_History(past, past, maps),
    )


def _extended(search: _Search, advance: Step, annotations: Any, rules: CaptionRules, penalty: Array | float) -> _Search:
    logits, carry, attention = advance(search.token, search.carry, annotations)
    allowed = permitted(rules, logits, search.t)
    before = search.log_prob - jax.nn.logsumexp(logits, axis=-1).T
    ends = before + allowed[..., rules.end].T
    words = jnp.where((jnp.arange(logits.shape[-1]) == rules.end)[None, None], -jnp.inf, allowed)
    likeliest, parent, token = _best_words(before, words, rules.width)
    found = _merged(search.found, _endings(search, ends, likeliest, rules, penalty))
    log_prob = jnp.where(search.t < rules.max_length, likeliest, -jnp.inf)
    here = jnp.arange(parent.shape[0])[None]
    return _Search(
        t=search.t + 1,
        carry=jax.tree.map(lambda leaf: leaf[parent.T, here], carry),
        token=token.T,
        log_prob=log_prob,
        found=found,
        history=jax.tree.map(lambda past, now: past.at[search.t].set(now), search.history, _History(token, parent, attention)),
    )


def _best_words(before: Array, words: Array, width: int) -> tuple[Array, Array, Array]:
    # the best of all are among the best of each beam; taking those first avoids a copy of the large array
    each, token = jax.lax.top_k(words, min(width, words.shape[-1]))
    rows, choices = before.shape[0], each.shape[-1]
    candidates = (before[..., None] + each.transpose(1, 0, 2)).reshape(rows, -1)
    log_prob, places = jax.lax.top_k(candidates, width)
    tokens = jnp.take_along_axis(token.transpose(1, 0, 2).reshape(rows, -1), places, axis=1)
    return log_prob, places // choices, tokens.astype(jnp.int32)


def _endings(search: _Search, ends: Array, open_log_prob: Array, rules: CaptionRules, penalty: Array | float) -> _Found:
    better = jnp.sum(open_log_prob[:, None] > ends[..., None], axis=-1) + jnp.sum(ends[:, None] > ends[..., None], axis=-1)
    ended = jnp.isfinite(ends) & (better < rules.width)
    cut = (search.t == rules.max_length) & ~ended
    log_prob = jnp.where(cut, search.log_prob, jnp.where(ended, ends, -jnp.inf))
    score = log_prob / length_penalty(search.t + 1, penalty)
    size = jnp.broadcast_to(search.t, ended.shape)
    slot = jnp.broadcast_to(jnp.arange(rules.width, dtype=jnp.int32)[None], ended.shape)
    return _Found(jnp.where(cut, _BEHIND * (1 - score), score), log_prob, size, slot, ended)


def _merged(found: _Found, more: _Found) -> _Found:
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=1), found, more)
    _, order = jax.lax.top_k(both.score, found.score.shape[1])
    return jax.tree.map(lambda leaf: jnp.take_along_axis(leaf, order, axis=1), both)


def _traced(search: _Search, rules: CaptionRules) -> Hypotheses:
    """Follow each caption from its last word back to its first."""
    found, here = search.found, jnp.arange(search.log_prob.shape[0])[:, None]

    def back(slot: Array, at: tuple[Array, _History]) -> tuple[Array, tuple[Array, Array | None]]:
        t, (tokens, parents, attention) = at
        inside = t < found.size
        parent = jnp.where(inside, jnp.take_along_axis(parents, slot, axis=1), slot)
        token = jnp.where(inside, jnp.take_along_axis(tokens, slot, axis=1), -1)
        maps = None if attention is None else jnp.where(inside[..., None], attention[parent, here], 0)
        return parent, (token, maps)

    steps = jax.tree.map(lambda leaf: leaf[: rules.max_length], search.history)
    _, (tokens, maps) = jax.lax.scan(back, found.slot, (jnp.arange(rules.max_length), steps), reverse=True)
    score = jnp.where(found.ended, found.score, 1 - found.score / _BEHIND)
    attention = None if maps is None else maps.transpose(1, 2, 0, 3)
    return Hypotheses(tokens.transpose(1, 2, 0), found.size, found.log_prob, score, found.ended, attention)


def length_penalty(size: Any, power: Any) -> Any:
    """Return what a log-probability is divided by: ((5 + n) / 6)^power, which is 1 for one token.

    Args:
        size: n, the number of tokens, the end or stop included; any shape.
        power: 0 leaves log-probabilities as they are, which favors short texts; larger powers favor longer ones.

    References:
        Wu et al., Google's neural machine translation system, 2016, equation 14.

    Example:
        >>> length_penalty(13, 1.0)
        3.0
    """
    return ((5 + size) / 6) ** power
