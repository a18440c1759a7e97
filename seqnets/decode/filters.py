"""Turns logits into a character: penalty, temperature, top-k, top-p, min-p, and the draw."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

# a power of two: dividing by it is exact and keeps the order of the logits
_COLDEST = 2.0**-20
_LARGEST = {"top_k": 2**31 - 1}  # an int beyond any vocabulary's size; for the others, the largest float32
_SUMS_ALIKE = 1e-6


class Filters(NamedTuple):
    """The active filters with their settings; a filter that is None is not compiled.

    The settings are arrays of shape (), so that a new value does not cause a recompilation.

    Attributes:
        temperature: divides the logits; 0 is greedy.
        repetition_penalty: see `penalize`.
        top_k: see `keep_top_k`.
        top_p: see `keep_top_p`.
        min_p: see `keep_min_p`.
    """

    temperature: Array
    repetition_penalty: Array | None = None
    top_k: Array | None = None
    top_p: Array | None = None
    min_p: Array | None = None


def filters_of(config: Any) -> Filters:
    """Return the filters that a configuration turns on, by the names of its fields.

    Args:
        config: each field is a number, or None for a filter that is off; missing fields are off too.

    Example:
        >>> from types import SimpleNamespace
        >>> filters_of(SimpleNamespace(temperature=0.5, top_k=10**12)).top_k.item()
        2147483647
    """
    given = {name: getattr(config, name, None) for name in Filters._fields}
    return Filters(**{name: _setting(name, value) for name, value in given.items() if value is not None})


def _setting(name: str, value: float) -> Array:
    dtype = jnp.int32 if name == "top_k" else jnp.float32
    return jnp.asarray(min(value, _LARGEST.get(name, float(jnp.finfo(jnp.float32).max))), dtype)


def filtered(filters: Filters, logits: Array, recent: Array) -> Array:
    """Apply the filters in the order of their definition: penalty, temperature, top-k, top-p, min-p.

    Each sees the result of the one before. At temperature 0 the logits are divided by 2^-20, exactly.

    Args:
        filters: the active filters.
        logits: `(B, V)` float32.
        recent: `(B, W)` int32, the tokens that the repetition penalty considers; negative entries are ignored.

    Returns:
        `(B, V)`: the logits to draw from; -inf for what was filtered out.

    Example:
        >>> import jax.numpy as jnp
        >>> filters = Filters(temperature=jnp.float32(0.5), top_k=jnp.int32(2))
        >>> filtered(filters, jnp.array([[1.0, 2.0, 3.0]]), jnp.zeros((1, 0), int)).tolist()
        [[-inf, 4.0, 6.0]]
    """
    if filters.repetition_penalty is not None:
        logits = penalize(logits, recent, filters.repetition_penalty)
    logits = logits / jnp.maximum(filters.temperature, _COLDEST)
    if filters.top_k is not None:
        logits = keep_top_k(logits, filters.top_k)
    if filters.top_p is not None:
        logits = keep_top_p(logits, filters.top_p)
    if filters.min_p is not None:
        logits = keep_min_p(logits, filters.min_p)
    return logits


def draw(filters: Filters, logits: Array, noise: Array) -> Array:
    """Draw a token from softmax(logits) by the Gumbel-max trick; without noise at temperature 0.

    Args:
        filters: their temperature decides between drawing and taking the best.
        logits: `(B, V)`, filtered.
        noise: `(B, V)`, standard Gumbel.

    Returns:
        Tokens `(B,)` int32.

    Example:
        >>> import jax.numpy as jnp
        >>> draw(Filters(jnp.float32(0)), jnp.array([[0.0, 1.0]]), jnp.array([[9.0, 0.0]])).tolist()
        [1]
    """
    return jnp.argmax(logits + jnp.where(filters.temperature > 0, noise, 0.0), axis=-1).astype(jnp.int32)


def noise_of(key: Array, position: ArrayLike, shape: tuple[int, int, int]) -> Array:
    """Return the noise of some characters of some texts; it depends neither on how a text is cut nor on the number of texts.

    The noise of character t of text i comes from fold_in(fold_in(key, i), t).

    Args:
        key: a JAX key.
        position: position of the first character.
        shape: `(T, B, V)`.

    Returns:
        `(T, B, V)`, standard Gumbel.

    Example:
        >>> key = jax.random.key(0)
        >>> late, all_of_it = noise_of(key, 3, (1, 1, 2)), noise_of(key, 0, (4, 2, 2))
        >>> (late[0, 0] == all_of_it[3, 0]).all().item()
        True
    """
    steps, samples, vocabulary = shape
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(samples))
    at = jax.vmap(jax.vmap(jax.random.fold_in, (0, None)), (None, 0))(keys, position + jnp.arange(steps))
    return jax.vmap(jax.vmap(lambda key: jax.random.gumbel(key, (vocabulary,), jnp.float32)))(at)


def penalize(logits: Array, recent: Array, penalty: Array) -> Array:
    """Divide the positive logits of recent tokens by the penalty and multiply the negative ones by it.

    Args:
        logits: `(B, V)`.
        recent: `(B, W)` int32; negative entries are ignored.
        penalty: above 1 to discourage repetition.

    References:
        Keskar et al., CTRL: a conditional transformer language model for controllable generation, 2019.

    Example:
        >>> import jax.numpy as jnp
        >>> penalize(jnp.array([[2.0, -2.0, 2.0]]), jnp.array([[0, 1, -1]]), 2.0).tolist()
        [[1.0, -4.0, 2.0]]
    """
    vocabulary = logits.shape[-1]
    rows = jnp.arange(logits.shape[0])[:, None]
    seen = jnp.zeros(logits.shape, bool).at[rows, jnp.where(recent < 0, vocabulary, recent)].set(True, mode="drop")
    return jnp.where(seen, jnp.where(logits > 0, logits / penalty, logits * penalty), logits)


def keep_top_k(logits: Array, k: Array) -> Array:
    """Keep the k largest logits, taking the first of equal ones; the others become -inf.

    Example:
        >>> import jax.numpy as jnp
        >>> keep_top_k(jnp.array([[1.0, 3.0, 2.0]]), 2).tolist()
        [[-inf, 3.0, 2.0]]
        >>> keep_top_k(jnp.array([[1.0, 1.0, 1.0]]), 2).tolist()
        [[1.0, 1.0, -inf]]
    """
    return _keep(logits, _descending(logits), jnp.clip(k, 1, logits.shape[-1]))


def keep_top_p(logits: Array, p: Array) -> Array:
    """Keep the smallest set of the likeliest tokens whose probability reaches p; the others become -inf.

    Of equally likely tokens the first are kept. A sum within 1e-6 of p counts as reaching it, for rounding; p = 1 keeps all.

    References:
        Holtzman et al., The curious case of neural text degeneration, 2020.

    Example:
        >>> import jax.numpy as jnp
        >>> keep_top_p(jnp.log(jnp.array([[0.5, 0.3, 0.2]])), 0.6)[0, 2].item()
        -inf
    """
    ordered = _descending(logits)
    reached = jnp.cumsum(jax.nn.softmax(ordered, axis=-1), axis=-1)
    count = 1 + jnp.sum(reached < p - _SUMS_ALIKE, axis=-1, keepdims=True)
    return _keep(logits, ordered, jnp.where(p < 1, jnp.minimum(count, logits.shape[-1]), logits.shape[-1]))


def keep_min_p(logits: Array, p: Array) -> Array:
    """Keep the tokens at least p times as likely as the likeliest; the others become -inf.

    References:
        Nguyen et al., Turning up the heat: min-p sampling for creative and coherent outputs, 2024.

    Example:
        >>> import jax.numpy as jnp
        >>> keep_min_p(jnp.log(jnp.array([[0.5, 0.3, 0.04]])), 0.1)[0, 2].item()
        -inf
    """
    floor = jnp.max(logits, axis=-1, keepdims=True) + jnp.log(p)
    return jnp.where(logits >= floor, logits, -jnp.inf)


def _descending(logits: Array) -> Array:
    return -jnp.sort(-logits, axis=-1)


def _keep(logits: Array, ordered: Array, count: Array) -> Array:
    count = jnp.broadcast_to(jnp.asarray(count), (*logits.shape[:-1], 1))
    last = jnp.take_along_axis(ordered, count - 1, axis=-1)
    above, equal = logits > last, logits == last
    room = count - jnp.sum(above, axis=-1, keepdims=True)
    return jnp.where(above | (equal & (jnp.cumsum(equal, axis=-1) <= room)), logits, -jnp.inf)
