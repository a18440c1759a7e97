"""From the state to the probabilities of words."""

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.models.captioner.config import CaptionerConfig
from seqnets.models.recurrent_layers import drop_steps
from seqnets.nn.chain import subkey
from seqnets.nn.initializers import input_kernel
from seqnets.ops.linear import affine, along_last_axis


class WordOutput(nnx.Module):
    r"""The output layer, deep or plain.

    Deep: $L_o \tanh(E y_{t-1} + L_h h_t + L_z z_t + b) + b_o$; plain: $L_o h_t + b_o$.

    Args:
        words: V.
        features: D, the features of the context.
        config: the shape.
        rngs: source of the initial weights (stream `params`).

    References:
        Pascanu et al., "How to Construct Deep Recurrent Neural Networks", 2014.
        Xu et al., "Show, Attend and Tell", 2015.
    """

    def __init__(self, words: int, features: int, config: CaptionerConfig, *, rngs: nnx.Rngs):
        hidden, width = config.hidden_features, config.embedding_features
        self.deep, self.config = config.deep_output, config
        if self.deep:
            self.hidden_kernel = nnx.Param(input_kernel(rngs.params(), (hidden, width)))
            self.hidden_bias = nnx.Param(jnp.zeros(width, jnp.float32))
            if config.looks:
                self.context_kernel = nnx.Param(input_kernel(rngs.params(), (features, width)))
        self.kernel = nnx.Param(input_kernel(rngs.params(), (width if self.deep else hidden, words)))
        self.bias = nnx.Param(jnp.zeros(words, jnp.float32))

    def __call__(self, words: Array, hidden: Array, context: Array | None, key: Array | None = None) -> Array:
        """Return logits `(..., V)` float32.

        Args:
            words: vectors of the previous words `(..., E)`.
            hidden: `(..., H)`.
            context: the attention's context `(..., D)`; None without attention.
            key: a JAX key that turns on dropout.
        """
        x = drop_steps(self.config, hidden, self.config.dropout, subkey(key, 0))
        if self.deep:
            x = words + affine(x, self.hidden_kernel[...], self.hidden_bias[...])
            x = x if context is None else x + affine(context.astype(x.dtype), self.context_kernel[...])
            x = drop_steps(self.config, jnp.tanh(x), self.config.dropout, subkey(key, 1))
        return affine(x, self.kernel[...]).astype(jnp.float32) + along_last_axis(self.bias[...], x.ndim)
