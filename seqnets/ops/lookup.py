"""Table lookup with a gradient that is a matrix product."""

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.derivatives import differentiable


def take_rows(table: Array, tokens: Array) -> Array:
    """Return table[tokens].

    The gradient is one product with the one-hot tokens. For tables as small as a character vocabulary that is several times
    faster than the scattered additions of ordinary indexing.

    Args:
        table: `(V, F)`.
        tokens: integers of any shape, each in [0, V).

    Returns:
        `(*tokens.shape, F)`.

    Example:
        >>> import jax.numpy as jnp
        >>> take_rows(jnp.array([[1.0], [2.0]]), jnp.array([1, 0, 1])).tolist()
        [[2.0], [1.0], [2.0]]
    """
    return _take_rows(table, tokens)


def _definition(table: Array, tokens: Array) -> Array:
    return table[tokens]


def _forward(table: Array, tokens: Array) -> tuple[Array, None]:
    return table[tokens], None


def _backward(arguments: tuple[Array, Array], _results: None, _kept: None, d_rows: Array) -> tuple[Array, None]:
    table, tokens = arguments
    one_hot = jax.nn.one_hot(tokens.reshape(-1), table.shape[0], dtype=d_rows.dtype)
    return jnp.matmul(one_hot.T, d_rows.reshape(-1, d_rows.shape[-1])), None


_take_rows = differentiable(_definition, _forward, _backward, reads_results=False)
