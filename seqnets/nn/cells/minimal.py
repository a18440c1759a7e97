"""Minimal GRU and LSTM: gates that do not see the state, so that training runs over all steps at once."""

from typing import Literal, Unpack

import jax.numpy as jnp
from flax import nnx

from seqnets.nn.cells.base import Cell, CellOptions, choice
from seqnets.ops.recurrent import MIN_GRU, MIN_LSTM, Recurrence, with_layer_norm

Candidate = Literal["positive", "tanh", "identity"]


class MinGRUCell(Cell):
    """The minimal GRU h_t = (1 - z) h_{t-1} + z n, gates in the order z, n.

    z = sigmoid(W_z x_t + b_z), n = candidate(W_n x_t + b_n). There is no recurrent kernel: the state is a running mean
    of candidates, so layers are stacked to let them interact.

    Args:
        in_features: F.
        hidden_features: H.
        candidate: "positive" (x + 1/2 above 0, sigmoid(x) below), "tanh" or "identity".
        rngs, **options: see `Cell`.

    Raises:
        UserError: the candidate is unknown, a size is not positive, or zoneout is outside [0, 1).

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> cell = MinGRUCell(3, 5, rngs=nnx.Rngs(0))
        >>> cell(cell.initialize_carry((2, 3)), jnp.ones((2, 3)))[1].shape
        (2, 5)

    References:
        Feng et al., "Were RNNs All We Needed?", 2024.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        candidate: Candidate = "positive",
        rngs: nnx.Rngs,
        **options: Unpack[CellOptions],
    ):
        self.candidate = choice("candidate", candidate, MIN_GRU)
        super().__init__(in_features, hidden_features, None, rngs=rngs, **options)

    @property
    def recurrence(self) -> Recurrence:
        """`MIN_GRU[candidate]`."""
        return with_layer_norm(MIN_GRU[self.candidate], self.layer_norm)


class MinLSTMCell(Cell):
    """The minimal LSTM h_t = (f h_{t-1} + i n) / (f + i), gates in the order f, i, n.

    f, i = sigmoid(W x_t + b); n = candidate(W_n x_t + b_n). There is no recurrent kernel and no second state.

    Args:
        in_features: F.
        hidden_features: H.
        candidate: "positive" (x + 1/2 above 0, sigmoid(x) below), "tanh" or "identity".
        forget_bias: initial value of the forget gate's bias; None for 1, or for the value that `bias_init` gives.
        rngs, **options: see `Cell`.

    Raises:
        UserError: the candidate is unknown, a size is not positive, or zoneout is outside [0, 1).

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> cell = MinLSTMCell(3, 5, candidate="tanh", rngs=nnx.Rngs(0))
        >>> cell(cell.initialize_carry((2, 3)), jnp.ones((2, 3)))[1].shape
        (2, 5)

    References:
        Feng et al., "Were RNNs All We Needed?", 2024.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        candidate: Candidate = "positive",
        forget_bias: float | None = None,
        rngs: nnx.Rngs,
        **options: Unpack[CellOptions],
    ):
        self.candidate = choice("candidate", candidate, MIN_LSTM)
        super().__init__(in_features, hidden_features, None, rngs=rngs, **options)
        if forget_bias is None and options.get("bias_init") is None:
            forget_bias = 1.0
        if self.use_bias and forget_bias is not None:
            self.bias[...] = jnp.asarray(self.bias[...]).at[:hidden_features].set(forget_bias)

    @property
    def recurrence(self) -> Recurrence:
        """`MIN_LSTM[candidate]`."""
        return with_layer_norm(MIN_LSTM[self.candidate], self.layer_norm)
