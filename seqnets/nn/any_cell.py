"""A loop over a cell that can only be called: Flax's own, or a subclass with its own step."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.filterlib import Filter
from jax import Array

from seqnets.ops.recurrent import Carry

StateAxes = Mapping[Any, Any]
_DEFAULT: StateAxes = {nnx.Param: None, ...: nnx.Carry}


def scan_any_cell(
    cell: nnx.RNNCellBase,
    inputs: Array,
    carry: Carry,
    zeros: Carry,
    *,
    resets: Array | None,
    valid: Array | None,
    unroll: int,
    broadcast_rngs: Filter,
    state_axes: StateAxes | None,
    return_states: bool = False,
) -> tuple[Array, Carry, Carry | None]:
    """Call a cell at every step, from the first to the last.

    Args:
        cell: the cell; changes of its own state (counts of drawn keys, running means) carry over to the next step and call.
        inputs: `(T, *batch, ...)`.
        carry: the state before the first step.
        zeros: the state after a reset.
        resets: booleans `(T, *batch)`, or None.
        valid: booleans `(T, *batch)`: steps where it is False leave the carry as it is and give zeros; or None.
        unroll: steps per iteration of the loop.
        broadcast_rngs: the random streams that give every step the same key.
        state_axes: variables that the steps share (None), carry (`nnx.Carry`) or have separately (an axis), as in Flax.
        return_states: also return the carry after every step.

    Returns:
        The outputs `(T, *batch, ...)`, the carry after the last step, and those after every step, leaves `(T, *batch, ...)`.
    """
    axes = {nnx.All(nnx.RngState, broadcast_rngs): None, **(state_axes or _DEFAULT)}
    filters, kinds = tuple(axes), tuple(axes.values())
    with _one_key(cell, broadcast_rngs) as keyed:
        graph, *groups = nnx.split(keyed, *filters)
        shared = [group for group, kind in zip(groups, kinds, strict=True) if kind is None]
        changed: list[bool] = []

        def step(before: Any, time: Any) -> Any:
            (before, carried), (x, reset, is_valid, own) = before, time
            before = before if reset is None else _choose(reset, zeros, before)
            fresh = jax.tree.map(lambda leaf: leaf, shared)  # a step may change its own copy, such as a count of keys
            given, here = jax.tree.leaves((carried, own)), nnx.merge(graph, *fresh, *carried, *own)
            after, output = here(before, x)
            parts = nnx.split(here, *filters)[1:]
            carried, own = _handed_on(parts, kinds), _owned(parts, kinds)
            changed[:] = [a is not b for a, b in zip(jax.tree.leaves((carried, own)), given, strict=True)]
            if is_valid is not None:
                after, output = _choose(is_valid, after, before), _choose(is_valid, output, jax.tree.map(jnp.zeros_like, output))
            return (after, carried), (output, after if return_states else None, own)

        times = (inputs, resets, valid, _time_first(_owned(groups, kinds), kinds))
        (last, carried), (outputs, states, own) = jax.lax.scan(step, (carry, _handed_on(groups, kinds)), times, unroll=unroll)
        if any(changed):  # the next call continues from here
            nnx.update(cell, *carried, *_time_back(own, kinds))
    return outputs, last, states


@contextmanager
def _one_key(cell: nnx.RNNCellBase, streams: Filter) -> Iterator[nnx.RNNCellBase]:
    """Give random streams a new key for this call, which every step draws from."""
    if streams is None:
        yield cell
        return
    split: Any = nnx.split_rngs(cell, splits=1, only=streams, squeeze=True)
    if not hasattr(split, "__enter__"):  # without updates of the graph, Flax returns a copy with the new keys
        yield split
        return
    with split:
        yield cell


def _handed_on(groups: Any, kinds: tuple[Any, ...]) -> list[Any]:
    return [group for group, kind in zip(groups, kinds, strict=True) if kind is nnx.Carry]


def _owned(groups: Any, kinds: tuple[Any, ...]) -> list[Any]:
    return [group for group, kind in zip(groups, kinds, strict=True) if isinstance(kind, int)]


def _time_first(own: list[Any], kinds: tuple[Any, ...]) -> list[Any]:
    axes = [kind for kind in kinds if isinstance(kind, int)]
    return [
        jax.tree.map(lambda leaf, axis=axis: jnp.moveaxis(leaf, axis, 0), group) for group, axis in zip(own, axes, strict=True)
    ]


def _time_back(own: list[Any], kinds: tuple[Any, ...]) -> list[Any]:
    axes = [kind for kind in kinds if isinstance(kind, int)]
    return [
        jax.tree.map(lambda leaf, axis=axis: jnp.moveaxis(leaf, 0, axis), group) for group, axis in zip(own, axes, strict=True)
    ]


def _choose(rows: Array, if_true: Any, if_false: Any) -> Any:
    def choose(a, b):
        return jnp.where(rows.reshape(*rows.shape, *(1,) * (a.ndim - rows.ndim)), a, b) if a.ndim >= rows.ndim else a

    return jax.tree.map(choose, if_true, if_false)
