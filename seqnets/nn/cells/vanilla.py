"""The simple recurrence."""

from typing import Literal, Unpack

from flax import nnx

from seqnets.nn.cells.base import Cell, CellOptions, choice
from seqnets.ops.recurrent import VANILLA, Function, Recurrence, vanilla, with_layer_norm


class VanillaCell(Cell):
    """The simple recurrence h_t = activation(W x_t + U h_{t-1} + b).

    Args:
        in_features: F.
        hidden_features: H.
        activation: "tanh" or "relu".
        activation_fn: any other function, in place of `activation`.
        rngs, **options: see `Cell`.

    Raises:
        UserError: the activation is unknown, a size is not positive, or zoneout is outside [0, 1).

    Example:
        >>> import jax.numpy as jnp
        >>> from flax import nnx
        >>> cell = VanillaCell(3, 5, rngs=nnx.Rngs(0))
        >>> carry, output = cell(cell.initialize_carry((2, 3)), jnp.ones((2, 3)))
        >>> output.shape
        (2, 5)

    References:
        Elman, "Finding Structure in Time", 1990.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        activation: Literal["tanh", "relu"] = "tanh",
        activation_fn: Function | None = None,
        rngs: nnx.Rngs,
        **options: Unpack[CellOptions],
    ):
        self.activation = choice("activation", activation, VANILLA)
        self.activation_fn = activation_fn
        super().__init__(in_features, hidden_features, (hidden_features, hidden_features), rngs=rngs, **options)

    @property
    def recurrence(self) -> Recurrence:
        """`VANILLA[activation]`, or that of `activation_fn`."""
        recurrence = vanilla(self.activation_fn) if self.activation_fn else VANILLA[self.activation]
        return with_layer_norm(recurrence, self.layer_norm)
