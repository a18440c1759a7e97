"""The loss of a captioner. All sums are over captions; the division by the number of words comes last.

Dividing the whole objective by one number gives coefficients the same meaning for any batch size and padding.
"""

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.masking import valid_steps


def word_nats(logits: Array, targets: Array, lengths: Array) -> Array:
    """Return -ln p of every word: zero beyond the lengths.

    Args:
        logits: `(B, T, V)`.
        targets: `(B, T)` int32, the next words, including the end token.
        lengths: `(B,)`, the number of valid targets.

    Returns:
        `(B, T)` float32.

    Example:
        >>> word_nats(jnp.zeros((1, 2, 4)), jnp.zeros((1, 2), jnp.int32), jnp.array([1])).round(3).tolist()
        [[1.3860000371932983, 0.0]]
    """
    log_prob = jax.nn.log_softmax(logits.astype(jnp.promote_types(logits.dtype, jnp.float32)), axis=-1)
    nats = -jnp.take_along_axis(log_prob, targets[..., None], axis=-1)[..., 0]
    return jnp.where(valid_steps(lengths, targets.shape[1]), nats, 0)


def doubly_stochastic_penalty(attention: Array, lengths: Array) -> Array:
    r"""Return how far attention is from visiting every location once: $\sum_l (1 - \sum_t \alpha_{tl})^2$.

    Attention after the end of a caption is left out.

    Args:
        attention: `(B, T, L)`.
        lengths: `(B,)`, the number of valid words.

    Returns:
        `(B,)`.

    Example:
        >>> doubly_stochastic_penalty(jnp.full((1, 4, 2), 0.5), jnp.array([2])).tolist()
        [0.0]

    References:
        Xu et al., "Show, Attend and Tell", 2015.
    """
    seen = jnp.where(valid_steps(lengths, attention.shape[1])[..., None], attention, 0)
    return jnp.sum(jnp.square(1 - jnp.sum(seen, axis=1)), axis=-1)


def location_log_prob(attention: Array, location: Array, lengths: Array) -> Array:
    r"""Return the log-probability of the drawn locations: $\sum_t \ln \alpha_t[s_t]$.

    Args:
        attention: `(B, T, L)`.
        location: s, `(B, T)` int32.
        lengths: `(B,)`, the number of valid words.

    Returns:
        `(B,)`.

    Example:
        >>> location_log_prob(jnp.full((1, 2, 4), 0.25), jnp.zeros((1, 2), jnp.int32), jnp.array([1])).round(3).tolist()
        [-1.3860000371932983]
    """
    drawn = jnp.take_along_axis(attention, location[..., None], axis=-1)[..., 0]
    return jnp.sum(jnp.where(valid_steps(lengths, location.shape[1]), _log(drawn), 0), axis=-1)


def attention_entropy(attention: Array, lengths: Array) -> Array:
    r"""Return $\sum_t H(\alpha_t)$ in nats.

    Args:
        attention: `(B, T, L)`.
        lengths: `(B,)`, the number of valid words.

    Returns:
        `(B,)`.

    Example:
        >>> attention_entropy(jnp.full((1, 2, 4), 0.25), jnp.array([1])).round(3).tolist()
        [1.3860000371932983]
    """
    entropy = -jnp.sum(attention * _log(attention), axis=-1)
    return jnp.sum(jnp.where(valid_steps(lengths, attention.shape[1]), entropy, 0), axis=-1)


def _log(share: Array) -> Array:
    return jnp.log(jnp.maximum(share, jnp.finfo(share.dtype).tiny))
