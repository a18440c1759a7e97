"""The base of every convolutional network: named stages in sequence, and auxiliary heads."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.errors import UserError
from seqnets.nn.chain import apply, subkey

if TYPE_CHECKING:
    from seqnets.data.images.preprocessing import Preprocessing

Features = dict[str, jax.Array]


class ConvNet(nnx.Module):
    r"""Run images through named stages and return the output of each.

    $$ x_l = f_l(x_{l-1}), \qquad \text{features} = \{name_l: x_l\} $$

    The last stage is called `logits`. A stage is an attribute under its own name, so that parameter paths begin with the
    names of the features: `model.stage1`, `stage1.0.conv1.kernel`. `preprocessing` is the rule that turns images into
    the x that the weights were trained on, and `labels` are the names of the classes; both are None if unknown. `family`
    is the builder's family in `seqnets.models.registry`, which decides the names its weights may have; None for a network
    built by hand. `config` is the `ClassifierConfig` of a network that `make_classifier` made.

    Args:
        stages: name to layer, in order; the last is `logits`.
        auxiliary_heads: name to (the stage it reads, layer): auxiliary classifiers, run in training only.
        in_channels: channels of the images.
        dtype: dtype of the arithmetic; parameters, batch statistics and logits are float32.

    Raises:
        UserError: the images are not [B, H, W, in_channels].

    Example:
        >>> from seqnets.nn.chain import Chain
        >>> from seqnets.nn.dense import Dense
        >>> from seqnets.nn.pool import GlobalAveragePool
        >>> head = Dense(3, 10, rngs=nnx.Rngs(0))
        >>> model = ConvNet({"stage1": jax.nn.relu, "pool": GlobalAveragePool(), "logits": head})
        >>> {name: feature.shape for name, feature in model(jnp.ones((2, 8, 8, 3))).items()}
        {'stage1': (2, 8, 8, 3), 'pool': (2, 3), 'logits': (2, 10)}
    """

    def __init__(
        self,
        stages: Mapping[str, Any],
        *,
        auxiliary_heads: Mapping[str, tuple[str, Any]] | None = None,
        in_channels: int = 3,
        dtype: DTypeLike = jnp.float32,
    ):
        auxiliary_heads = auxiliary_heads or {}
        for name, layer in stages.items():
            setattr(self, name, layer)
        for name, (_, layer) in auxiliary_heads.items():
            setattr(self, name, layer)
        self.feature_names = tuple(stages)
        self.auxiliary_taps = tuple((name, tap) for name, (tap, _) in auxiliary_heads.items())
        self.in_channels = in_channels
        self.dtype = jnp.dtype(dtype)
        self.preprocessing: Preprocessing | None = None
        self.labels: tuple[str, ...] | None = None
        self.family: str | None = None
        self.config: Any = None

    def __call__(self, x: jax.Array, *, train: bool = False, key: jax.Array | None = None) -> Features:
        """Compute all features of images.

        Args:
            x: [B, H, W, in_channels]; cast to the network's dtype.
            train: use the statistics of the batch, update the running ones, and run the auxiliary heads.
            key: turns on dropout and similar noise; None leaves it out.

        Returns:
            Name to array: [B, H', W', C] from the stages in the network's dtype, [B, classes] under `logits` (and the
            auxiliary heads' names) in float32.
        """
        self._check(x)
        x = x.astype(self.dtype)
        features = {}
        for index, name in enumerate(self.feature_names):
            features[name] = x = apply(getattr(self, name), x, train=train, key=subkey(key, index))
        features["logits"] = _widen(features["logits"])
        return features | self._side_logits(features, key) if train else features

    def _side_logits(self, features: Features, key: jax.Array | None) -> Features:
        first = len(self.feature_names)
        return {
            name: _widen(apply(getattr(self, name), features[tap], train=True, key=subkey(key, first + index)))
            for index, (name, tap) in enumerate(self.auxiliary_taps)
        }

    def _check(self, x: jax.Array) -> None:
        if x.ndim != 4 or x.shape[-1] != self.in_channels:
            raise UserError(f"x has shape {x.shape}; this network takes images [B, H, W, {self.in_channels}]")


def feature_shapes(make: Callable[[], ConvNet], image_shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's features for one image without computing or storing anything.

    Args:
        make: makes the network.
        image_shape: (H, W, channels).

    Returns:
        Name to shape, without the batch axis.

    Example:
        >>> feature_shapes(lambda: ConvNet({"logits": jax.nn.relu}), (8, 8, 3))
        {'logits': (8, 8, 3)}
    """
    order: list[str] = []

    def trace() -> Features:
        features = make()(jnp.zeros((1, *image_shape)))
        order.extend(features)  # JAX sorts the keys of a traced function's result
        return features

    features = jax.eval_shape(trace)
    return {name: features[name].shape[1:] for name in order}


def _widen(logits: jax.Array) -> jax.Array:
    return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
