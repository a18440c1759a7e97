"""Recurrent layers that cuDNN runs whole: which these are, and how they reach it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from seqnets.errors import UserError
from seqnets.nn.cells import LSTMCell
from seqnets.ops import arguments, self_check
from seqnets.ops.backends import cudnn
from seqnets.ops.backends.cudnn import Direction
from seqnets.ops.platform import default_platform
from seqnets.ops.recurrent import LSTMState

Result = TypeVar("Result")
Layers = Sequence[Sequence[Any]]  # of RNN: the one or two directions of each layer, lowest first


def refusal(layers: Layers, inputs: Array, *, resets: Array | None, key: Array | None, projected: bool) -> str | None:
    """Say why cuDNN cannot run these layers as one, or None if it can.

    Args:
        layers: the one or two directions of each layer, lowest first.
        inputs: `(B, T, F)` or `(T, B, F)`.
        resets: as the layers are called with them.
        key: a key that switches noise on, or None.
        projected: the inputs went through the input kernel.

    Example:
        >>> from flax import nnx
        >>> from seqnets.nn import GRUCell, RNN
        >>> layers = [[RNN(GRUCell(3, 5, rngs=nnx.Rngs(0)))]]
        >>> refusal(layers, jnp.ones((2, 7, 3)), resets=None, key=None, projected=False)
        'it has the LSTM only, and found GRUCell'
    """
    for rnn in (rnn for directions in layers for rnn in directions):
        if reason := _layer_refusal(rnn, key):
            return reason
    if resets is not None:
        return "it has no resets"
    if projected:
        return "it takes raw inputs, and these went through the input kernel already"
    if 0 in inputs.shape:
        return f"it needs at least one step and one row, and found the shape {inputs.shape}"
    if not _fits(layers, inputs.shape[-1]):
        return "its layers must be alike in size and direction, and each read what the one below puts out"
    return _platform_refusal()


def _fits(layers: Layers, features: int) -> bool:
    count, hidden = len(layers[0]), layers[0][0].cell.hidden_features
    for directions in layers:
        cells = [rnn.cell for rnn in directions]
        if len(cells) != count or any((cell.in_features, cell.hidden_features) != (features, hidden) for cell in cells):
            return False
        features = count * hidden
    return len(layers) == 1 or count == 2 or not any(rnn.reverse for (rnn,) in layers)


def _layer_refusal(rnn: Any, key: Array | None) -> str | None:
    cell = rnn.cell
    if type(cell) is not LSTMCell:
        return f"it has the LSTM only, and found {type(cell).__name__}"
    if cell.layer_norm or any(cell.zoneout):
        return f"it has no {'layer normalization' if cell.layer_norm else 'zoneout'}"
    if rnn.remat or (rnn.weight_dropout and key is not None):
        return f"it has no {'remat' if rnn.remat else 'weight dropout'}"
    if {jnp.dtype(cell.dtype), jnp.dtype(cell.param_dtype)} != {jnp.dtype("float32")}:
        return f"it computes in float32 only, and found {jnp.dtype(cell.dtype)}"
    return None


def _platform_refusal() -> str | None:
    if default_platform() != "cuda":
        return f"it runs on NVIDIA GPUs only, and JAX's default is {default_platform()}"
    if not jax.sharding.get_abstract_mesh().empty:
        return "it runs on one device, and a mesh is set"
    return self_check.refusal("cudnn") if cudnn.is_linked() else "this JAX came without it"


def chooses(layers: Layers, inputs: Array, **call: Any) -> bool:
    """Say whether cuDNN shall run these layers as one: it can, and each asks for it or leaves the choice open.

    Args:
        layers: the one or two directions of each layer, lowest first.
        inputs: `(B, T, F)` or `(T, B, F)`.
        **call: what the layers were called with; see `refusal`.

    Raises:
        UserError: for a single layer that asks for it and cannot have it.
    """
    backends = {rnn.backend for directions in layers for rnn in directions}
    if backends - {"auto", "cudnn"}:
        return False
    reason = refusal(layers, inputs, **call)
    if reason and backends == {"cudnn"} and len(layers) == len(layers[0]) == 1:
        raise UserError(f'backend "cudnn" cannot run this: {reason}; choose "auto" or "scan"')
    return not reason


def either(layers: Layers, inputs: Array, whole: Callable[[], Result], loop: Callable[[], Result]) -> Result:
    """Take cuDNN's way; where that was nobody's wish and the program may yet be lowered for another platform, leave both open.

    Args:
        layers: the one or two directions of each layer, lowest first.
        inputs: `(B, T, F)` or `(T, B, F)`.
        whole: cuDNN's way.
        loop: the other way, to the same result.
    """
    asked = any(rnn.backend == "cudnn" for directions in layers for rnn in directions)
    traced = any(isinstance(array, Tracer) for array in (inputs, *direction_of(layers[0][0].cell)))
    return whole() if asked or not traced else jax.lax.platform_dependent(cuda=whole, default=loop)


def run(layers: Layers, inputs: Array, starts: Any, lengths: Array | None) -> tuple[Array, list[list[LSTMState]]]:
    """Run layers that `refusal` has nothing against.

    Args:
        layers: the one or two directions of each layer, lowest first.
        inputs: `(B, T, F)`.
        starts: the states before the first step in the structure of `layers`; None is zeros.
        lengths: `(B,)` integers, or None.

    Returns:
        The outputs `(B, T, directions * H)`, and the states after the last step in the structure of `layers`.
    """
    cells = [rnn.cell for directions in layers for rnn in directions]
    given = [start for directions in starts for start in directions]
    outputs, last = cudnn.run(
        [direction_of(cell) for cell in cells],
        [_start(cell, inputs.shape[0], start) for cell, start in zip(cells, given, strict=True)],
        inputs.astype(jnp.float32),
        lengths=lengths,
        bidirectional=len(layers[0]) == 2,
        reverse=len(layers[0]) == 1 and layers[0][0].reverse,
    )
    in_turn = iter(last)
    return outputs, [[next(in_turn) for _ in directions] for directions in layers]


def _start(cell: LSTMCell, rows: int, carry: Any) -> LSTMState:
    if carry is None:
        return cell.initialize_carry((rows, cell.in_features))
    return arguments.state(cell.recurrence, carry, rows, cell.hidden_features, name="initial_carry")


def direction_of(cell: LSTMCell) -> Direction:
    """Return a cell's weights as cuDNN's."""
    return Direction(cell.kernel[...], cell.recurrent_kernel[...], cell.bias[...])
