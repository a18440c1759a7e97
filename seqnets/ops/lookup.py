"""Rows of a table, with a gradient that is a matrix product."""

import jax
import jax.numpy as jnp
from jax import Array


@jax.custom_vjp
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
    return table[tokens]


def _forward(table: Array, tokens: Array):
    return table[tokens], (tokens, table.shape[0])


def _backward(residuals, d_rows: Array):
    tokens, size = residuals
    one_hot = jax.nn.one_hot(tokens.reshape(-1), size, dtype=d_rows.dtype)
    return jnp.matmul(one_hot.T, d_rows.reshape(-1, d_rows.shape[-1])), None


take_rows.defvjp(_forward, _backward)
