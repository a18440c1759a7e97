"""Turns logits into a token: penalty, temperature, top-k, top-p, min-p, and the draw.

A new filter is a setting of `FilterConfig`, a function, and an entry of `FILTERS`, all in this file: the configurations of text
and of captions inherit the setting, and so the command line has it.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

from seqnets import settings
from seqnets.exports import Late

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    from jax import Array
    from jax.typing import ArrayLike

    Filters = Any
else:  # settings are read without JAX
    jax, jnp = Late("jax"), Late("jax.numpy")

# a power of two: dividing by it is exact and keeps the order of the logits
_COLDEST = 2.0**-20
_SUMS_ALIKE = 1e-6


@dataclass(frozen=True)
class FilterConfig:
    """What happens to the logits before a token is drawn.

    Raises:
        UserError: a setting is out of its range.

    Example:
        >>> FilterConfig(top_p=1.5)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: top_p must be above 0 and at most 1, not 1.5
    """

    temperature: Annotated[float, settings.NOT_NEGATIVE] = 1.0
    """Divides the logits: below 1 is safer, above 1 is wilder, 0 always takes the likeliest token."""
    repetition_penalty: Annotated[float | None, settings.ABOVE_ZERO] = None
    """Divide positive logits of recent tokens by this, multiply negative ones; above 1 discourages repetition."""
    repetition_window: Annotated[int, settings.Range(least=1, most=1 << 16)] = 16
    """How many of the last tokens, including a prompt's, the penalty considers."""
    top_k: Annotated[int | None, settings.POSITIVE] = None
    """Draw only from the k likeliest tokens."""
    top_p: Annotated[float | None, settings.SHARE_ABOVE_ZERO] = None
    """Draw from the fewest tokens whose probability reaches p (nucleus sampling), 0 < p <= 1."""
    min_p: Annotated[float | None, settings.SHARE_ABOVE_ZERO] = None
    """Draw from the tokens with at least p times the likeliest token's probability, 0 < p <= 1."""

    def __post_init__(self) -> None:
        settings.settle(self)

    @property
    def looks_back(self) -> int:
        """The number of past tokens that the active filters read."""
        return self.repetition_window if self.repetition_penalty is not None else 0


FILTERS = {
    "repetition_penalty": lambda logits, penalty, recent: penalize(logits, recent, penalty),
    "temperature": lambda logits, temperature, recent: logits / jnp.maximum(temperature, _COLDEST),
    "top_k": lambda logits, k, recent: keep_top_k(logits, k),
    "top_p": lambda logits, p, recent: keep_top_p(logits, p),
    "min_p": lambda logits, p, recent: keep_min_p(logits, p),
}
"""In the order in which they are applied: each gets what the one before left, its setting, and the recent tokens."""

if not TYPE_CHECKING:
    _NAMES = [field.name for field in fields(FilterConfig) if field.name in FILTERS]
    Filters = namedtuple("Filters", _NAMES, defaults=[None] * (len(_NAMES) - 1))
    Filters.__doc__ = """The active filters with their settings; a filter that is None is not compiled.

    The settings are arrays of shape (), so that a new value does not cause a recompilation.
    """


def filters_of(config: Any) -> Filters:
    """Return the filters that a configuration turns on, by the names of its fields.

    Args:
        config: each field is a number, or None for a filter that is off; missing fields are off too.

    Example:
        >>> from types import SimpleNamespace
        >>> filters_of(SimpleNamespace(temperature=0.5, top_k=10**12)).top_k.item()
        2147483647
    """
    given = {name: getattr(config, name, None) for name in FILTERS}
    make: Any = Filters
    return make(**{name: _setting(value) for name, value in given.items() if value is not None})


def _setting(value: float) -> Array:
    if isinstance(value, int):
        return jnp.int32(min(value, 2**31 - 1))  # beyond any vocabulary's size
    return jnp.float32(min(value, float(jnp.finfo(jnp.float32).max)))


def filtered(filters: Filters, logits: Array, recent: Array) -> Array:
    """Apply the filters in the order of `FILTERS`: penalty, temperature, top-k, top-p, min-p.

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
    for name, apply in FILTERS.items():
        if (setting := getattr(filters, name)) is not None:
            logits = apply(logits, setting, recent)
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
