"""Noise in convolutional networks: stochastic depth, and dropout as a layer."""

import jax
from flax import nnx

from seqnets import settings
from seqnets.nn.regularize import dropout


class Dropout(nnx.Module):
    """Zero each value with probability `rate` and scale up the rest, if a key is given.

    Args:
        rate: in [0, 1).

    Example:
        >>> Dropout(0.5)(jax.numpy.ones(3)).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(self, rate: float):
        self.rate = checked_rate(rate)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Drop values of `x` if a key is given."""
        return dropout(x, self.rate, key)


class StochasticDepth(nnx.Module):
    r"""Drop a whole residual branch, independently for each image, if a key is given.

    $$ y_n = x_n \frac{m_n}{1 - r}, \qquad m_n \sim \mathrm{Bernoulli}(1 - r) $$

    In expectation y is x, so inference changes nothing.

    Args:
        rate: r in [0, 1), the probability that an image's branch is dropped.

    Example:
        >>> y = StochasticDepth(0.5)(jax.numpy.ones((64, 2, 2, 1)), key=jax.random.key(0))
        >>> sorted(set(y.ravel().tolist())), bool((y == y[:, :1, :1]).all())
        ([0.0, 2.0], True)

    References:
        Huang et al., "Deep networks with stochastic depth", 2016.
    """

    def __init__(self, rate: float):
        self.rate = checked_rate(rate)

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> jax.Array:
        """Drop images of `x` if a key is given."""
        if key is None or self.rate == 0:
            return x
        kept = jax.random.bernoulli(key, 1 - self.rate, (x.shape[0],) + (1,) * (x.ndim - 1))
        return x * (kept / (1 - self.rate)).astype(x.dtype)


def linear_decay(rate: float, depth: int) -> list[float]:
    """Spread drop rates over a network: zero at the input, `rate` at the last block.

    Args:
        rate: rate of the last block.
        depth: number of blocks.

    Returns:
        One rate per block: rate * l / depth for l = 1 .. depth.

    Example:
        >>> linear_decay(0.5, 4)
        [0.125, 0.25, 0.375, 0.5]
    """
    return [rate * (block + 1) / depth for block in range(depth)]


def checked_rate(rate: float) -> float:
    """Refuse a rate that is not a probability below one.

    Example:
        >>> checked_rate(1.5)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: rate must be at least 0 and below 1, not 1.5
    """
    settings.RATE.check("rate", rate)
    return rate
