"""The long short-term memory."""

from typing import Unpack

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.nn.cells.base import Cell, CellOptions
from seqnets.ops.recurrent import LSTM, Function, LSTMState, Recurrence, Vectors, with_functions, with_layer_norm


class LSTMCell(Cell):
    """The long short-term memory with forget gates, gates in the order i, f, g, o.

    i, f, o = sigmoid(W x_t + U h_{t-1} + b), g = tanh(...); c_t = f c_{t-1} + i g; h_t = o tanh(c_t).

    Args:
        in_features: F.
        hidden_features: H.
        forget_bias: initial value of the forget gate's bias; 1 lets gradients flow from the first step. None for 1, or for
            the value that `bias_init` gives.
        layer_norm: also normalizes the cell before the output's tanh.
        zoneout: one rate, or two: for the cell and for the hidden state.
        gate_fn, activation_fn: replace the sigmoid and tanh; such a cell runs on the portable backends.
        rngs, **options: see `Cell`.

    Raises:
        UserError: a size is not positive, or zoneout is outside [0, 1).

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> cell = LSTMCell(3, 5, rngs=nnx.Rngs(0))
        >>> state, output = cell(cell.initialize_carry((2, 3)), jnp.ones((2, 3)))
        >>> state.cell.shape, bool((state.hidden == output).all())
        ((2, 5), True)

    References:
        Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997.
        Gers, Schmidhuber, Cummins, "Learning to Forget", 2000.
        Jozefowicz, Zaremba, Sutskever, "An Empirical Exploration of Recurrent Network Architectures", 2015 (forget bias).
    """

    carry_parts = 2

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        forget_bias: float | None = None,
        gate_fn: Function | None = None,
        activation_fn: Function | None = None,
        rngs: nnx.Rngs,
        **options: Unpack[CellOptions],
    ):
        self.gate_fn, self.activation_fn = gate_fn, activation_fn
        super().__init__(in_features, hidden_features, (hidden_features, 4 * hidden_features), rngs=rngs, **options)
        if forget_bias is None and options.get("bias_init") is None:
            forget_bias = 1.0
        if self.use_bias and forget_bias is not None:
            gates = self.bias[...].reshape(4, hidden_features)
            self.bias[...] = gates.at[1].set(forget_bias).reshape(-1)
        if self.layer_norm:
            self.cell_scale = nnx.Param(jnp.ones(hidden_features, self.param_dtype))
            self.cell_bias = nnx.Param(jnp.zeros(hidden_features, self.param_dtype))

    @property
    def recurrence(self) -> Recurrence:
        """`LSTM`, with this cell's functions."""
        return with_layer_norm(with_functions(LSTM, self.gate_fn, self.activation_fn), self.layer_norm)

    def recurrent_vectors(self) -> Vectors:
        """Return the gain and bias of the cell's normalization, if any."""
        if not self.layer_norm:
            return {}
        return {"cell_scale": self.cell_scale[...], "cell_bias": self.cell_bias[...]}

    def _carry_of(self, parts: list[Array]) -> LSTMState:
        return LSTMState(*parts)
