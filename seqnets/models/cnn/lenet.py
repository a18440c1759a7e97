"""LeNet-5, which reads digits.

References:
    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from seqnets.models.cnn.heads import classifier
from seqnets.models.cnn.network import ConvNet
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.dense import Dense, Flatten
from seqnets.nn.pool import AveragePool, MaxPool

VARIANTS: dict[str, dict[str, Any]] = {
    "lenet5": {"activation": jnp.tanh, "pool": AveragePool},
    "lenet5_relu": {"activation": jax.nn.relu, "pool": MaxPool},
}


def lenet(
    *,
    classes: int = 10,
    in_channels: int = 1,
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh,
    pool: type[AveragePool] | type[MaxPool] = AveragePool,
    padding: int = 2,
    features: tuple[int, int] = (6, 16),
    hidden_features: tuple[int, int] = (120, 84),
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
) -> ConvNet:
    """Build LeNet-5 for images of 28 x 28, or of 32 x 32 with `padding=0`.

    This is the usual modern form: the second convolution sees all six maps, pooling has no parameters, and the output is
    a linear layer.

    Args:
        classes: size of the logits; 0 for the pooled features in their place.
        in_channels: channels of the images.
        activation: after every convolution and hidden layer.
        pool: the class of the 2 x 2 pooling layers.
        padding: rings of zeros around the image.
        features: of the two convolutions.
        hidden_features: of the two hidden layers.
        dtype: of the arithmetic.
        rngs: `params` is used.

    Example:
        >>> from seqnets.models.cnn.network import feature_shapes
        >>> make = lambda: lenet(rngs=nnx.Rngs(0))
        >>> feature_shapes(make, (28, 28, 1))
        {'stage1': (28, 28, 6), 'stage2': (10, 10, 16), 'pool': (5, 5, 16), 'fc5': (120,), 'fc6': (84,), 'logits': (10,)}
    """
    (c1, c3), (c5, f6) = features, hidden_features
    stages = {
        "stage1": Chain([Conv(in_channels, c1, 5, padding=padding, rngs=rngs), activation]),
        "stage2": Chain([pool(2), Conv(c1, c3, 5, rngs=rngs), activation]),
        "pool": pool(2),
        "fc5": Chain([Flatten(), Dense(25 * c3, c5, rngs=rngs), activation]),
        "fc6": Chain([Dense(c5, f6, rngs=rngs), activation]),
        "logits": classifier(f6, classes, rngs=rngs),
    }
    return ConvNet(stages, in_channels=in_channels, dtype=dtype)
