"""From gradients to updates: clipping, weight decay and the optimizers, all from optax."""

from typing import Any

import jax
import optax

from seqnets.train.config import TrainConfig

Transform = optax.GradientTransformation


def _sgd(config: TrainConfig) -> list[Transform]:
    return [_l2(config), optax.trace(config.momentum, config.nesterov) if config.momentum else optax.identity()]


def _rmsprop(config: TrainConfig) -> list[Transform]:
    return [
        _l2(config),
        optax.scale_by_rms(config.beta2, config.epsilon, eps_in_sqrt=False),
        optax.trace(config.momentum, config.nesterov) if config.momentum else optax.identity(),
    ]


def _adam(config: TrainConfig) -> list[Transform]:
    return [_l2(config), optax.scale_by_adam(config.beta1, config.beta2, config.epsilon, nesterov=config.nesterov)]


def _adamw(config: TrainConfig) -> list[Transform]:
    return list(reversed(_adam(config)))


OPTIMIZERS = {"sgd": _sgd, "rmsprop": _rmsprop, "adam": _adam, "adamw": _adamw}


def optimizer(config: TrainConfig) -> Transform:
    """Return what turns a gradient into the direction of descent; the step scales it by the learning rate.

    The order is: clip elements, clip the global norm, then the optimizer with its weight decay. The learning rate
    is left to the step, whose count goes on when an update is left out.

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
    return optax.chain(*clips, *OPTIMIZERS[config.optimizer](config))


def decayed(params: Any) -> Any:
    """Say of each parameter whether weight decay applies: to kernels and embeddings, not to biases and scales.

    Example:
        >>> import numpy as np
        >>> decayed({"kernel": np.zeros((2, 2)), "bias": np.zeros(2), "scale": np.zeros(2)})
        {'bias': False, 'kernel': True, 'scale': False}
    """
    return jax.tree_util.tree_map_with_path(lambda path, leaf: leaf.ndim > 1 and not _is_offset(path), params)


def _is_offset(path: tuple[Any, ...]) -> bool:
    name = jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value").rpartition(".")[2]
    return name.endswith(("bias", "scale"))


def _l2(config: TrainConfig) -> Transform:
    return optax.add_decayed_weights(config.weight_decay, mask=decayed) if config.weight_decay else optax.identity()
