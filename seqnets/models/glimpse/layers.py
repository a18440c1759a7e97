"""Recurrent layers that are run step by step, because what they read depends on the step before."""

from typing import Any

import jax
from flax import nnx
from jax import Array

from seqnets.models.cell_config import CellConfig
from seqnets.models.recurrent_layers import Steps, make_cell, step_by_step
from seqnets.ops.recurrent import Carry, hidden_of


class StepLayers(nnx.Module):
    """A stack of cells, each reading the one below.

    Args:
        config: the cell, its options, and what stands between the layers.
        in_features: F, of the lowest layer.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> import jax.numpy as jnp
        >>> layers = StepLayers(CellConfig(cell="gru", hidden_features=4, layers=2), 3, rngs=nnx.Rngs(0))
        >>> carry, hidden = layers.steps()(layers.start(5), jnp.ones((5, 3)))
        >>> hidden.shape, bool((hidden == layers.hidden(carry)).all())
        ((5, 4), True)
    """

    def __init__(self, config: CellConfig, in_features: int, *, rngs: nnx.Rngs):
        sizes = [in_features] + [config.hidden_features] * (config.layers - 1)
        self.config, self.cells = config, nnx.List([make_cell(config, size, rngs=rngs) for size in sizes])

    def start(self, batch: int) -> Carry:
        """Return the state before the first step: zeros, a tuple with one entry per layer."""
        return tuple(cell.initialize_carry((batch, cell.in_features)) for cell in self.cells)

    def steps(self, key: Array | None = None) -> Steps:
        """Return `(carry, inputs (B, F), key=None) -> (carry, (B, H))`; the keys turn on the noise of training."""
        step = step_by_step(self.config, list(self.cells), key)

        def from_inputs(carry: Carry, inputs: Array, now: Array | None = None) -> tuple[Carry, Array]:
            return step(carry, self.cells[0].project(inputs), now, inputs)

        return from_inputs

    def hidden(self, carry: Any) -> Array:
        """Return what the highest layer gave at the last step, `(B, H)`."""
        return hidden_of(carry[-1])

    def started(self, leaves: list[Array]) -> Carry:
        """Return a state made of given arrays, in the order of the leaves of `start`."""
        return jax.tree.unflatten(jax.tree.structure(jax.eval_shape(lambda: self.start(1))), leaves)
