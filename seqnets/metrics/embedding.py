"""Features in the plane: principal components, exact t-SNE, and how far a picture in the plane can be trusted."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqnets.errors import UserError

MOST_POINTS = 5000
_EXAGGERATION, _EARLY_STEPS = 12.0, 250
_BISECTIONS = 60


class Components(NamedTuple):
    """Principal components.

    Args:
        coordinates: [N, K].
        axes: [K, D], of length 1; the largest entry of each is positive.
        variance: [K], along each axis.
        share: [K], of the whole variance.
        mean: [D].
    """

    coordinates: np.ndarray
    axes: np.ndarray
    variance: np.ndarray
    share: np.ndarray
    mean: np.ndarray


class Embedding(NamedTuple):
    """Points in the plane, and the Kullback-Leibler divergence, in nats, that is left."""

    coordinates: np.ndarray
    divergence: float


def principal_components(features: np.ndarray, components: int = 2) -> Components:
    """Project features on the axes of largest variance.

    Args:
        features: [N, D].
        components: K, at most the smaller of N and D.

    Raises:
        UserError: the features are not [N, D] with finite numbers, or there are fewer components.

    Example:
        >>> line = np.arange(6.0)[:, None] * np.array([[3.0, 4.0]])
        >>> found = principal_components(line, 1)
        >>> found.axes.round(3).tolist(), found.share.round(3).tolist()
        ([[0.6, 0.8]], [1.0])
    """
    x = _checked(features)
    if not 1 <= components <= min(x.shape):
        raise UserError(f"{x.shape[0]} x {x.shape[1]} features have 1 to {min(x.shape)} components, not {components}")
    mean = x.mean(0)
    _, sizes, axes = np.linalg.svd(x - mean, full_matrices=False)
    axes = axes[:components] * np.sign(axes[np.arange(components), np.abs(axes[:components]).argmax(1)])[:, None]
    variance = sizes**2 / max(len(x) - 1, 1)
    share = variance[:components] / max(variance.sum(), np.finfo(np.float64).tiny)
    return Components((x - mean) @ axes.T, axes, variance[:components], share, mean)


def tsne(features: np.ndarray, *, perplexity: float = 30.0, steps: int = 1000, seed: int | None = None) -> Embedding:
    r"""Place points in the plane so that neighbors stay neighbors: exact t-SNE.

    $$ p_{ij} = \frac{p_{j|i} + p_{i|j}}{2N}, \quad q_{ij} \propto \frac{1}{1 + |y_i - y_j|^2}, \quad
    \min_y \sum_{ij} p_{ij} \ln \frac{p_{ij}}{q_{ij}} $$

    The whole descent is one compiled loop: momentum 0.5, then 0.8 after 250 steps, early exaggeration 12, learning rate N / 48
    and at least 50. Sizes of clusters and distances between them mean nothing.

    Args:
        features: [N, D], N at most 5,000: memory and time grow with N squared.
        perplexity: about how many neighbors each point has; below N.
        steps: of the descent.
        seed: of a random start; the first two principal components when None.

    Returns:
        Coordinates [N, 2] and the divergence.

    Raises:
        UserError: there are too many or too few points, or a number is not finite.

    Example:
        >>> two = np.repeat([[0.0, 0.0], [9.0, 9.0]], 8, axis=0) + np.random.default_rng(0).normal(size=(16, 2))
        >>> y = tsne(two, perplexity=4, steps=500).coordinates
        >>> trustworthiness(two, y, neighbors=3) > 0.8
        True

    References:
        van der Maaten and Hinton, "Visualizing data using t-SNE", 2008.
    """
    x = _checked(features)
    if len(x) > MOST_POINTS:
        raise UserError(f"exact t-SNE takes at most {MOST_POINTS:,} points, not {len(x):,}; give a sample of them")
    if not 1 <= perplexity < len(x):
        raise UserError(f"perplexity must be at least 1 and below the number of points, {len(x)}, not {perplexity}")
    joint = joint_probabilities(x, perplexity)
    if seed is None:
        start = principal_components(x, min(2, *x.shape)).coordinates
        start = np.pad(start, ((0, 0), (0, 2 - start.shape[1])))
        start = 1e-4 * start / max(start[:, 0].std(), np.finfo(np.float64).tiny)
    else:
        start = 1e-4 * np.random.default_rng(seed).standard_normal((len(x), 2))
    rate = max(len(x) / _EXAGGERATION / 4, 50.0)
    places, divergence = _descend(joint, jnp.asarray(start, jnp.float32), rate, steps)
    return Embedding(np.asarray(places), float(divergence))


def joint_probabilities(features: np.ndarray, perplexity: float) -> np.ndarray:
    """Return t-SNE's p of every pair of points, whose sum is 1: [N, N] of float32.

    Args:
        features: [N, D].
        perplexity: 2 to the entropy, in bits, of each point's distribution over the others.

    Example:
        >>> p = joint_probabilities(np.eye(3), 1.5)
        >>> round(float(p.sum()), 5), p[0, 0].item()
        (1.0, 0.0)
    """
    x = _checked(features)
    squares = (x**2).sum(1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * x @ x.T, 0)
    scale = np.mean(distances) or 1.0  # so that float32 holds them
    conditional = np.asarray(_conditional(jnp.asarray(distances / scale, jnp.float32), float(perplexity)))
    joint = conditional + conditional.T
    return joint / joint.sum()


def trustworthiness(features: np.ndarray, places: np.ndarray, *, neighbors: int = 5) -> float:
    r"""Return how far neighbors in the plane are neighbors in the features: 1 is best.

    $$ T = 1 - \frac{2}{N k (2N - 3k - 1)} \sum_i \sum_{j \in U_k(i)} \max(0, r(i, j) - k) $$

    where U_k(i) are the k nearest places and r the rank of j among the features nearest to i.

    Args:
        features: [N, D].
        places: [N, 2].
        neighbors: k, below N / 2.

    Raises:
        UserError: k is too large.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(20, 2))
        >>> trustworthiness(x, 3 * x, neighbors=4)
        1.0

    References:
        Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", 2001.
    """
    x, y = _checked(features), _checked(places)
    count = len(x)
    if not 1 <= neighbors < count / 2:
        raise UserError(f"neighbors must be at least 1 and below half the number of points, {count / 2:g}, not {neighbors}")
    ranks, rows = np.empty((count, count), np.int64), np.arange(count)[:, None]
    ranks[rows, _nearest_first(x)] = np.arange(count)
    excess = ranks[rows, _nearest_first(y)[:, 1 : neighbors + 1]] - neighbors
    return float(1 - excess[excess > 0].sum() * 2 / (count * neighbors * (2 * count - 3 * neighbors - 1)))


def _nearest_first(x: np.ndarray) -> np.ndarray:
    squares = (x**2).sum(1)
    distances = squares[:, None] + squares[None, :] - 2 * x @ x.T
    np.fill_diagonal(distances, -1.0)  # each point first, even beside its copies
    return distances.argsort(1, kind="stable")


def _checked(features: np.ndarray) -> np.ndarray:
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or not x.size:
        raise UserError(f"features have shape {x.shape}; give [N, D]")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(1))[0])
        raise UserError(f"the features of point {row} are not finite numbers; leave it out")
    return x


@jax.jit
def _conditional(distances: jax.Array, perplexity: float) -> jax.Array:
    target, others = jnp.log(perplexity), ~jnp.eye(len(distances), dtype=bool)
    nearest = jnp.where(others, distances, jnp.inf).min(1, keepdims=True)

    def shares(log_precision: jax.Array) -> jax.Array:
        return jnp.where(others, jnp.exp(-jnp.exp(log_precision)[:, None] * (distances - nearest)), 0)

    def narrow(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        middle = (low + high) / 2
        weights = shares(middle)
        total = weights.sum(1)
        entropy = jnp.log(total) + jnp.exp(middle) * (weights * (distances - nearest)).sum(1) / total
        wide = entropy > target  # too many neighbors: a higher precision is needed
        return jnp.where(wide, middle, low), jnp.where(wide, high, middle)

    edges = jnp.full(len(distances), 30.0)
    low, high = jax.lax.fori_loop(0, _BISECTIONS, narrow, (-edges, edges))
    weights = shares((low + high) / 2)
    return weights / weights.sum(1, keepdims=True)


@jax.jit
def _descend(joint: jax.Array, start: jax.Array, rate: float, steps: int) -> tuple[jax.Array, jax.Array]:
    apart = ~jnp.eye(len(joint), dtype=bool)

    def likeness(places: jax.Array) -> jax.Array:
        squares = (places**2).sum(1)
        near = 1 / (1 + jnp.maximum(squares[:, None] + squares[None, :] - 2 * places @ places.T, 0))
        return jnp.where(apart, near, 0)

    def step(number: jax.Array, state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        places, move, gains = state
        early, fresh = number < _EARLY_STEPS, number == _EARLY_STEPS  # the second phase begins at rest, as scikit-learn's
        move, gains = jnp.where(fresh, 0.0, move), jnp.where(fresh, 1.0, gains)
        near = likeness(places)
        pull = (joint * jnp.where(early, _EXAGGERATION, 1.0) - near / near.sum()) * near
        gradient = 4 * (pull.sum(1, keepdims=True) * places - pull @ places)
        gains = jnp.maximum(jnp.where(move * gradient < 0, gains + 0.2, gains * 0.8), 0.01)
        move = jnp.where(early, 0.5, 0.8) * move - rate * gains * gradient
        return places + move, move, gains

    places, _, _ = jax.lax.fori_loop(0, steps, step, (start, jnp.zeros_like(start), jnp.ones_like(start)))
    near = likeness(places)
    share = jnp.maximum(near / near.sum(), 1e-12)
    return places, jnp.sum(jnp.where(joint > 0, joint * jnp.log(jnp.maximum(joint, 1e-12) / share), 0))
