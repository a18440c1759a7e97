"""The loss of phrases of regions."""

from typing import Any

import jax
import jax.numpy as jnp

from seqnets.models.detector.region_detector import Output
from seqnets.nn.chain import subkey
from seqnets.ops.caption_loss import word_nats
from seqnets.tasks.captioner.figures import shifted


def phrase_loss(model: Any, output: Output, regions: Any, phrases: jax.Array, key: jax.Array | None) -> jax.Array:
    """Return the mean of -ln p(word) over the words of the phrases, each word given the correct previous ones.

    Args:
        model: a `RegionDescriber`.
        output: what it returned.
        regions: `boxes` [B, R, 4], `truth` [B, R], the number of the thing in each, and `is_there` [B, R].
        phrases: [B, M, T] tokens of all things: words, the end and padding.
        key: for dropout.
    """
    vocabulary, captioner = model.vocabulary, model.captioner
    locations = model.locations(output, regions.boxes, train=True, key=subkey(key, 0))
    tokens = jnp.take_along_axis(jnp.asarray(phrases), regions.truth[..., None], 1)
    lengths = jnp.where(regions.is_there, (tokens != vocabulary.pad).sum(-1), 0)
    locations, tokens, lengths = (array.reshape(-1, *array.shape[2:]) for array in (locations, tokens, lengths))
    annotations = captioner.encode(locations, train=True, key=subkey(key, 1))
    reading = captioner.read(annotations, shifted(tokens, vocabulary.begin), lengths=lengths, key=subkey(key, 2))
    return jnp.sum(word_nats(reading.logits, tokens, lengths)) / jnp.maximum(lengths.sum(), 1)
