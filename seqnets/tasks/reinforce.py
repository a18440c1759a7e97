"""The score-function estimate of a gradient, for losses that depend on draws: of words, of places."""

import jax
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
        >>> import jax.numpy as jnp
        >>> jax.grad(score_term, argnums=(0, 2))(jnp.float32(3), jnp.float32(1), jnp.float32(-0.5))
        (Array(0., dtype=float32, weak_type=True), Array(2., dtype=float32, weak_type=True))

    References:
        Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", 1992.
    """
    return jax.lax.stop_gradient(loss - baseline) * log_prob
