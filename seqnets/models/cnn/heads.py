"""The ends of classifiers: from a map of features to logits."""

import jax
from flax import nnx

from seqnets.nn.chain import Chain
from seqnets.nn.dense import Dense, Flatten
from seqnets.nn.pool import GlobalAveragePool
from seqnets.nn.stochastic_depth import Dropout

Stages = dict[str, nnx.Module]


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
        "logits": Dense(features, classes, rngs=rngs),
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
        dropout_before: rate on what each hidden layer reads.
        dropout_after: rate on what each hidden layer gives.
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
        "logits": Dense(hidden_features, classes, rngs=rngs),
    }
