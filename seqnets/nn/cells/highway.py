"""The recurrent highway network."""

from typing import Unpack

import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.nn.cells.base import Cell, CellOptions, check_sizes
from seqnets.ops.recurrent import Function, Recurrence, Vectors, highway, with_functions, with_layer_norm


class HighwayCell(Cell):
    """The recurrent highway network: `depth` highway layers at every step, carry gate coupled to the transform gate.

    s_0 = h_{t-1}; s_l = t_l tanh(...) + (1 - t_l) s_{l-1} for l = 1 .. depth, the input entering at l = 1; h_t = s_depth.

    Args:
        in_features: F.
        hidden_features: H.
        depth: highway layers per step, at least 1.
        carry_bias: initial bias of each layer toward carrying its input; the transform gates' bias begins at -carry_bias.
        gate_fn, activation_fn: replace the sigmoid and tanh; such a cell runs on the portable backends.
        rngs, **options: see `Cell`.

    Raises:
        UserError: a size or the depth is not positive, or zoneout is outside [0, 1).

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> cell = HighwayCell(3, 5, depth=2, rngs=nnx.Rngs(0))
        >>> cell.recurrent_kernel.shape
        (2, 5, 10)

    References:
        Zilly, Srivastava, Koutník, Schmidhuber, "Recurrent Highway Networks", 2017.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        depth: int = 2,
        carry_bias: float = 2.0,
        gate_fn: Function | None = None,
        activation_fn: Function | None = None,
        rngs: nnx.Rngs,
        **options: Unpack[CellOptions],
    ):
        check_sizes(depth=depth)
        self.depth = depth
        self.gate_fn, self.activation_fn = gate_fn, activation_fn
        super().__init__(in_features, hidden_features, (depth, hidden_features, 2 * hidden_features), rngs=rngs, **options)
        if self.use_bias:
            start = jnp.zeros((depth, 2, hidden_features), self.param_dtype).at[:, 1].set(-carry_bias).reshape(depth, -1)
            if options.get("bias_init") is None:
                self.bias[...] = start[0]
            self.depth_bias = nnx.Param(start[1:])

    @property
    def recurrence(self) -> Recurrence:
        """`highway(depth)`, with this cell's functions."""
        return with_layer_norm(with_functions(highway(self.depth), self.gate_fn, self.activation_fn), self.layer_norm)

    def recurrent_kernels(self) -> tuple[Array, ...]:
        """Return one kernel per highway layer."""
        return tuple(self.recurrent_kernel[...])

    def recurrent_vectors(self) -> Vectors:
        """Return the biases of the layers that do not see the input."""
        if not self.use_bias:
            return {"depth_bias": jnp.zeros((self.depth - 1, 2 * self.hidden_features), self.param_dtype)}
        return {"depth_bias": self.depth_bias[...]}
