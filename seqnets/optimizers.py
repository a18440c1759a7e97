"""Optimizers by name, all from optax: from a gradient to the direction of descent, without the learning rate.

A new one is one entry of `OPTIMIZERS`. Help lists the names without importing optax, so each entry takes it as an argument.
"""

from typing import TYPE_CHECKING, Any, Literal

OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda optax, at: [_decay(optax, at), _momentum(optax, at, at.nesterov)],
    "nesterov": lambda optax, at: [_decay(optax, at), _momentum(optax, at, True)],
    "adagrad": lambda optax, at: [_decay(optax, at), optax.scale_by_rss(0.0, at.epsilon)],
    "rmsprop": lambda optax, at: [
        _decay(optax, at),
        optax.scale_by_rms(at.beta2, at.epsilon, eps_in_sqrt=False),
        _momentum(optax, at, at.nesterov),
    ],
    "adam": lambda optax, at: [_decay(optax, at), _adam(optax, at)],
    "adamw": lambda optax, at: [_adam(optax, at), _decay(optax, at)],
    "lamb": lambda optax, at: [_adam(optax, at), _decay(optax, at), optax.scale_by_trust_ratio()],
    "lion": lambda optax, at: [optax.scale_by_lion(at.beta1, at.beta2), _decay(optax, at)],
    "adafactor": lambda optax, at: [
        optax.scale_by_factored_rms(),
        optax.clip_by_block_rms(1.0),
        optax.scale_by_param_block_rms(),
        _decay(optax, at),
    ],
    # -1, because optax multiplies by minus the rate here, and the step does so once more
    "muon": lambda optax, at: [
        optax.contrib.muon(-1.0, beta=at.momentum, eps=at.epsilon, adam_b1=at.beta1, adam_b2=at.beta2),
        _decay(optax, at),
    ],
}
"""Each returns the parts of its chain, made from settings such as `seqnets.train.config.TrainConfig`."""

if TYPE_CHECKING:
    OptimizerName = str
else:
    OptimizerName = Literal[tuple(OPTIMIZERS)]


def parts(settings: Any) -> list[Any]:
    """Return the gradient transformations of the optimizer that some settings name.

    Args:
        settings: with `optimizer`, `momentum`, `nesterov`, `beta1`, `beta2`, `epsilon` and `weight_decay`.

    Example:
        >>> from seqnets.train.config import TrainConfig
        >>> len(parts(TrainConfig(optimizer="lamb")))
        3
    """
    import optax

    return OPTIMIZERS[settings.optimizer](optax, settings)


def readers(setting: str) -> tuple[str, ...]:
    """Return the optimizers that read a setting, without importing optax.

    Example:
        >>> readers("momentum")
        ('sgd', 'nesterov', 'rmsprop', 'muon')
    """
    return tuple(name for name in OPTIMIZERS if setting in _traced(name)[1])


def with_decay_in_the_gradient() -> tuple[str, ...]:
    """Return the optimizers whose weight decay is part of the gradient (L2), because it comes first; for others it is decoupled.

    Example:
        >>> "adam" in with_decay_in_the_gradient(), "adamw" in with_decay_in_the_gradient()
        (True, False)
    """
    return tuple(name for name in OPTIMIZERS if _traced(name)[0][0].name == "add_decayed_weights")


def _traced(name: str) -> tuple[list[Any], set[str]]:
    """Return the parts of an optimizer's chain by their names, and the settings that it reads."""
    settings = _Reads()
    return OPTIMIZERS[name](_Named(), settings), settings.found


class _Named:
    """Stands for optax: every function of it returns itself, with its name."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __getattr__(self, name: str) -> "_Named":
        return _Named(name)

    def __call__(self, *_: Any, **__: Any) -> "_Named":
        return self


class _Reads:
    """Stands for settings that are all on, and remembers which were read."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def __getattr__(self, name: str) -> float:
        self.found.add(name)
        return 1.0


def decayed(params: Any) -> Any:
    """Return for each parameter whether weight decay applies: to kernels and embeddings, not to biases and scales.

    Example:
        >>> import numpy as np
        >>> decayed({"kernel": np.zeros((2, 2)), "bias": np.zeros(2), "scale": np.zeros(2)})
        {'bias': False, 'kernel': True, 'scale': False}
    """
    import jax

    def is_decayed(path: tuple[Any, ...], leaf: Any) -> bool:
        name = jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value").rpartition(".")[2]
        return leaf.ndim > 1 and not name.endswith(("bias", "scale"))

    return jax.tree_util.tree_map_with_path(is_decayed, params)


def _adam(optax: Any, at: Any) -> Any:
    return optax.scale_by_adam(at.beta1, at.beta2, at.epsilon, nesterov=at.nesterov)


def _momentum(optax: Any, at: Any, nesterov: bool) -> Any:
    return optax.trace(at.momentum, nesterov) if at.momentum else optax.identity()


def _decay(optax: Any, at: Any) -> Any:
    return optax.add_decayed_weights(at.weight_decay, mask=decayed) if at.weight_decay else optax.identity()
