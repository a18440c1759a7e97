"""Imports and exports cuDNN's LSTM weights, a flat array.

The array holds all matrices, then all biases, in the order of layers and directions; each entry is one of torch's. As there, the
second bias is redundant: import adds the two, export fills the second with zeros.
"""

from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.nn import RNN, BidirectionalRNN, LSTMCell, StackedRNN
from seqnets.weights.tensors import as_array
from seqnets.weights.torch_rnn import load_torch_rnn, torch_rnn_state_dict

Layer = StackedRNN | BidirectionalRNN | RNN | LSTMCell


def cudnn_weights(layer: Layer) -> np.ndarray:
    """Return the weights of LSTM layers as the flat array of cuDNN and `jax.experimental.rnn.lstm`.

    Args:
        layer: a stack, a layer or a cell; its cells must be LSTM without layer norm.

    Returns:
        `(N,)`.

    Raises:
        UserError: a cell is not such an LSTM.

    Example:
        >>> from flax import nnx
        >>> cudnn_weights(LSTMCell(3, 5, rngs=nnx.Rngs(0))).shape
        (200,)
    """
    return np.concatenate([array.ravel() for _, array in _in_order(layer)])


def load_cudnn_weights(layer: Layer, flat: Any) -> None:
    """Fill existing LSTM layers with cuDNN's weights.

    Args:
        layer: a stack, a layer or a cell, with the sizes of the weights.
        flat: `(N,)`.

    Raises:
        UserError: a cell is not an LSTM, or the number of weights does not match; the layer is then unchanged.

    Example:
        >>> from flax import nnx
        >>> a, b = LSTMCell(3, 5, rngs=nnx.Rngs(0)), LSTMCell(3, 5, rngs=nnx.Rngs(1))
        >>> load_cudnn_weights(a, cudnn_weights(b))
        >>> bool((a.kernel[...] == b.kernel[...]).all())
        True
    """
    flat, parts = as_array(flat, "flat"), _in_order(layer)
    ends = np.cumsum([array.size for _, array in parts])
    if flat.shape != (ends[-1],):
        raise UserError(f"cuDNN weights for this layer must have the shape ({ends[-1]},), not {flat.shape}; check its sizes")
    pieces = np.split(flat, ends[:-1])
    load_torch_rnn(layer, {name: piece.reshape(array.shape) for (name, array), piece in zip(parts, pieces)})


def _in_order(layer: Layer) -> list[tuple[str, np.ndarray]]:
    """Torch's names and arrays, the matrices first."""
    arrays = torch_rnn_state_dict(layer)
    for name, array in arrays.items():
        if name.startswith("weight_hh") and array.shape[0] != 4 * array.shape[1]:
            raise UserError(f"cuDNN's flat weights are supported for LSTM layers, and {name} has the shape {array.shape}")
    return sorted(arrays.items(), key=lambda entry: entry[0].startswith("bias"))
