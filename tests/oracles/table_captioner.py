"""A captioner whose every probability is written down in a table, and searches over it in plain float64 Python."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from seqnets.data.words.vocabulary import WordVocabulary

BEGIN, END = 1, 2
FORBIDDEN = (0, 1, 3)


class TableCaptioner(nnx.Module):
    """The next word depends on the image and the two words before; where it looks depends on the image, word and step.

    Args:
        words: number of words, W; V = W + 4.
        kinds: number of different images.
        end_bias: added to the end's logit; -inf for a model that never ends.
    """

    def __init__(self, words=3, kinds=3, *, seed=0, end_bias=0.0, sharpness=1.5, looks=True):
        self.vocabulary = WordVocabulary(tuple("abcdefgh"[:words]))
        size = len(self.vocabulary)
        rng = np.random.default_rng(seed)
        table = sharpness * rng.standard_normal((kinds, size, size, size))
        table[..., END] += end_bias
        self.table = nnx.Variable(jnp.asarray(table, jnp.float32))
        self.maps = nnx.Variable(jnp.asarray(rng.random((kinds, size, 16, 6)), jnp.float32))
        self.grid, self.looks = (2, 3), looks

    def encode(self, images):
        return {"kind": jnp.asarray(images, jnp.int32)}

    def initialize_carry(self, annotations):
        rows = annotations["kind"].shape[0]
        return {"before": jnp.zeros(rows, jnp.int32), "steps": jnp.zeros((rows, 1), jnp.int32)}

    def step(self, tokens, carry, annotations):
        logits = self.table[...][annotations["kind"], carry["before"], tokens]
        attention = self.maps[...][annotations["kind"], tokens, carry["steps"][:, 0]]
        return logits, {"before": tokens, "steps": carry["steps"] + 1}, attention if self.looks else None

    def log_probs(self, kind, words):
        """ln p of every next token after some words, float64."""
        before, last = ([0, BEGIN] + [BEGIN] * bool(words) + list(words))[-2:]
        if not words:
            before = 0
        elif len(words) == 1:
            before = BEGIN
        logits = np.asarray(self.table[...], np.float64)[kind, before, last]
        return logits - np.logaddexp.reduce(logits)

    def log_prob(self, kind, words, *, ended=True):
        tokens = [*words, END] if ended else list(words)
        return sum(self.log_probs(kind, tokens[:i])[token] for i, token in enumerate(tokens))

    def attention(self, kind, words):
        read = [BEGIN, *words][: len(words)]
        maps = np.asarray(self.maps[...])
        return np.stack([maps[kind, token, step] for step, token in enumerate(read)])


def every_caption(words, max_length, min_length=1):
    tokens = range(4, 4 + words)
    return [c for n in range(min_length, max_length + 1) for c in itertools.product(tokens, repeat=n)]


def penalized(log_prob, tokens, power):
    return log_prob / ((5 + tokens) / 6) ** power


def naive_beam(model, kind, *, width, n_best, max_length, min_length=1, power=0.0):
    """The search as its docstring describes it, to the last step; (words, log_prob, ended), the best first."""
    beams, found = [((), 0.0)], []
    for t in range(max_length + 1):
        words, ends = [], []
        for caption, so_far in beams:
            log_probs = so_far + model.log_probs(kind, caption)
            words += [((*caption, w), log_probs[w]) for w in range(4, len(log_probs))]
            ends += [(caption, log_probs[END], so_far)] if t >= min_length else [(caption, -math.inf, so_far)]
        best = sorted(words, key=lambda beam: -beam[1])[:width]
        for caption, log_prob, so_far in ends:
            better = sum(other > log_prob for _, other in best) + sum(other > log_prob for _, other, _ in ends)
            if math.isfinite(log_prob) and better < width:
                found.append((caption, log_prob, True))
            elif t == max_length:
                found.append((caption, so_far, False))
        beams = best
    return sorted(found, key=lambda c: (not c[2], -penalized(c[1], len(c[0]) + 1, power)))[:n_best]


def uniform_keys(rows):
    return jax.random.split(jax.random.key(0), rows)
