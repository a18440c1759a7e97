"""The score-function estimate of a gradient, for losses that depend on draws: of words, of places."""

import jax
import jax.numpy as jnp
from jax import Array


def score_term(loss: Array, baseline: Array, log_prob: Array) -> Array:
    r"""Return a term whose gradient is an unbiased estimate for that of an expected loss (REINFORCE): $[\ell - b] \ln p$.

    The bracket is a constant under differentiation. Any b that does not depend on the draw leaves the mean of the estimate as
    it is; one near the expected loss makes it vary less.

    Args:
        loss: what followed the draw.
        baseline: b, broadcast to the shape of the loss.
        log_prob: of what was drawn.

    Example:
        >>> [slope.item() for slope in jax.grad(score_term, argnums=(0, 2))(3.0, 1.0, -0.5)]
        [0.0, 2.0]

    References:
        Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", 1992.
    """
    return jax.lax.stop_gradient(loss - baseline) * log_prob


def leave_one_out(rewards: Array, samples: int) -> Array:
    """Return for each reward the mean of the other rewards in its group of `samples` neighbors; 0 for the only one.

    Example:
        >>> leave_one_out(jnp.array([1.0, 2.0, 6.0]), 3).tolist()
        [4.0, 3.5, 1.5]
    """
    groups = rewards.reshape(-1, samples)
    others = jnp.sum(groups, axis=1, keepdims=True) - groups
    return (others / max(samples - 1, 1)).reshape(-1)
