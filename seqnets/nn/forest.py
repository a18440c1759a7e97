"""The nodes of many trees at once, a block after the other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Block(NamedTuple):
    """W nodes of one kind, whose children are known.

    Args:
        left: `(W, S)`, the states of their first children; zeros for none.
        right: `(W, S)`, those of their second children.
        arguments: `(W,)`, the numbers of their words.
        trees: `(W,)`, the places of their trees in the batch.
    """

    left: Array
    right: Array
    arguments: Array
    trees: Array


def visit(leaves: Array, cells: Sequence[Callable[[Block], Array]], schedule: Mapping[str, Any]) -> Array:
    r"""Return the states of all nodes of a batch of trees.

    The table $h$ has a row for the empty child, the leaves and every node of $K$ blocks. The blocks come from the leaves up:

    $$h[\text{block}_k] = \text{cell}_{\text{kind}_k}(h[\text{left}_k], h[\text{right}_k])$$

    The loop is one program for all trees of a schedule's shape; blocks of kind 0, which hold no nodes, cost nothing.

    Args:
        leaves: `(L, S)`, the states of the leaves.
        cells: for every kind from 1 on, a function of a block to its states, `(W, S)`.
        schedule: `kinds` `(K,)`; `arguments`, `left`, `right` and `trees`, `(K, W)`; see
            `seqnets.data.forest.Forest.scheduled`.

    Returns:
        The table, `(1 + L + K W, S)`.

    Example:
        >>> schedule = {"kinds": jnp.array([1]), **dict.fromkeys(("arguments", "trees"), jnp.array([[0, 0]]))}
        >>> schedule |= {"left": jnp.array([[1, 0]]), "right": jnp.array([[2, 0]])}
        >>> visit(jnp.array([[3.0], [4.0]]), [lambda block: block.left + block.right], schedule)[:, 0].tolist()
        [0.0, 3.0, 4.0, 7.0, 0.0]

    References:
        Looks et al., "Deep Learning with Dynamic Computation Graphs", 2017.
    """
    blocks, width = schedule["left"].shape
    features = leaves.shape[1]
    table = jnp.concatenate([jnp.zeros((1, features), leaves.dtype), leaves, jnp.zeros((blocks * width, features), leaves.dtype)])
    starts = 1 + len(leaves) + width * jnp.arange(blocks)
    branches = [lambda block: jnp.zeros_like(block.left), *cells]

    def step(table: Array, at: tuple[Array, ...]) -> tuple[Array, None]:
        kind, start, left, right, arguments, trees = at
        found = jax.lax.switch(kind, branches, Block(table[left], table[right], arguments, trees))
        return jax.lax.dynamic_update_slice(table, found, (start, 0)), None

    nodes = [jnp.asarray(schedule[name]) for name in ("left", "right", "arguments", "trees")]
    return jax.lax.scan(step, table, (jnp.asarray(schedule["kinds"]), starts, *nodes))[0]
