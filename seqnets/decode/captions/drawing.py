"""Captions drawn one word at a time: greedily, or at random."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.decode.captions.rules import CaptionRules, Hypotheses, Step, for_all, permitted
from seqnets.decode.filters import Filters, draw, filtered


def draw_tokens(
    step: Step, carry: Any, annotations: Any, rules: CaptionRules, filters: Filters | None, keys: Array
) -> Hypotheses:
    """Draw `rules.width` captions for each image; without filters every word is the likeliest one.

    The log-probabilities are the model's own, without filters. A word depends on its image's key, the
    number of its caption and its position, never on the other images of the batch.

    Args:
        step: `(tokens (B,), carry, annotations) -> (logits (B, V), carry, attention (B, L) or None)`.
        carry: a pytree with leading axis B.
        annotations: a pytree with leading axis B; the captions of an image share it.
        rules: the allowed tokens, lengths and number of captions per image.
        filters: temperature, top-k, top-p, min-p; None draws nothing.
        keys: `(B,)`, a random key for each image.

    Returns:
        `Hypotheses` of shape (B, width), in the order of drawing; `score` is `log_prob`.

    Example:
        >>> rules = CaptionRules(begin=0, end=1, max_length=4, forbidden=(0,))
        >>> table = jnp.array([[0.0, 0, 2, 1], [0, 0, 0, 0], [0, 1, 0, 2], [0, 2, 1, 0]])  # from 2 to 3, from 3 to the end
        >>> keys = jax.random.split(jax.random.key(0), 1)
        >>> found = draw_tokens(lambda tokens, carry, _: (table[tokens], carry, None), jnp.zeros(1), (), rules, None, keys)
        >>> found.tokens.tolist(), found.ended.tolist()
        ([[[2, 3, -1, -1]]], [[True]])
    """
    advance, width, rows = for_all(step, rules), rules.width, len(keys)
    tokens = jnp.full(rows, rules.begin, jnp.int32)
    _, _, attention = jax.eval_shape(step, tokens, carry, annotations)
    steps = rules.max_length + 1
    begin = _Drawing(
        t=jnp.int32(0),
        carry=jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[None], (width, *leaf.shape)), carry),
        token=jnp.broadcast_to(tokens[None], (width, rows)),
        log_prob=jnp.zeros((width, rows)),
        size=jnp.zeros((width, rows), jnp.int32),
        ended=jnp.zeros((width, rows), bool),
        written=jnp.full((steps, width, rows), -1, jnp.int32),
        maps=None if attention is None or not rules.attention else jnp.zeros((steps, width, *attention.shape), attention.dtype),
    )

    def going(drawing: _Drawing) -> Array:
        return (drawing.t < steps) & ~jnp.all(drawing.ended)

    def write(drawing: _Drawing) -> _Drawing:
        return _written(drawing, advance(drawing.token, drawing.carry, annotations), rules, filters, keys)

    return _hypotheses(jax.lax.while_loop(going, write, begin), rules)


class _Drawing(NamedTuple):
    """The captions so far; leaves are (K, B, ...)."""

    t: Array
    carry: Any
    token: Array
    log_prob: Array
    size: Array
    ended: Array
    written: Array  # (T + 1, K, B)
    maps: Array | None  # (T + 1, K, B, L)


def _written(
    drawing: _Drawing, read: tuple[Array, Any, Array | None], rules: CaptionRules, filters: Filters | None, keys: Array
) -> _Drawing:
    logits, carry, attention = read
    token = _drawn(permitted(rules, logits, drawing.t), filters, keys, drawing.t, _recent(drawing, rules.looks_back))
    chosen = jnp.take_along_axis(logits, token[..., None], axis=-1)[..., 0]
    ends = token == rules.end
    # the step after the last word only checks for the end
    counts = ~drawing.ended & (ends | (drawing.t < rules.max_length))
    word = counts & ~ends
    maps = None if attention is None else jnp.where(word[..., None], attention, 0)
    written = jax.tree.map(
        lambda past, now: past.at[drawing.t].set(now), (drawing.written, drawing.maps), (jnp.where(word, token, -1), maps)
    )
    return _Drawing(
        t=drawing.t + 1,
        carry=carry,
        token=token,
        log_prob=drawing.log_prob + jnp.where(counts, chosen - jax.nn.logsumexp(logits, axis=-1), 0.0),
        size=drawing.size + word,
        ended=drawing.ended | ends,
        written=written[0],
        maps=written[1],
    )


def _recent(drawing: _Drawing, window: int) -> Array:
    steps = len(drawing.written) if window else 0
    places = jnp.arange(steps)[:, None, None]
    return jnp.where(places >= drawing.t - window, drawing.written[:steps], -1).reshape(steps, drawing.token.size).T


def _drawn(logits: Array, filters: Filters | None, keys: Array, t: Array, recent: Array) -> Array:
    if filters is None:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    width, rows, vocabulary = logits.shape

    def noise(key: Array, caption: Array) -> Array:
        return jax.random.gumbel(jax.random.fold_in(jax.random.fold_in(key, caption), t), (vocabulary,), jnp.float32)

    every = jax.vmap(jax.vmap(noise, (0, None)), (None, 0))(keys, jnp.arange(width))
    flat = logits.reshape(-1, vocabulary)
    kept = filtered(filters, flat, recent)
    return draw(filters, kept, every.reshape(-1, vocabulary)).reshape(width, rows)


def _hypotheses(drawing: _Drawing, rules: CaptionRules) -> Hypotheses:
    per_image = jax.tree.map(jnp.transpose, (drawing.size, drawing.log_prob, drawing.ended))
    size, log_prob, ended = per_image
    maps = None if drawing.maps is None else drawing.maps[: rules.max_length].transpose(2, 1, 0, 3)
    return Hypotheses(drawing.written[: rules.max_length].transpose(2, 1, 0), size, log_prob, log_prob, ended, maps)
