"""From gradients to updates: clipping, then the optimizer with its weight decay."""

import optax

from seqnets import optimizers
from seqnets.train.config import TrainConfig


def optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """Return the transformation from a gradient to the direction of descent; the step scales it by the learning rate.

    The order is: clip elements, clip the global norm, then the optimizer with its weight decay. The step applies
    the learning rate, because its count also includes skipped updates.

    Example:
        >>> import jax.numpy as jnp
        >>> rule = optimizer(TrainConfig(optimizer="sgd", momentum=0.0, clip_norm=1.0))
        >>> direction, _ = rule.update({"kernel": jnp.array([3.0, 4.0])}, rule.init({"kernel": jnp.zeros(2)}))
        >>> [round(float(x), 3) for x in direction["kernel"]]
        [0.6, 0.8]
    """
    clips = [
        optax.clip(config.clip_value) if config.clip_value else optax.identity(),
        optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity(),
    ]
    return optax.chain(*clips, *optimizers.parts(config))
