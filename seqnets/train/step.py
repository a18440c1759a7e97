"""One step of training, and several of them in one call of the device."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from seqnets.train.config import TrainConfig
from seqnets.train.cuda_graphs import compiler_options
from seqnets.train.mesh import Layout
from seqnets.train.optimizer import optimizer
from seqnets.train.schedules import learning_rate_schedule
from seqnets.train.selection import multipliers, trained
from seqnets.train.state import TrainState
from seqnets.train.task import Metrics, Task

Step = Callable[[TrainState, Any], tuple[TrainState, Metrics]]
Steps = Callable[[TrainState, Any, Any], tuple[TrainState, Metrics]]

_NORM_DECAY = 0.98
_STEPS_BEFORE_SPIKES = 20  # the first gradients are not representative of later ones


def make_step(task: Task, graphdef: nnx.GraphDef, config: TrainConfig) -> Step:
    """Return one step of training, as a traceable function: (state, batch) ->  (state, metrics).

    With the loss L, its gradient g, the learning rate a and the optimizer's direction d(g),

        w' = w - a(t) c d(g),    average' = m average + (1 - m) w',    m = min(averaging, (n + 1) / (n + 10)),

    where c is the parameter's multiplier and n counts the good steps, so that the average forgets the initial weights.
    Frozen parameters are not among the w. A step is bad if L or |g| is not finite, or |g| is more than `max_spike` times its
    running mean: then only the step count and the count of bad steps change. The key is fold_in(key(seed), step).
    """
    direction, rate = optimizer(config), learning_rate_schedule(config)
    gradient = jax.value_and_grad(_loss_of(task, graphdef, trained(task.model, config.freeze)), has_aux=True)

    def train_step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.key(config.seed), state.step)
        (loss, (rest, carry, figures)), grads = gradient(state.params, state.rest, batch, state.carry, key)
        norm, scale = optax.tree.norm(grads), rate(state.step) * state.plateau.scale
        updates, moments = direction.update(grads, state.optimizer, state.params)
        factors = multipliers(state.params, config.rate_multipliers)
        params = jax.tree.map(lambda w, d, c: (w - scale * c * d).astype(w.dtype), state.params, updates, factors)
        moved = state._replace(
            params=params, rest=rest, optimizer=moments, carry=carry, updates=state.updates + 1, bad_streak=jnp.int32(0)
        )._replace(average=_averaged(state, params, config.averaging), usual_norm=_usual(state, norm))
        good = jnp.isfinite(loss) & jnp.isfinite(norm) & ~_is_spike(state, norm, config.max_spike)
        stayed = state._replace(bad_streak=state.bad_streak + 1)
        state = jax.tree.map(lambda new, old: jnp.where(good, new, old), moved, stayed)
        return state._replace(step=state.step + 1), {
            **figures, "loss": loss, "gradient_norm": norm, "learning_rate": scale, "bad_streak": state.bad_streak
        }  # fmt: skip

    return train_step


def make_steps(step: Step, metrics: Any) -> Steps:
    """Return up to K steps in one loop on the device: (state, batches stacked to K, how many) -> (state, metrics).

    The count is an argument, so that a shorter dispatch needs no second compilation, and the loop's body is the
    same program whatever K is, so that K changes no bit of the result.

    Args:
        step: one step.
        metrics: the shapes and dtypes of one step's metrics; the loop returns K of each, zero past the count.
    """

    def train_steps(state: TrainState, batches: Any, count: Any) -> tuple[TrainState, Metrics]:
        size = jax.tree.leaves(batches)[0].shape[0]
        empty = jax.tree.map(lambda metric: jnp.zeros((size, *metric.shape), metric.dtype), metrics)

        def body(i: jax.Array, held: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
            state, record = step(held[0], jax.tree.map(lambda array: array[i], batches))
            return state, jax.tree.map(lambda array, value: array.at[i].set(value), held[1], record)

        return jax.lax.fori_loop(0, count, body, (state, empty))

    return train_steps


def compile_steps(
    task: Task, graphdef: nnx.GraphDef, config: TrainConfig, state: TrainState, batches: Any, layout: Layout | None = None
) -> Any:
    """Compile the steps once, ahead of time, for a state (donated) and stacked batches, as placed on the devices."""
    step = make_step(task, graphdef, config)
    metrics = jax.eval_shape(step, state, jax.tree.map(lambda array: array[0], batches))[1]
    options = compiler_options(config.cuda_graphs)
    compiled = partial(jax.jit, make_steps(step, metrics), donate_argnums=0, compiler_options=options)
    if layout is None or layout.mesh is None:
        return compiled().lower(state, batches, jnp.int32(1)).compile()
    with jax.set_mesh(layout.mesh):
        divided = compiled(out_shardings=(layout.shardings(state), layout.replicated(metrics)))
        return divided.lower(state, batches, jax.ShapeDtypeStruct((), jnp.int32)).compile()


def _loss_of(task: Task, graphdef: nnx.GraphDef, parameters: Any) -> Callable[..., Any]:
    def loss_of(params: Any, rest: Any, batch: Any, carry: Any, key: jax.Array) -> Any:
        # new variables, which are mutable at this level of tracing
        model = nnx.merge(graphdef, params, jax.tree.map(lambda array: array, rest))
        loss, (carry, figures) = task.loss(model, batch, carry, key)
        return loss, (nnx.state(model, nnx.Not(parameters)), carry, figures)

    return loss_of


def _usual(state: TrainState, norm: jax.Array) -> jax.Array:
    count = state.updates.astype(jnp.float32)
    kept = jnp.minimum(_NORM_DECAY, count / (count + 1))
    return kept * state.usual_norm + (1 - kept) * norm.astype(jnp.float32)


def _is_spike(state: TrainState, norm: jax.Array, factor: float) -> jax.Array:
    if not factor:
        return jnp.bool_(False)
    return (state.updates >= _STEPS_BEFORE_SPIKES) & (norm > factor * state.usual_norm)


def _averaged(state: TrainState, params: Any, decay: float) -> Any:
    count = state.updates.astype(jnp.float32)
    kept = jnp.minimum(decay, (count + 1) / (count + 10))
    return jax.tree.map(lambda mean, w: (kept * mean + (1 - kept) * w).astype(w.dtype), state.average, params if decay else ())
