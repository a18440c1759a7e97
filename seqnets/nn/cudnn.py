"""LSTM layers that cuDNN runs in one call."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.errors import UserError
from seqnets.nn.cells import LSTMCell
from seqnets.nn.rnn import RNN, initialize_carry
from seqnets.nn.stacked import BidirectionalRNN, StackedRNN
from seqnets.ops import arguments, self_check
from seqnets.ops.backends.gpu import cudnn
from seqnets.ops.backends.gpu.cudnn import Direction
from seqnets.ops.masking import flipped, without_padding
from seqnets.ops.platform import default_platform
from seqnets.ops.recurrent import LSTM

Layers = Sequence[Sequence[Any]]  # the one or two directions of each layer, lowest first


class CuDNN(nnx.Module):
    """LSTM layers run by cuDNN in one call, on an NVIDIA GPU; the weights stay in the layers.

    XLA's own loop, by which the layers run without this wrapper, was 1.2 to 1.5 times as fast on an H100
    (docs/reference/speed.md). The wrapper is for GPUs on which the loop is slower.

    Args:
        layer: an `RNN`, a `BidirectionalRNN` that concatenates, or a `StackedRNN` of layers of one size and kind, all of them
            around `LSTMCell`s in float32 without layer norm, noise or remat.
        return_carry: return `(carry, outputs)` instead of the outputs; by default as the layer does.

    Raises:
        UserError: cuDNN has no such layers; the message says what it lacks.

    Example:
        >>> from seqnets.nn import GRUCell
        >>> CuDNN(RNN(GRUCell(3, 5, rngs=nnx.Rngs(0))))
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: cuDNN cannot run this layer: it has only the LSTM, and found GRUCell; use it without CuDNN

    References:
        Appleyard, Kociský, Blunsom, "Optimizing performance of recurrent neural networks on GPUs", 2016.
    """

    def __init__(self, layer: RNN | BidirectionalRNN | StackedRNN, *, return_carry: bool | None = None):
        if reason := _refusal(layer):
            raise UserError(f"cuDNN cannot run this layer: {reason}; use it without CuDNN")
        self.layer = layer
        self.return_carry = layer.return_carry if return_carry is None else return_carry

    def __call__(
        self,
        inputs: Array,
        *,
        initial_carry: Any = None,
        seq_lengths: Array | None = None,
        lengths: Array | None = None,
        return_carry: bool | None = None,
    ) -> Any:
        """Run the layers; arguments and result as for the layer itself.

        Raises:
            UserError: as for the layer; also without an NVIDIA GPU, without steps, or under a mesh of devices.
        """
        layers = _directions(self.layer)
        inputs = arguments.as_array("inputs", inputs)
        if reason := _call_refusal(inputs):
            raise UserError(f"cuDNN cannot run this: {reason}; call the layer without CuDNN")
        lengths = arguments.one_of(lengths=lengths, seq_lengths=seq_lengths)
        lengths, _ = arguments.masks_of(inputs.shape, lengths, None, row_axis=0)
        cells = [rnn.cell for directions in layers for rnn in directions]
        starts = self._nested(initial_carry, layers)
        outputs, last = cudnn.run(
            [direction_of(cell) for cell in cells],
            [_start(cell, inputs.shape[0], start) for cell, start in zip(cells, starts, strict=True)],
            without_padding(inputs, lengths).astype(jnp.float32),
            lengths=lengths,
            bidirectional=len(layers[0]) == 2,
            reverse=len(layers[0]) == 1 and layers[0][0].reverse,
        )
        if len(layers) == len(layers[0]) == 1 and layers[0][0].reverse and not layers[0][0].keep_order:
            outputs = flipped(outputs.swapaxes(0, 1), lengths).swapaxes(0, 1)
        wants_carry = self.return_carry if return_carry is None else return_carry
        return (self._carry(last, layers), outputs) if wants_carry else outputs

    def _nested(self, carry: Any, layers: Layers) -> list[Any]:
        if carry is None:
            return [None] * sum(map(len, layers))
        stacked = isinstance(self.layer, StackedRNN)
        entries = arguments.entries(carry, len(layers), name="initial_carry") if stacked else [carry]
        whole = {"name": "initial_carry", "whole": "the bidirectional layer", "part": "direction"}
        nested = [arguments.entries(each, 2, **whole) if len(layers[0]) == 2 else (each,) for each in entries]
        return [each for directions in nested for each in directions]

    def _carry(self, last: Sequence[Any], layers: Layers) -> Any:
        ways = len(layers[0])
        carries = [tuple(last[at : at + ways]) if ways == 2 else last[at] for at in range(0, len(last), ways)]
        return tuple(carries) if isinstance(self.layer, StackedRNN) else carries[0]


def _directions(layer: Any) -> Layers:
    parts = list(layer.layers) if isinstance(layer, StackedRNN) else [layer]
    return [(part.forward, part.backward) if isinstance(part, BidirectionalRNN) else (part,) for part in parts]


def _refusal(layer: Any) -> str | None:
    if not isinstance(layer, RNN | BidirectionalRNN | StackedRNN):
        return f"it needs an RNN, a BidirectionalRNN or a StackedRNN, and found {type(layer).__name__}"
    if isinstance(layer, StackedRNN) and (layer.residual or layer.dropout):
        return f"it has no {'residual connections' if layer.residual else 'dropout between layers'}"
    layers = _directions(layer)
    for part in list(layer.layers) if isinstance(layer, StackedRNN) else [layer]:
        if isinstance(part, BidirectionalRNN) and (part.merge_fn or part.merge not in ("concat", "concatenate")):
            return f"it concatenates its directions, and found another merge={part.merge!r}"
        if part.time_major:
            return "it takes the batch axis first, and found time_major=True"
    for rnn in (rnn for directions in layers for rnn in directions):
        if reason := _layer_refusal(rnn):
            return reason
    fits = "its layers must be alike in size and direction, and each must read the output of the one below"
    return None if _fits(layers) else fits


def _layer_refusal(rnn: Any) -> str | None:
    cell = getattr(rnn, "cell", rnn)
    if not isinstance(rnn, RNN):
        return f"it needs layers of seqnets, and found {type(rnn).__module__}.{type(rnn).__name__}"
    if type(cell) is not LSTMCell:
        return f"it has only the LSTM, and found {type(cell).__name__}"
    if cell.layer_norm or any(cell.zoneout):
        return f"it has no {'layer normalization' if cell.layer_norm else 'zoneout'}"
    if rnn.remat or rnn.weight_dropout:
        return f"it has no {'remat' if rnn.remat else 'weight dropout'}"
    if rnn.learned_carry:
        return "it has no learned carry"
    if {jnp.dtype(cell.dtype), jnp.dtype(cell.param_dtype)} != {jnp.dtype("float32")}:
        return f"it computes in float32 only, and found {jnp.dtype(cell.dtype)}"
    return None if cell.recurrence is LSTM else "it has other activations"


def _fits(layers: Layers) -> bool:
    count, hidden, features = len(layers[0]), layers[0][0].cell.hidden_features, layers[0][0].cell.in_features
    for directions in layers:
        cells = [rnn.cell for rnn in directions]
        if len(cells) != count or any((cell.in_features, cell.hidden_features) != (features, hidden) for cell in cells):
            return False
        features = count * hidden
    return len(layers) == 1 or count == 2 or not any(rnn.reverse for (rnn,) in layers)


def _call_refusal(inputs: Array) -> str | None:
    if inputs.ndim != 3 or 0 in inputs.shape:
        return f"it needs inputs (batch, time, features) with at least one row and step, and found the shape {inputs.shape}"
    if default_platform() != "cuda":
        return f"it runs on NVIDIA GPUs only, and JAX's default is {default_platform()}"
    if not jax.sharding.get_abstract_mesh().empty:
        return "it runs on one device, and a mesh is set"
    return self_check.refusal("cudnn") if cudnn.is_linked() else "this JAX came without it"


def _start(cell: LSTMCell, rows: int, carry: Any) -> Any:
    if carry is None:
        return initialize_carry(cell, (rows, cell.in_features))
    return arguments.state(cell.recurrence, carry, rows, cell.hidden_features, name="initial_carry")


def direction_of(cell: LSTMCell) -> Direction:
    """Return a cell's weights as cuDNN's."""
    return Direction(cell.kernel[...], cell.recurrent_kernel[...], cell.input_bias())
