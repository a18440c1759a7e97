"""Everything that training changes, as one pytree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from seqnets.named_arrays import is_key
from seqnets.train.config import TrainConfig
from seqnets.train.optimizer import optimizer
from seqnets.train.schedules import plateau_rule
from seqnets.train.selection import freeze_norms, trained
from seqnets.train.task import Task


class TrainState(NamedTuple):
    """The content of a checkpoint. Keys and the position in the data follow from the seed and `step`.

    Args:
        step: steps taken, including bad ones, int32.
        params: the trained weights, an `nnx.State`.
        rest: the model's other variables (statistics of batch norm, frozen weights), an `nnx.State`.
        optimizer: optax's state.
        carry: the state carried from one batch to the next.
        average: the moving average of the weights; () without averaging.
        updates: good steps taken, int32.
        bad_streak: bad steps since the last good one, int32.
        usual_norm: running mean of the gradient's norm over good steps.
        plateau: optax's state of the plateau rule, whose `scale` multiplies the learning rate.
    """

    step: Any
    params: Any
    rest: Any
    optimizer: Any
    carry: Any
    average: Any
    updates: Any
    bad_streak: Any
    usual_norm: Any
    plateau: Any


def initial_state(task: Task, config: TrainConfig) -> tuple[nnx.GraphDef, TrainState]:
    """Split the task's model and return its definition and the state before the first step.

    The arrays are copies: the state is donated to the first step, and the model of the task does not change. Frozen
    weights are among the other variables, so that clipping, decay, moments and averaging do not affect them.

    Raises:
        UserError: `freeze` has a pattern that matches nothing.
    """
    model = freeze_norms(task.model, config.freeze) if config.freeze else task.model
    graphdef, params, rest = nnx.split(model, trained(model, config.freeze), ...)
    state = TrainState(
        step=np.int32(0),
        params=params,
        rest=rest,
        optimizer=optimizer(config).init(params),
        carry=task.initial_carry(config.batch_size),
        average=params if config.averaging else (),
        updates=np.int32(0),
        bad_streak=np.int32(0),
        usual_norm=np.float32(0),
        plateau=plateau_rule(config).init(jnp.float32(0)),
    )
    return graphdef, jax.tree.map(_own, state)


def evaluated_weights(state: TrainState) -> tuple[Any, Any]:
    """Return the weights that evaluation and export use, and the other variables."""
    return (state.average or state.params), state.rest


def observe(state: TrainState, config: TrainConfig, figure: float) -> TrainState:
    """Pass a validation figure (lower is better) to the plateau rule."""
    _, plateau = plateau_rule(config).update(optax.EmptyState(), state.plateau, value=jnp.float32(figure))
    return state._replace(plateau=jax.tree.map(jnp.asarray, plateau))


def _own(leaf: Any) -> jax.Array:
    return jax.random.clone(leaf) if is_key(leaf) else jnp.array(leaf, copy=True)
