"""The LSTM of cuDNN, through JAX: raw inputs in, all layers and directions in one call, float32.

cuDNN multiplies by the input kernels itself and takes all weights as one flat array, so it is used beside
`seqnets.ops.over_time`, not through it. It has no mode for a layer that runs only backward: there each row is reversed
within its length, before and after.

cuDNN itself chooses the memory kept for the backward pass.

References:
    Appleyard, Kociský, Blunsom, "Optimizing performance of recurrent neural networks on GPUs", 2016.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.errors import UserError
from seqnets.ops import arguments
from seqnets.ops.backends import reference
from seqnets.ops.derivatives import differentiable
from seqnets.ops.linear import affine
from seqnets.ops.recurrent import LSTM, LSTMState, RecurrentWeights
from seqnets.ops.timestep import TimeInputs


class Direction(NamedTuple):
    """The weights of one direction of one layer, gates in the order i, f, g, o.

    Attributes:
        kernel: `(F, 4 * H)`.
        recurrent_kernel: `(H, 4 * H)`.
        bias: `(4 * H,)`.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array


class Shape(NamedTuple):
    """The arguments of cuDNN besides the arrays.

    Attributes:
        in_features: F of the first layer.
        hidden_features: H, the same in every layer and direction.
        layers: the number of layers.
        bidirectional: each layer has two directions, and the next one reads both, side by side.
    """

    in_features: int
    hidden_features: int
    layers: int
    bidirectional: bool


def shape_of(directions: Sequence[Direction], bidirectional: bool) -> Shape:
    """Return the sizes of the layers from the shapes of the weights.

    Example:
        >>> one = Direction(jnp.zeros((3, 20)), jnp.zeros((5, 20)), jnp.zeros(20))
        >>> shape_of([one, one], bidirectional=True)
        Shape(in_features=3, hidden_features=5, layers=1, bidirectional=True)
    """
    first, count = directions[0], len(directions)
    return Shape(first.kernel.shape[0], first.recurrent_kernel.shape[0], count // 2 if bidirectional else count, bidirectional)


def pack(directions: Sequence[Direction]) -> Array:
    """Return the weights as cuDNN's flat array.

    All matrices come first and all biases after; each direction's input kernel comes before its recurrent one, both transposed.
    cuDNN has two biases, which it adds; the second holds zeros.

    Args:
        directions: lowest layer first, in each layer forward before backward.

    Returns:
        `(N,)`.

    Raises:
        UserError: a direction's arrays do not match.

    Example:
        >>> pack([Direction(jnp.zeros((3, 20)), jnp.zeros((5, 20)), jnp.zeros(20))]).shape
        (200,)
    """
    for part in directions:
        _check(part, part.kernel.shape[0], directions[0].recurrent_kernel.shape[0])
    matrices = [kernel.T.ravel() for part in directions for kernel in (part.kernel, part.recurrent_kernel)]
    biases = [bias for part in directions for bias in (part.bias, jnp.zeros_like(part.bias))]
    return jnp.concatenate([*matrices, *biases])


def _check(part: Direction, features: int, hidden: int) -> None:
    wanted = [(features, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,)]
    found = [array.shape for array in part]
    if found != wanted:
        raise UserError(f"the weights of an LSTM must have the shapes {wanted}, not {found}")


def unpack(flat: Array, shape: Shape) -> tuple[Direction, ...]:
    """Undo `pack`, for any flat array of cuDNN's; its two biases are added.

    Args:
        flat: `(N,)`.
        shape: the sizes of the layers.

    Raises:
        UserError: it has another number of weights.

    Example:
        >>> one = Direction(jnp.ones((3, 20)), jnp.zeros((5, 20)), jnp.arange(20.0))
        >>> again, = unpack(pack([one]), shape_of([one], bidirectional=False))
        >>> again.kernel.shape, bool((again.bias == one.bias).all())
        ((3, 20), True)
    """
    from jax.experimental import rnn

    size = rnn.get_num_params_in_lstm(*shape)
    if flat.shape != (size,):
        raise UserError(f"cuDNN's weights of this LSTM must have the shape ({size},), not {flat.shape}")
    kernels, recurrent_kernels, first, second = rnn.unpack_lstm_weights(flat, *shape)
    return tuple(Direction(kernels[k].T, recurrent_kernels[k].T, first[k] + second[k]) for k in range(len(kernels)))


def run(
    directions: Sequence[Direction],
    carries: Sequence[LSTMState],
    inputs: Array,
    *,
    lengths: Array | None = None,
    bidirectional: bool = False,
    reverse: bool = False,
) -> tuple[Array, tuple[LSTMState, ...]]:
    """Run a stack of LSTM layers over whole sequences.

    Args:
        directions: the weights, lowest layer first, in each layer forward before backward.
        carries: the states before the first step, in the same order, leaves `(B, H)`.
        inputs: `(B, T, F)`, float32.
        lengths: `(B,)` integers; steps from `lengths[b]` on leave the state of row b as it is and give zeros.
        bidirectional: each layer has two directions.
        reverse: the single direction of the single layer runs from the last step to the first.

    Returns:
        The outputs `(B, T, directions * H)`, and the states after the last step.

    Raises:
        UserError: the arrays do not match.
    """
    carries = _checked(directions, carries, inputs, bidirectional)
    batch, steps = inputs.shape[:2]
    lengths = None if lengths is None else arguments.lengths_of(lengths, batch)
    ends = jnp.full(batch, steps, jnp.int32) if lengths is None else jnp.clip(lengths, 0, steps).astype(jnp.int32)
    inside = jnp.arange(steps)[None, :] < ends[:, None]
    inputs = _reversed(inputs, ends) if reverse else inputs
    cells, hiddens = (jnp.stack(parts) for parts in zip(*carries))
    full = jnp.maximum(ends, 1)  # cuDNN rejects empty sequences; the result of such a row is discarded
    shape = shape_of(directions, bidirectional)
    results: Any = lstm(shape, inputs, hiddens, cells, pack(directions), full)
    outputs, last_hiddens, last_cells = results
    empty = (ends == 0)[None, :, None]
    last = zip(jnp.where(empty, cells, last_cells), jnp.where(empty, hiddens, last_hiddens))
    outputs = jnp.where(inside[:, :, None], outputs, 0)
    return _reversed(outputs, ends) if reverse else outputs, tuple(LSTMState(*parts) for parts in last)


def _checked(directions: Sequence[Direction], carries: Sequence[LSTMState], inputs: Array, bidirectional: bool) -> list[Any]:
    """Check weights, states and inputs against each other, because cuDNN only gets addresses."""
    shape, beside = shape_of(directions, bidirectional), 2 if bidirectional else 1
    if inputs.ndim != 3 or inputs.shape[-1] != shape.in_features or inputs.dtype != jnp.float32:
        wanted = f"(batch, time, {shape.in_features})"
        raise UserError(f"inputs must have the shape {wanted} in float32, not {inputs.shape} in {inputs.dtype}")
    for number, part in enumerate(directions):
        _check(part, shape.in_features if number < beside else beside * shape.hidden_features, shape.hidden_features)
    states = arguments.entries(carries, len(directions), whole="this LSTM", part="direction")
    return [arguments.state(LSTM, carry, inputs.shape[0], shape.hidden_features) for carry in states]


def _reversed(x: Array, lengths: Array) -> Array:
    """Reverse every row within its length."""
    step = jnp.arange(x.shape[1])[None, :]
    source = jnp.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)
    return jnp.take_along_axis(x, source[:, :, None], axis=1)


def is_linked() -> bool:
    """Return whether this JAX has cuDNN's recurrent layers, as its builds for NVIDIA GPUs do.

    Example:
        >>> is_linked() in (True, False)
        True
    """
    from jax.experimental import rnn

    return hasattr(rnn.gpu_rnn, "compute_rnn_workspace_reserve_space_sizes")


def lstm(shape: Shape, x: Array, hidden: Array, cell: Array, flat: Array, lengths: Array) -> tuple[Array, Array, Array]:
    """Call cuDNN: `jax.experimental.rnn.lstm`, which JAX itself cannot vmap."""
    return _of(shape)(x, hidden, cell, flat, lengths)


@cache  # JAX caches traces by the identity of functions
def _of(shape: Shape) -> Callable:
    passes: list[Any] = [partial(part, shape) for part in (lstm_definition, _lstm_forward, _lstm_backward)]
    return differentiable(*passes)


def lstm_definition(shape: Shape, x: Array, hidden: Array, cell: Array, flat: Array, lengths: Array) -> tuple[Array, ...]:
    """Compute the same as `lstm` in plain JAX: layer by layer, and each direction separately."""
    inputs, lasts, ways = x.swapaxes(0, 1), [], 2 if shape.bidirectional else 1
    valid, parts = jnp.arange(inputs.shape[0])[:, None] < lengths[None, :], unpack(flat, shape)
    for layer in range(shape.layers):
        sides = []
        for k in range(layer * ways, (layer + 1) * ways):
            times = TimeInputs(affine(inputs, parts[k].kernel, parts[k].bias), valid=valid)
            weights, start = RecurrentWeights((parts[k].recurrent_kernel,), {}), LSTMState(cell[k], hidden[k])
            outputs, last = reference.run(LSTM, k % ways == 1, weights, start, times)
            sides.append(outputs)
            lasts.append(last)
        inputs = jnp.concatenate(sides, axis=-1)
    cells, hiddens = (jnp.stack(parts) for parts in zip(*lasts))
    return inputs.swapaxes(0, 1), hiddens, cells


def _lstm_forward(shape: Shape, *arrays: Array):
    from jax.experimental import rnn

    @jax.custom_batching.sequential_vmap
    def forward(x: Array, hidden: Array, cell: Array, flat: Array, lengths: Array):
        results, kept = rnn.lstm_fwd(x, hidden, cell, flat, lengths, **_options(shape))
        return results, kept[-1]

    return forward(*arrays)


def _lstm_backward(shape: Shape, arguments, results, kept, cotangents: tuple[Array, Array, Array]):
    from jax.experimental import rnn

    @jax.custom_batching.sequential_vmap
    def backward(kept: tuple[Array, ...], cotangents: tuple[Array, ...]):
        return rnn.lstm_bwd(**_options(shape), residuals=kept, gradients=cotangents)[:4]  # the fifth belongs to the lengths

    return *backward((*arguments, results[0], kept), cotangents), None


def _options(shape: Shape) -> dict[str, Any]:
    sizes = {"input_size": shape.in_features, "hidden_size": shape.hidden_features, "num_layers": shape.layers}
    return {**sizes, "dropout": 0.0, "bidirectional": shape.bidirectional, "precision": _precision()}


def _precision() -> jax.lax.Precision | None:
    # None follows JAX's setting; cuDNN multiplies in float32 or TF32, so it takes TF32 where bfloat16 is enough
    exact = getattr(jax.config, "jax_default_matmul_precision", None) in (None, "highest", "float32")
    return None if exact else jax.lax.Precision.HIGH
