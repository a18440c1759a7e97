"""Recurrent layers of the cell, and with the options, that a configuration states."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.errors import UserError
from seqnets.models.cell_config import CellConfig
from seqnets.nn.cells import CELLS, Cell
from seqnets.nn.chain import subkey
from seqnets.nn.regularize import drop_weights, dropout, locked_dropout
from seqnets.nn.rnn import RNN
from seqnets.nn.stacked import BidirectionalRNN, StackedRNN
from seqnets.ops.linear import multiply
from seqnets.ops.recurrent import Carry, RecurrentWeights
from seqnets.ops.timestep import TimeInputs, advance

Steps = Callable[..., tuple[Carry, Array]]


def make_cell(config: CellConfig, in_features: int, *, rngs: nnx.Rngs) -> Cell:
    """Make a cell with all options that it has.

    Raises:
        UserError: an option is set that it lacks.

    Example:
        >>> make_cell(CellConfig(cell="highway", depth=3, hidden_features=4), 2, rngs=nnx.Rngs(0)).recurrent_kernel.shape
        (3, 4, 8)
    """
    options = {"layer_norm": config.layer_norm, "zoneout": config.zoneout, "dtype": jnp.dtype(config.dtype)}
    cell = CELLS[config.cell](in_features, config.hidden_features, rngs=rngs, **options, **config.cell_options())
    if config.weight_dropout and not cell.recurrent_kernels():
        raise UserError(f"model.weight_dropout is for recurrent weights, and the cell {config.cell} has none; leave it out")
    return cell


def make_stack(config: CellConfig, in_features: int, *, bidirectional: bool = False, rngs: nnx.Rngs) -> StackedRNN:
    """Make all layers, each reading the one below.

    Args:
        config: the cell, its options, and what stands between the layers.
        in_features: F, of the lowest layer.
        bidirectional: read from both ends in every layer.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> stack = make_stack(CellConfig(cell="gru", hidden_features=4, layers=2), 3, bidirectional=True, rngs=nnx.Rngs(0))
        >>> stack(jnp.ones((1, 5, 3))).shape
        (1, 5, 8)
    """
    width = config.hidden_features * (2 if bidirectional else 1)

    def direction(size: int, reverse: bool) -> RNN:
        cell, noise = make_cell(config, size, rngs=rngs), config.weight_dropout
        return RNN(cell, reverse=reverse, weight_dropout=noise, remat=config.remat, backend=config.backend)

    def layer(size: int) -> Any:
        return BidirectionalRNN(direction(size, False), direction(size, True)) if bidirectional else direction(size, False)

    layers = [layer(in_features if index == 0 else width) for index in range(config.layers)]
    return StackedRNN(layers, residual=config.residual, dropout=config.dropout, locked=config.locked_dropout)


def drop_steps(config: CellConfig, x: Array, rate: float, key: Array | None) -> Array:
    """Drop features of `(B, T, F)`: other ones at every step, or the same ones at all steps with `locked_dropout`.

    Example:
        >>> x = drop_steps(CellConfig(locked_dropout=True), jnp.ones((1, 3, 8)), 0.5, jax.random.key(0))
        >>> bool((x == x[:, :1]).all())
        True
    """
    return (locked_dropout if config.locked_dropout else dropout)(x, rate, key)


def step_by_step(config: CellConfig, cells: Sequence[Cell], key: Array | None = None) -> Steps:
    """Return a function that takes one step in every layer, for decoders whose inputs depend on the step before.

    Args:
        config: what stands between the layers.
        cells: one per layer, lowest first.
        key: a JAX key for the noise that is the same at all steps of a sequence; None is inference.

    Returns:
        `(carry, projected (B, gates * H), key=None, inputs=None) -> (carry, (B, H))`. The projected inputs went through the
        lowest cell; the key is for the noise of this step, and the inputs `(B, F)` for a residual connection around that cell.

    Example:
        >>> config = CellConfig(hidden_features=4)
        >>> cell = make_cell(config, 3, rngs=nnx.Rngs(0))
        >>> step = step_by_step(config, [cell])
        >>> _, hidden = step((cell.initialize_carry((2, 3)),), cell.project(jnp.ones((2, 3))))
        >>> hidden.shape
        (2, 4)
    """
    kept = [_dropped(cell.weights(), config.weight_dropout, subkey(key, index)) for index, cell in enumerate(cells)]

    def steps(carry: Carry, projected: Array, now: Array | None = None, inputs: Array | None = None) -> tuple[Carry, Array]:
        after, x = [], cast(Any, inputs)
        for index, (cell, weights, state) in enumerate(zip(cells, kept, carry, strict=True)):
            if index:
                x = dropout(x, config.dropout, subkey(key if config.locked_dropout else now, 2 * index))
                projected = cell.project(x)
            state, outputs = _step(cell, weights, state, projected, subkey(now, 2 * index + 1))
            residual = x if config.residual and x is not None and x.shape == outputs.shape else 0
            x = outputs + residual
            after.append(state)
        return tuple(after), x

    return steps


def _dropped(weights: RecurrentWeights, rate: float, key: Array | None) -> RecurrentWeights:
    return weights._replace(kernels=drop_weights(weights.kernels, rate, subkey(key, 1)))


def _step(cell: Cell, weights: RecurrentWeights, state: Carry, projected: Array, key: Array | None) -> tuple[Carry, Array]:
    shares = jax.tree.map(lambda share: share[0], cell.zoneout_shares(key, 1, projected.shape[0]))
    inputs = TimeInputs(projected, zoneout=shares)
    return advance(cell.recurrence, weights.vectors, lambda k, a: multiply(a, weights.kernels[k]), state, inputs)
