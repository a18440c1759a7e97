"""The gated recurrent unit, in both its forms."""

from typing import Literal, Unpack

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.nn.cells.base import NOTHING, Cell, CellOptions, choice
from seqnets.ops.recurrent import GRU, Function, Recurrence, Vectors, with_functions, with_layer_norm


class GRUCell(Cell):
    """The gated recurrent unit in both its forms, gates in the order r, z, n.

    r, z = sigmoid(W x_t + U h_{t-1} + b); h_t = z h_{t-1} + (1 - z) n, where the candidate n is

    - `reset="after"` (cuDNN's and torch's): tanh(W x_t + b + r (U h_{t-1} + b_recurrent));
    - `reset="before"` (as first published): tanh(W x_t + b + U (r h_{t-1})).

    Args:
        in_features: F.
        hidden_features: H.
        reset: whether the reset gate acts before or after the recurrent product.
        gate_fn, activation_fn: replace the sigmoid and tanh; such a cell runs on the portable backends.
        rngs, **options: see `Cell`.

    Raises:
        UserError: `reset` is unknown, a size is not positive, or zoneout is outside [0, 1).

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> cell = GRUCell(3, 5, reset="before", rngs=nnx.Rngs(0))
        >>> cell(cell.initialize_carry((2, 3)), jnp.ones((2, 3)))[1].shape
        (2, 5)

    References:
        Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        reset: Literal["after", "before"] = "after",
        gate_fn: Function | None = None,
        activation_fn: Function | None = None,
        rngs: nnx.Rngs,
        **options: Unpack[CellOptions],
    ):
        self.reset = choice("reset", reset, GRU)
        self.gate_fn, self.activation_fn = gate_fn, activation_fn
        super().__init__(in_features, hidden_features, (hidden_features, 3 * hidden_features), rngs=rngs, **options)
        if reset == "after" and self.use_bias:
            bias = jnp.zeros(hidden_features, self.param_dtype)
            self.recurrent_bias = nnx.Param(bias, **options.get("bias_metadata", NOTHING))

    @property
    def recurrence(self) -> Recurrence:
        """`GRU[reset]`, with this cell's functions."""
        return with_layer_norm(with_functions(GRU[self.reset], self.gate_fn, self.activation_fn), self.layer_norm)

    def recurrent_kernels(self) -> tuple[Array, ...]:
        """Return one kernel, or two where the candidate's product must wait for the reset gate."""
        kernel = self.recurrent_kernel[...]
        if self.reset == "after":
            return (kernel,)
        return kernel[:, : 2 * self.hidden_features], kernel[:, 2 * self.hidden_features :]

    def recurrent_vectors(self) -> Vectors:
        """Return the candidate's recurrent bias, which only the form "after" has."""
        if self.reset == "before":
            return {}
        bias = self.recurrent_bias[...] if self.use_bias else jnp.zeros(self.hidden_features, self.param_dtype)
        return {"recurrent_bias": bias}
