"""A recurrence on several devices: each takes its rows of the batch through all steps without waiting for another."""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax.sharding import AxisType, PartitionSpec

from seqnets.ops.recurrent import Carry, RecurrentWeights
from seqnets.ops.timestep import TimeInputs

AXIS = "data"
Run = Callable[[RecurrentWeights, Carry, TimeInputs], tuple[Array, Carry]]


def divided_by_rows(run: Run, weights: RecurrentWeights, carry: Carry, inputs: TimeInputs) -> tuple[Array, Carry]:
    """Run a recurrence with its rows divided over the axis `data` of the current mesh, if there is one and they divide evenly.

    XLA would find the same division for a loop of its own. It cannot look into one of our kernels, and would run it on all
    rows on every device.

    Args:
        run: `run(weights, carry, inputs) -> (outputs (T, B, H), carry)`.
        weights: replicated on every device.
        carry: leaves `(B, H)`.
        inputs: leaves `(T, B, ...)`.

    Returns:
        What `run` returns.
    """
    mesh, rows = jax.sharding.get_abstract_mesh(), inputs.projected.shape[1]
    sizes = dict(zip(mesh.axis_names, mesh.axis_sizes))
    kinds = dict(zip(mesh.axis_names, mesh.axis_types))
    if sizes.get(AXIS, 1) == 1 or kinds[AXIS] != AxisType.Auto or rows % sizes[AXIS]:
        return run(weights, carry, inputs)

    def by_rows(tree: Any, axis: int) -> Any:
        return jax.tree.map(
            lambda leaf: PartitionSpec(*(None,) * axis, AXIS) if leaf.shape[axis] == rows else PartitionSpec(), tree
        )

    whole = jax.tree.map(lambda _: PartitionSpec(), weights)
    divided = jax.shard_map(
        run,
        in_specs=(whole, by_rows(carry, 0), by_rows(inputs, 1)),
        out_specs=(PartitionSpec(None, AXIS), by_rows(carry, 0)),
    )
    return divided(weights, carry, inputs)


def varying_axes(array: Array) -> frozenset[str]:
    """Return the mesh axes over which an array differs between devices, within `jax.shard_map`.

    Example:
        >>> import jax.numpy as jnp
        >>> varying_axes(jnp.ones(3))
        frozenset()
    """
    kind: Any = jax.typeof(array)  # the attribute has had two names
    return kind.mat.varying if hasattr(kind, "mat") else getattr(kind, "vma", frozenset())


def varying(array: Array, axes: frozenset[str]) -> Array:
    """Return an array that may also differ between devices over these axes; within `jax.shard_map` its type says so.

    Example:
        >>> import jax.numpy as jnp
        >>> varying(jnp.ones(3), frozenset()).shape
        (3,)
    """
    new = tuple(axes - varying_axes(array))
    return jax.lax.pcast(array, new, to="varying") if new else array
