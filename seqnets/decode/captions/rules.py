"""The static settings and the results of the loops that write captions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

Step = Callable[[Array, Any, Any], tuple[Array, Any, Array | None]]


@dataclass(frozen=True)
class CaptionRules:
    """The settings that shape a compiled loop.

    Args:
        begin: the token read first.
        end: the token that ends a caption.
        max_length: the most words, not counting the end.
        min_length: the fewest words.
        forbidden: tokens that are never written, such as pad, begin and unknown.
        width: beams, or captions drawn for each image.
        n_best: captions returned for each image, at most `width`.
        attention: whether to return the attention maps.
        looks_back: how many of the last tokens the filters consider.
    """

    begin: int
    end: int
    max_length: int
    min_length: int = 1
    forbidden: tuple[int, ...] = ()
    width: int = 1
    n_best: int = 1
    attention: bool = True
    looks_back: int = 0


class Hypotheses(NamedTuple):
    """N captions for each of B images.

    Attributes:
        tokens: `(B, N, T)` int32, T = max_length; -1 after the last word; no end.
        size: `(B, N)` int32, the number of words.
        log_prob: `(B, N)` float32, ln p(words, and the end if it came | image); not finite where there is no caption.
        score: `(B, N)` float32, the value they are ranked by.
        ended: `(B, N)` bool, whether the end came within max_length words.
        attention: `(B, N, T, L)` float32, where each word looked; zero after the last word; None for a model without attention.
    """

    tokens: Array
    size: Array
    log_prob: Array
    score: Array
    ended: Array
    attention: Array | None


def for_all(step: Step, rules: CaptionRules) -> Step:
    """Return a step that reads tokens `(K, B)` and carries `(K, B, ...)` while the K rows of an image share its annotations."""
    from jax import vmap

    def shared(tokens: Array, carry: Any, annotations: Any) -> tuple[Array, Any, Array | None]:
        logits, carry, attention = step(tokens, carry, annotations)
        return logits.astype(jnp.float32), carry, attention if rules.attention else None

    return vmap(shared, in_axes=(0, 0, None))


def permitted(rules: CaptionRules, logits: Array, t: Array) -> Array:
    """Set the logits `(..., V)` of tokens not allowed at `t` to -inf: forbidden tokens, and the end before `min_length`."""
    allowed = np.ones(logits.shape[-1], bool)
    allowed[list(rules.forbidden)] = False
    early = jnp.arange(logits.shape[-1]) == rules.end
    mask = jnp.asarray(allowed) & ~(early & (t < rules.min_length))
    return jnp.where(mask.reshape((1,) * (logits.ndim - 1) + (-1,)), logits, -jnp.inf)
