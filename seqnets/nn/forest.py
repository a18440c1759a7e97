"""The nodes of many trees at once, a block after the other."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
    places = tuple(jnp.asarray(schedule[name]) for name in ("kinds", "left", "right", "arguments", "trees"))
    none = jnp.zeros((places[1].shape[1], leaves.shape[1]), leaves.dtype)
    converted = [jax.closure_convert(cell, Block(none, none, places[3][0], places[4][0])) for cell in cells]
    weights = tuple(tuple(hoisted) for _, hoisted in converted)
    return _table(tuple(cell for cell, _ in converted), leaves, weights, places)


Cells = tuple[Callable[..., Array], ...]
Places = tuple[Array, ...]  # kinds, left, right, arguments, trees


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _table(cells: Cells, leaves: Array, weights: Any, places: Places) -> Array:
    blocks, width = places[1].shape
    rest = jnp.zeros((1 + blocks * width, leaves.shape[1]), leaves.dtype)
    table = jnp.concatenate([rest[:1], leaves, rest[1:]])
    branches = [lambda block: jnp.zeros_like(block.left), *(_with(cell, own) for cell, own in zip(cells, weights))]

    def step(table: Array, at: tuple[Array, Places]) -> tuple[Array, None]:
        start, (kind, left, right, *others) = at
        found = jax.lax.switch(kind, branches, Block(table[left], table[right], *others))
        return jax.lax.dynamic_update_slice(table, found, (start, 0)), None

    return jax.lax.scan(step, table, (_starts(leaves, places), places))[0]


def _with(cell: Callable[..., Array], own: tuple[Array, ...]) -> Callable[[Block], Array]:
    return lambda block: cell(block, *own)


def _starts(leaves: Array, places: Places) -> Array:
    blocks, width = places[1].shape
    return 1 + len(leaves) + width * jnp.arange(blocks)


def _forward(cells: Cells, leaves: Array, weights: Any, places: Places) -> tuple[Array, Any]:
    table: Any = _table(cells, leaves, weights, places)
    return table, (table, leaves, weights, places)


def _backward(cells: Cells, kept: Any, gradient: Array) -> tuple[Array, Any, None]:
    """Go back through the blocks; JAX would add a whole table of zeros for each of them.

    The loop finds the gradient of every state; those of the weights are one large product for all nodes of a kind after it.
    """
    table, leaves, weights, places = kept
    width = places[1].shape[1]

    def pulled(cell: Callable[..., Array], own: Any) -> Callable[[Block, Array], tuple[Array, Array]]:
        return lambda block, found: jax.vjp(lambda one, two: cell(block._replace(left=one, right=two), *own), *block[:2])[1](
            found
        )

    branches = [lambda block, found: (jnp.zeros_like(found),) * 2, *(pulled(cell, own) for cell, own in zip(cells, weights))]

    def step(gradient: Array, at: tuple[Array, Places]) -> tuple[Array, None]:
        start, (kind, left, right, *others) = at
        found = jax.lax.dynamic_slice(gradient, (start, 0), (width, gradient.shape[1]))
        block = Block(table[left], table[right], *others)
        to_left, to_right = jax.lax.switch(kind, branches, block, found)
        return gradient.at[left].add(to_left).at[right].add(to_right), None

    gradient = jax.lax.scan(step, gradient, (_starts(leaves, places), places), reverse=True)[0]
    kinds, left, right, *others = places
    every = Block(table[left], table[right], *others)
    nodes = gradient[1 + len(leaves) :].reshape(every.left.shape)

    def weighed(kind: int) -> Any:
        of_all = jax.vmap(cells[kind], (0, *[None] * len(weights[kind])))
        there = (kinds == 1 + kind)[:, None, None]
        return jax.vjp(lambda *own: of_all(every, *own), *weights[kind])[1](jnp.where(there, nodes, 0))

    found = tuple(map(weighed, range(len(cells))))
    return gradient[1 : 1 + len(leaves)], found, None


_table.defvjp(_forward, _backward)
