"""The base of all cells."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx.nn import dtypes
from jax import Array
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from seqnets import settings
from seqnets.errors import UserError
from seqnets.nn.initializers import gate_blocks, input_kernel, recurrent_kernel
from seqnets.nn.regularize import zoneout_shares
from seqnets.ops import arguments
from seqnets.ops.linear import affine, layer_norm, multiply
from seqnets.ops.recurrent import Carry, Recurrence, RecurrentWeights, Vectors, hidden_of
from seqnets.ops.timestep import TimeInputs, advance

PromoteDtype = Callable[..., tuple[Any, ...]]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class CellOptions(TypedDict, total=False):
    """The options of every cell; see `Cell`."""

    kernel_init: Initializer
    recurrent_kernel_init: Initializer
    use_bias: bool
    bias_init: Initializer | None
    carry_init: Initializer | None
    layer_norm: bool
    zoneout: float | Sequence[float]
    dtype: DTypeLike | None
    param_dtype: DTypeLike
    promote_dtype: PromoteDtype | None
    kernel_metadata: Mapping[str, Any]
    recurrent_kernel_metadata: Mapping[str, Any]
    bias_metadata: Mapping[str, Any]


class Cell(nnx.RNNCellBase):
    """The base of all cells: the input projection, the step, the carry.

    Args:
        in_features: F, the size of one input.
        hidden_features: H, the size of one output.
        recurrent_shape: the shape of the recurrent kernel; None for a cell without one.
        kernel_init: initializer of the kernel `(F, gates * H)`, used gate by gate.
        recurrent_kernel_init: initializer of one `(H, H)` block of the recurrent kernel.
        use_bias: whether the cell has biases; without them, settings such as a forget bias have no effect.
        bias_init: initializer of the bias `(gates * H,)`; None for zeros and the cell's own initial gate biases.
        carry_init: initializer of the carry before the first step; None for zeros.
        layer_norm: normalize the contributions of input and state separately (Ba et al., 2016).
        zoneout: the share of the old state that stays, one rate for each part of the carry (Krueger et al., 2017).
        dtype: precision of the matrix products; the carry stays in `param_dtype`.
        param_dtype: precision of the weights.
        promote_dtype: as in Flax, a function `((x, kernel, bias or None), dtype=dtype)` that returns the three in the precision
            of their product. None, or Flax's own, for what `dtype` says; a cell with another one is run step by step, like a
            cell of another library.
        kernel_metadata: keywords for the `nnx.Param` of the kernel, such as `out_sharding`.
        recurrent_kernel_metadata: the same for the recurrent kernel.
        bias_metadata: the same for the biases of H or gates * H numbers.
        rngs: source of the initial weights (stream `params`).

    Raises:
        UserError: a size is not positive, a zoneout rate is outside [0, 1), or `promote_dtype` comes with layer norm or zoneout.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        recurrent_shape: tuple[int, ...] | None,
        *,
        kernel_init: Initializer = input_kernel,
        recurrent_kernel_init: Initializer = recurrent_kernel,
        use_bias: bool = True,
        bias_init: Initializer | None = None,
        carry_init: Initializer | None = None,
        layer_norm: bool = False,
        zoneout: float | Sequence[float] = 0.0,
        dtype: DTypeLike | None = None,
        param_dtype: DTypeLike = jnp.float32,
        promote_dtype: PromoteDtype | None = None,
        kernel_metadata: Mapping[str, Any] = NOTHING,
        recurrent_kernel_metadata: Mapping[str, Any] = NOTHING,
        bias_metadata: Mapping[str, Any] = NOTHING,
        rngs: nnx.Rngs,
    ):
        check_sizes(in_features=in_features, hidden_features=hidden_features)
        self.in_features = in_features
        self.hidden_features = hidden_features
        self.use_bias = use_bias
        self.carry_init = carry_init
        self.layer_norm = layer_norm
        self.zoneout = _zoneout_rates(zoneout, self.carry_parts)
        self.dtype = param_dtype if dtype is None else dtype
        self.param_dtype = param_dtype
        own = promote_dtype in (None, dtypes.promote_dtype)
        self.promote_dtype = None if own else partial(promote_dtype, dtype=dtype)
        if self.promote_dtype and (layer_norm or any(self.zoneout)):
            raise UserError("a cell with layer norm or zoneout takes no promote_dtype; give it a dtype")
        width = self.recurrence.gates * hidden_features
        kernel = gate_blocks(kernel_init, hidden_features)(rngs.params(), (in_features, width), param_dtype)
        self.kernel = nnx.Param(kernel, **kernel_metadata)
        if recurrent_shape:
            kernel = gate_blocks(recurrent_kernel_init, hidden_features)(rngs.params(), recurrent_shape, param_dtype)
            self.recurrent_kernel = nnx.Param(kernel, **recurrent_kernel_metadata)
        if use_bias:
            bias = jnp.zeros(width, param_dtype) if bias_init is None else bias_init(rngs.params(), (width,), param_dtype)
            self.bias = nnx.Param(bias, **bias_metadata)
        if layer_norm:
            self.input_scale = nnx.Param(jnp.ones(width, param_dtype))
            self.recurrent_scale = nnx.List(
                [nnx.Param(jnp.ones(kernel.shape[1], param_dtype)) for kernel in self.recurrent_kernels()]
            )

    carry_parts = 1

    @property
    @abstractmethod
    def recurrence(self) -> Recurrence:
        """The arithmetic of this cell, as data."""

    @property
    def num_feature_axes(self) -> int:
        """One: the last axis of the input holds its features."""
        return 1

    def recurrent_kernels(self) -> tuple[Array, ...]:
        """Return the recurrent kernel as the matrices that the recurrence multiplies by."""
        return (jnp.asarray(self.recurrent_kernel[...]),) if hasattr(self, "recurrent_kernel") else ()

    def input_bias(self) -> Array:
        """Return the bias `(gates * H,)`; zeros where the cell has none."""
        width = self.recurrence.gates * self.hidden_features
        return self.bias[...] if self.use_bias else jnp.zeros(width, self.param_dtype)

    def recurrent_vectors(self) -> Vectors:
        """Return the biases and gains that take part in every step."""
        return {}

    def weights(self) -> RecurrentWeights:
        """Return the weights for `seqnets.ops.over_time`, with kernels in the precision of the products."""
        vectors = self.recurrent_vectors()
        if self.layer_norm:
            vectors["recurrent_scale"] = tuple(scale[...] for scale in self.recurrent_scale)
        kernels = self.recurrent_kernels()
        return RecurrentWeights(kernels if self.promote_dtype else tuple(k.astype(self.dtype) for k in kernels), vectors)

    def project(self, x: Array) -> Array:
        """Return the part that depends only on the input: W x + b for every gate, `(..., F)` -> `(..., gates * H)`."""
        x = self._checked(arguments.real_array("inputs", x))
        if self.promote_dtype:
            return affine(*self.promote_dtype((x, self.kernel[...], self.input_bias() if self.use_bias else None)))
        x = x.astype(self.dtype)
        if not self.layer_norm:
            return affine(x, self.kernel[...], self.input_bias())
        product = multiply(x, self.kernel[...].astype(self.dtype))
        return layer_norm(product.astype(self.param_dtype), self.input_scale[...], self.input_bias()).astype(self.dtype)

    def stepper(self) -> Callable[[Carry, Array], tuple[Carry, Array]]:
        """Return `step` with the weights prepared, for loops that should not prepare them at every step."""
        recurrence = self.recurrence
        weights = arguments.weights_of(recurrence, self.weights(), self.hidden_features, jnp.dtype(self.param_dtype))
        shares = jax.tree.map(lambda share: share[0], self.zoneout_shares(None))

        def step(carry: Carry, projected: Array) -> tuple[Carry, Array]:
            carry = arguments.single_step(recurrence, carry, projected, self.hidden_features)
            if self.promote_dtype:
                return self._promoted_step(weights, carry, projected)
            inputs = TimeInputs(projected, zoneout=shares)
            return advance(recurrence, weights.vectors, lambda k, a: multiply(a, weights.kernels[k]), carry, inputs)

        return step

    def _promoted_step(self, weights: RecurrentWeights, carry: Carry, projected: Array) -> tuple[Carry, Array]:
        def product(k: int, a: Array) -> Array:
            return affine(*self.promote_dtype((a, weights.kernels[k], None)))  # pyright: ignore[reportOptionalCall]

        vectors = jax.tree.map(lambda vector: vector.astype(projected.dtype), weights.vectors)
        after = self.recurrence.step(vectors, product, carry, projected)
        return after, hidden_of(after)

    def step(self, carry: Carry, projected: Array) -> tuple[Carry, Array]:
        """Take one step: `(carry, (B, gates * H))` -> `(carry, (B, H))`. Zoneout takes its expectation, as in inference."""
        return self.stepper()(carry, projected)

    def __call__(self, carry: Carry, inputs: Array) -> tuple[Carry, Array]:
        """Take one step from the raw input: `(carry, (B, F))` -> `(carry, (B, H))`."""
        return self.step(carry, self.project(inputs))

    def initialize_carry(
        self, input_shape: tuple[int, ...], rngs: nnx.Rngs | nnx.RngStream | None = None, carry_init: Initializer | None = None
    ) -> Carry:
        """Return the carry before the first step: zeros unless `carry_init`, here or of the cell, says otherwise.

        Args:
            input_shape: the shape of one step's input, `(B, F)`.
            rngs: needed only for a `carry_init`.
            carry_init: an initializer; None for the cell's own.

        Raises:
            UserError: there is an initializer but no `rngs`.
        """
        carry_init = self.carry_init if carry_init is None else carry_init
        shape = (*input_shape[:-1], self.hidden_features)
        if carry_init is None:
            return self._carry_of([jnp.zeros(shape, self.param_dtype) for _ in range(self.carry_parts)])
        if rngs is None:
            raise UserError("initialize_carry got a carry_init but no rngs; pass rngs=nnx.Rngs(0)")
        draw = rngs.carry if isinstance(rngs, nnx.Rngs) else rngs
        return self._carry_of([carry_init(draw(), shape, self.param_dtype) for _ in range(self.carry_parts)])

    def zoneout_shares(self, key: Array | None, steps: int = 1, batch: int = 1) -> Carry | None:
        """Return the shares of the old state that stay: masks when a key is given, else their expectation.

        Args:
            key: a JAX key, or None for inference.
            steps: T.
            batch: B.

        Returns:
            Leaves `(T, B, H)` or `(1, 1, 1)` in the structure of the carry, or None without zoneout.
        """
        if not any(self.zoneout):
            return None
        return self._carry_of(zoneout_shares(self.zoneout, key, (steps, batch, self.hidden_features), self.param_dtype))

    def _carry_of(self, parts: list[Array]) -> Carry:
        return parts[0]

    def _checked(self, x: Array) -> Array:
        name, width = type(self).__name__, self.recurrence.gates * self.hidden_features
        if x.shape[-1:] != (self.in_features,):
            raise UserError(f"{name} was built for inputs of {self.in_features} features, not of the shape {x.shape}")
        bias = self.input_bias()
        if (self.kernel.shape, bias.shape) != ((self.in_features, width), (width,)):
            raise UserError(
                f"the kernel and bias of this {name} must have the shapes {(self.in_features, width)} and {(width,)}, "
                f"not {self.kernel.shape} and {bias.shape}"
            )
        return x


def is_as_stated(cell: nnx.RNNCellBase) -> bool:
    """Whether a cell computes its `recurrence`: a cell of seqnets whose step no subclass and no `promote_dtype` changed.

    Example:
        >>> is_as_stated(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0)))
        False
    """
    own = ("__call__", "step", "stepper")
    if not isinstance(cell, Cell) or cell.promote_dtype:
        return False
    return all(getattr(type(cell), name) is getattr(Cell, name) for name in own)


def check_sizes(**sizes: int) -> None:
    """Refuse a size below one, naming it."""
    for name, size in sizes.items():
        settings.whole(name, size, settings.POSITIVE)


def choice(name: str, value: Any, table: Mapping) -> Any:
    """Refuse a value that is not a key of the table."""
    return settings.choice(name, value, table)


def _zoneout_rates(zoneout: float | Sequence[float], parts: int) -> tuple[float, ...]:
    rates = tuple(zoneout) if isinstance(zoneout, Sequence) else (float(zoneout),) * parts
    if len(rates) != parts or not all(0 <= rate < 1 for rate in rates):
        several = f"{parts} such rate{'s' * (parts > 1)}"
        raise UserError(f"zoneout must be {settings.RATE}, or {several} for this cell, not {zoneout!r}")
    return rates
