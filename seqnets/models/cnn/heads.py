"""The ends of classifiers: from a map of features to logits."""

import jax
from flax import nnx

from seqnets.errors import UserError
from seqnets.nn.chain import Chain
from seqnets.nn.conv import Conv
from seqnets.nn.dense import Dense, Flatten
from seqnets.nn.pool import GlobalAveragePool
from seqnets.nn.stochastic_depth import Dropout

Stages = dict[str, nnx.Module]


def classifier(features: int, classes: int, *, rngs: nnx.Rngs) -> Dense | Chain:
    """Make the dense layer that gives the logits; without classes, an identity, so that the logits are the features.

    Args:
        features: the number of input features.
        classes: size of the logits, or 0.
        rngs: `params` is used.

    Raises:
        UserError: the number of classes is negative.

    Example:
        >>> classifier(4, 0, rngs=nnx.Rngs(0))(jax.numpy.ones((1, 4))).shape
        (1, 4)
    """
    _check(classes)
    return Dense(features, classes, rngs=rngs) if classes else Chain([])


def class_maps(features: int, classes: int, *, rngs: nnx.Rngs) -> Chain:
    """Make the 1 x 1 convolution that gives a map for each class, to be averaged; without classes, an identity.

    Args:
        features: the number of input channels.
        classes: number of maps, or 0.
        rngs: `params` is used.

    Raises:
        UserError: the number of classes is negative.

    Example:
        >>> class_maps(4, 10, rngs=nnx.Rngs(0))(jax.numpy.ones((1, 2, 2, 4))).shape
        (1, 2, 2, 10)
    """
    _check(classes)
    return Chain([Conv(features, classes, 1, rngs=rngs), jax.nn.relu] if classes else [])


def _check(classes: int) -> None:
    if classes < 0:
        raise UserError(f"classes must be at least 1, or 0 for pooled features in place of logits, not {classes}")


def pooled_head(features: int, classes: int, *, dropout: float = 0.0, rngs: nnx.Rngs) -> Stages:
    """Average over the image, then one dense layer.

    Args:
        features: channels of the last map.
        classes: size of the logits.
        dropout: rate between the two.
        rngs: `params` is used.

    Example:
        >>> nnx.eval_shape(lambda: pooled_head(16, 10, rngs=nnx.Rngs(0))).keys()
        dict_keys(['logits', 'pool'])
    """
    return {
        "pool": Chain([GlobalAveragePool(), Dropout(dropout)]),
        "logits": classifier(features, classes, rngs=rngs),
    }


def dense_head(
    in_features: int,
    hidden_features: int,
    classes: int,
    *,
    dropout_before: float = 0.0,
    dropout_after: float = 0.0,
    rngs: nnx.Rngs,
) -> Stages:
    """Flatten the image, then two hidden dense layers and the classifier.

    Args:
        in_features: height x width x channels of the last map.
        hidden_features: of each hidden layer.
        classes: size of the logits.
        dropout_before: rate on the input of each hidden layer.
        dropout_after: rate on the output of each hidden layer.
        rngs: `params` is used.

    Example:
        >>> nnx.eval_shape(lambda: dense_head(16, 8, 10, rngs=nnx.Rngs(0))).keys()
        dict_keys(['fc6', 'fc7', 'logits'])
    """

    def hidden(size: int) -> list:
        dense = Dense(size, hidden_features, rngs=rngs)
        return [Dropout(dropout_before), dense, jax.nn.relu, Dropout(dropout_after)]

    return {
        "fc6": Chain([Flatten(), *hidden(in_features)]),
        "fc7": Chain(hidden(hidden_features)),
        "logits": classifier(hidden_features, classes, rngs=rngs),
    }
