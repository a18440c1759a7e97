"""Captions of many images: batched beam search, greedy and random decoding, compiled once for each shape of batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets import settings
from seqnets.decode.captions.beam import beam_tokens
from seqnets.decode.captions.config import CaptionConfig, CaptionMethod
from seqnets.decode.captions.drawing import draw_tokens
from seqnets.decode.captions.hypothesis import Caption
from seqnets.decode.captions.rules import CaptionRules, Hypotheses
from seqnets.decode.given import key_of, model_of
from seqnets.errors import UserError


def decode_captions(
    model: Any, images: Any, config: CaptionConfig | None = None, *, key: Array | None = None, batch: int = 64, **overrides: Any
) -> list[list[Caption]]:
    """Return captions for each of N images.

    The images go through the model in batches of one shape, so any N compiles once (below `batch`, once for each
    power of two). Each image is encoded once, and all its beams share the encoding.

    Args:
        model: a `Captioner`, or any object with its `vocabulary`, `encode`, `initialize_carry` and `step`.
        images: the input of `model.encode`: an array, or a pytree of arrays, with leading axis N.
        config: how to decode; the defaults of `CaptionConfig` if None.
        key: a random key, for method "sample"; the caption of an image depends on it and the image's place.
        batch: images at a time.
        **overrides: single settings of `CaptionConfig`.

    Returns:
        For each image its `n_best` captions (fewer if the search finds fewer).

    Raises:
        UserError: a setting is out of range, or the model's logits are not finite.

    Example:
        >>> from seqnets.data import WordVocabulary
        >>> from seqnets.models.captioner import Captioner
        >>> words = WordVocabulary(("a", "dog", "runs"))
        >>> model = Captioner(words, hidden_features=8, image_size=16, encoder_width=2, rngs=nnx.Rngs(0))
        >>> (first, second), = decode_captions(model, jnp.zeros((1, 16, 16, 3)), beam=3, n_best=2, max_length=4)
        >>> first.score >= second.score, first.attention.shape == (len(first.tokens), 4)
        (True, True)
    """
    config = settings.replaced(config or CaptionConfig(), overrides, "captioning")
    batch = settings.whole("batch", batch, settings.POSITIVE)
    program = _Program(model, config, key_of(key))
    parts = _ahead(program(images, span) for span in _spans(_rows(images), batch))
    return [captions for part in parts for captions in program.read(*part)]


class _Program:
    def __init__(self, model: Any, config: CaptionConfig, key: Array) -> None:
        self.config, self.key, self.vocabulary = config, key, model.vocabulary
        self.rules, self.filters = config.rules(model.vocabulary), config.filters()
        self.graph, self.values = nnx.split(model_of(model))
        self.grid = getattr(model, "grid", None)

    def __call__(self, images: Any, span: "_Span") -> tuple[Hypotheses, int]:
        # padding rows are copies of the last one: the batch keeps its shape, and no result depends on them
        places = np.minimum(np.arange(span.start, span.start + span.size), span.start + span.count - 1)
        part = jax.tree.map(lambda leaf: leaf[places], images)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(self.key, jnp.asarray(places))
        settings = (jnp.float32(self.config.length_penalty), self.filters, keys)
        return _decoded(self.graph, self.rules, self.config.method, self.values, part, settings), span.count

    def read(self, found: Hypotheses, count: int) -> list[list[Caption]]:
        host = jax.tree.map(np.asarray, found)
        there = np.isfinite(host.log_prob[:count])
        if not there[:, 0].all():
            raise UserError("the model gives no word a finite probability; its weights are not finite, or not its own")
        return [[self._caption(_at(host, row, i)) for i in np.flatnonzero(there[row])] for row in range(count)]

    def _caption(self, found: Any) -> Caption:
        tokens = found.tokens[: found.size]
        attention = None if found.attention is None else np.asarray(found.attention[: found.size], np.float32)
        words = tuple(self.vocabulary.pieces(tokens))
        facts = {"score": float(found.score), "ended": bool(found.ended), "grid": self.grid}
        return Caption(self.vocabulary.decode(tokens), tokens, float(found.log_prob), attention, words, **facts)


def _at(found: Hypotheses, *place: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[place], found)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _decoded(graph: Any, rules: CaptionRules, method: CaptionMethod, values: Any, images: Any, settings: Any) -> Hypotheses:
    model = nnx.merge(graph, values)
    penalty, filters, keys = settings
    annotations = model.encode(images)
    carry = model.initialize_carry(annotations)
    if method == "beam":
        return beam_tokens(model.step, carry, annotations, rules, penalty)
    return draw_tokens(model.step, carry, annotations, rules, filters, keys)


@dataclass(frozen=True)
class _Span:
    start: int
    count: int
    size: int


def _spans(rows: int, batch: int) -> Iterator[_Span]:
    size = min(batch, 1 << (rows - 1).bit_length()) if rows else batch
    for start in range(0, rows, size):
        yield _Span(start, min(size, rows - start), size)


def _ahead(parts: Iterator[Any]) -> Iterator[Any]:
    """Start each batch before the previous one is read."""
    waiting = next(parts, None)
    while waiting is not None:
        following = next(parts, None)
        yield waiting
        waiting = following


def _rows(images: Any) -> int:
    sizes = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(images)}
    if len(sizes) != 1 or sizes == {()}:
        raise UserError(f"images must be arrays with the same leading axis, not of sizes {sorted(sizes)}")
    return sizes.pop()[0]
