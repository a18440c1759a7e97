"""The recurrent encoder that all sequence models share."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.models.recurrent_layers import drop_steps, make_stack
from seqnets.models.sequence.config import RecurrentConfig
from seqnets.ops.lookup import take_rows
from seqnets.ops.recurrent import LSTMState


class Embedding(nnx.Module):
    """A vector for every token.

    Args:
        vocabulary: the V tokens, with a number for the `unknown` token.
        config: `embedding_features` is F; with a key, `unknown_rate` of the tokens are read as unknown.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> from seqnets.data.words.token_table import TokenTable
        >>> embed = Embedding(TokenTable(("a", "b")), RecurrentConfig(embedding_features=3), rngs=nnx.Rngs(0))
        >>> embed(jnp.zeros((2, 4), jnp.int32)).shape
        (2, 4, 3)
    """

    def __init__(self, vocabulary: Any, config: RecurrentConfig, *, rngs: nnx.Rngs):
        shape = (len(vocabulary), config.embedding_features)
        self.table = nnx.Param(jax.random.normal(rngs.params(), shape, jnp.float32) * shape[1] ** -0.5)
        self.unknown = vocabulary.unknown
        self.unknown_rate = config.unknown_rate

    def __call__(self, tokens: Array, key: Array | None = None) -> Array:
        """Look tokens up: integers `(...)` to `(..., F)`."""
        if key is not None and self.unknown_rate:
            tokens = jnp.where(jax.random.bernoulli(key, self.unknown_rate, tokens.shape), self.unknown, tokens)
        return take_rows(self.table[...], tokens)


class RecurrentEncoder(nnx.Module):
    """Recurrent layers over whole sequences, in one or both directions.

    Args:
        in_features: F, the features of one step of the input.
        config: the shape.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> encoder = RecurrentEncoder(3, RecurrentConfig(cell="gru", hidden_features=4), rngs=nnx.Rngs(0))
        >>> outputs, last = encoder(jnp.ones((2, 5, 3)), lengths=jnp.array([5, 2]))
        >>> outputs.shape, last.shape, outputs[1, 2:].any().item()
        ((2, 5, 8), (2, 8), False)

    References:
        Schuster, Paliwal, "Bidirectional Recurrent Neural Networks", 1997.
    """

    def __init__(self, in_features: int, config: RecurrentConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.rnn = make_stack(config, in_features, bidirectional=config.bidirectional, rngs=rngs)

    def __call__(self, inputs: Array, *, lengths: Array | None = None, key: Array | None = None) -> tuple[Array, Array]:
        """Read sequences.

        Args:
            inputs: `(B, T, F)`.
            lengths: `(B,)` integers; inputs beyond them have no effect.
            key: a JAX key that turns on dropout; None for inference.

        Returns:
            The outputs `(B, T, D)`, zero beyond the lengths, and `(B, D)`, the final hidden state of each direction.
        """
        first, rest = (None, None) if key is None else jax.random.split(key)
        x = drop_steps(self.config, inputs, self.config.inputs_rate, first)
        carry, outputs = self.rnn(x, lengths=lengths, key=rest, return_carry=True)
        return outputs, _last_hidden(carry[-1])


def _last_hidden(carry: Any) -> Array:
    if isinstance(carry, LSTMState):
        return carry.hidden
    return jnp.concatenate([_last_hidden(half) for half in carry], axis=-1) if isinstance(carry, tuple) else carry
