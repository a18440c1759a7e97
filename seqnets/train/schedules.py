"""The learning rate of each step."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from seqnets.train.config import TrainConfig

Schedule = Callable[[jax.Array], jax.Array]


def _constant(config: TrainConfig) -> optax.Schedule:
    return optax.constant_schedule(1.0)


def _cosine(config: TrainConfig) -> optax.Schedule:
    return optax.cosine_decay_schedule(1.0, max(1, config.decay_period - config.warmup_steps), alpha=config.floor)


def _exponential(config: TrainConfig, *, staircase: bool = False) -> optax.Schedule:
    if config.decay_rate == 1:  # optax uses the floor as the highest rate there
        return _constant(config)
    return optax.exponential_decay(1.0, config.decay_period, config.decay_rate, staircase=staircase, end_value=config.floor)


def _step(config: TrainConfig) -> optax.Schedule:
    return _exponential(config, staircase=True)


SHAPES = {"constant": _constant, "cosine": _cosine, "exponential": _exponential, "step": _step, "plateau": _constant}


def learning_rate_schedule(config: TrainConfig) -> Schedule:
    """Return the learning rate as a function of the step, before the plateau rule scales it.

        rate(t) = learning_rate * min(1, (t + 1) / W) * shape(max(0, t - W)),    W = warmup_steps

    The shapes fall from 1 to `floor`: cosine ends at `decay_steps`, exponential and step multiply by `decay_rate`
    every `decay_steps` steps, smoothly or at once.

    Example:
        >>> rate = learning_rate_schedule(TrainConfig(steps=100, learning_rate=1.0, schedule="cosine", warmup_steps=10))
        >>> [round(float(rate(step)), 3) for step in (0, 9, 55, 100)]
        [0.1, 1.0, 0.5, 0.0]
    """
    shape, warmup = SHAPES[config.schedule](config), config.warmup_steps

    def rate(step: jax.Array) -> jax.Array:
        rise = jnp.minimum(1.0, (step + 1) / max(1, warmup))
        return jnp.float32(config.learning_rate * rise * shape(jnp.maximum(0, step - warmup)))

    return rate


def plateau_rule(config: TrainConfig) -> optax.GradientTransformationExtraArgs:
    """Return optax's rule that scales the rate down when a figure to minimize has stopped improving."""
    # a relative tolerance would count equal negative figures (those to maximize) as improvements
    tolerance = {"rtol": 0.0, "atol": 1e-4}
    factor, patience = config.plateau_factor, config.plateau_patience
    return optax.contrib.reduce_on_plateau(factor=factor, patience=patience, min_scale=config.floor, **tolerance)
