"""One step of each recurrence, defined once; every backend runs these functions or is tested against them.

A step sees the sequence only through two arguments:

- `projected`: all that depends on the input alone (W x + b for every gate), computed for the whole sequence before the loop;
- `product(k, a)`: the matrix product a @ kernels[k] with the k-th recurrent kernel. Because a step cannot reach its kernels in
  any other way, a backend can take the products out of the backward loop and form each weight gradient as one large product
  after it.

Gates are adjacent on the last axis in the order of cuDNN and torch: i, f, g, o for the LSTM; r, z, n for the GRU; h, t for
the highway; z, n for minGRU; f, i, n for minLSTM.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import Array

from seqnets.ops.gates import split_gates
from seqnets.ops.linear import along_last_axis, layer_norm

Carry = Any  # an Array, or a NamedTuple of Arrays, each (B, H)
Product = Callable[[int, Array], Array]
Vectors = dict[str, Any]  # of Arrays, or tuples of them
Linear = Callable[[Array], tuple[Array, Array]]
Function = Callable[[Array], Array]  # of each number alone


class LSTMState(NamedTuple):
    """The state of an LSTM: `cell` and `hidden`, each `(B, H)`. Unpacks as Flax's `(c, h)`."""

    cell: Array
    hidden: Array


class Functions(NamedTuple):
    """What a recurrence applies to its gates, and to its candidate and its output."""

    gate: Function = jax.nn.sigmoid
    activation: Function = jnp.tanh


STANDARD = Functions()


class RecurrentWeights(NamedTuple):
    """The weights that take part in every step.

    Attributes:
        kernels: matrices, reached only through `product(k, a)`.
        vectors: biases and gains, by name.
    """

    kernels: tuple[Array, ...]
    vectors: Vectors


@dataclass(frozen=True)
class Recurrence:
    """A recurrence as data: everything a backend needs besides the weights.

    Attributes:
        name: the key by which a backend looks up its own kernel.
        gates: the width of the projected input, in units of H.
        step: `step(vectors, product, carry, projected) -> carry`.
        layer_norm: normalize the result of every recurrent product with the gains `vectors["recurrent_scale"]`, one per kernel.
        linear: for a recurrence h_t = d h_{t-1} + a: `linear(projected) -> (d, a)`, each `(..., H)`.
        state: the class of a carry of several parts; None for one array.
        kernels: widths of the recurrent kernels `(H, width * H)`; None where they are not stated.
        vectors: names and shapes of the vectors that the step reads, the last axis in units of H.
    """

    name: str
    gates: int
    step: Callable[[Vectors, Product, Carry, Array], Carry]
    layer_norm: bool = False
    linear: Linear | None = None
    state: type[LSTMState] | None = None
    kernels: tuple[int, ...] | None = None
    vectors: tuple[tuple[str, tuple[int, ...]], ...] = ()


def hidden_of(carry: Carry) -> Array:
    """Return the part of the carry that is the layer's output: `(B, H)`.

    Example:
        >>> import jax.numpy as jnp
        >>> hidden_of(LSTMState(cell=jnp.zeros((2, 3)), hidden=jnp.ones((2, 3)))).sum().item()
        6.0
    """
    return carry.hidden if isinstance(carry, LSTMState) else carry


def vanilla_step(activation: Callable[[Array], Array], vectors: Vectors, product: Product, hidden: Array, projected: Array):
    """Compute h_t = activation(projected + h_{t-1} U) (Elman, 1990)."""
    del vectors
    return activation(projected + product(0, hidden))


def lstm_step(
    vectors: Vectors,
    product: Product,
    state: LSTMState,
    projected: Array,
    functions: Functions = STANDARD,
) -> LSTMState:
    """Compute c_t = f c_{t-1} + i g and h_t = o tanh(c_t) (Hochreiter & Schmidhuber, 1997; forget gate: Gers et al., 2000)."""
    gate, activation = functions
    i, f, g, o = split_gates(projected + product(0, state.hidden), 4)
    cell = gate(f) * state.cell + gate(i) * activation(g)
    seen = layer_norm(cell, vectors["cell_scale"], vectors["cell_bias"]) if "cell_scale" in vectors else cell
    return LSTMState(cell, gate(o) * activation(seen))


def gru_reset_after_step(
    vectors: Vectors,
    product: Product,
    hidden: Array,
    projected: Array,
    functions: Functions = STANDARD,
) -> Array:
    """Compute h_t = z h_{t-1} + (1 - z) n with n = tanh(x_n + r (h_{t-1} U_n + b_n)): cuDNN's and torch's GRU."""
    gate, activation = functions
    x_r, x_z, x_n = split_gates(projected, 3)
    h_r, h_z, h_n = split_gates(product(0, hidden), 3)
    reset, update = gate(x_r + h_r), gate(x_z + h_z)
    candidate = activation(x_n + reset * (h_n + along_last_axis(vectors["recurrent_bias"], h_n.ndim)))
    return candidate + update * (hidden - candidate)


def gru_reset_before_step(
    vectors: Vectors,
    product: Product,
    hidden: Array,
    projected: Array,
    functions: Functions = STANDARD,
) -> Array:
    """Compute h_t = z h_{t-1} + (1 - z) n with n = tanh(x_n + (r h_{t-1}) U_n): the first GRU (Cho et al., 2014)."""
    del vectors
    gate, activation = functions
    x_r, x_z, x_n = split_gates(projected, 3)
    h_r, h_z = split_gates(product(0, hidden), 2)
    reset, update = gate(x_r + h_r), gate(x_z + h_z)
    candidate = activation(x_n + product(1, reset * hidden))
    return candidate + update * (hidden - candidate)


def highway_step(
    depth: int,
    vectors: Vectors,
    product: Product,
    hidden: Array,
    projected: Array,
    functions: Functions = STANDARD,
) -> Array:
    """Compute s_l = t h + (1 - t) s_{l-1} for l = 1 .. depth; the input enters at l = 1 (Zilly et al., 2017; coupled gates)."""
    gate, activation = functions
    state = hidden
    for layer in range(depth):
        outside = projected if layer == 0 else along_last_axis(vectors["depth_bias"][layer - 1], projected.ndim)
        h, t = split_gates(outside + product(layer, state), 2)
        state = state + gate(t) * (activation(h) - state)
    return state


def linear_step(linear: Linear, vectors: Vectors, product: Product, hidden: Array, projected: Array) -> Array:
    """Compute h_t = d h_{t-1} + a, where d and a depend on the input alone."""
    del vectors, product
    decay, added = linear(projected)
    return decay * hidden + added


def min_gru(activation: Callable[[Array], Array], projected: Array) -> tuple[Array, Array]:
    """Return d = 1 - z and a = z activation(n): a GRU whose gates do not see the state (Feng et al., 2024)."""
    z, n = split_gates(projected, 2)
    return jax.nn.sigmoid(-z), jax.nn.sigmoid(z) * activation(n)


def min_lstm(activation: Callable[[Array], Array], projected: Array) -> tuple[Array, Array]:
    """Return d = f / (f + i) and a = (1 - d) activation(n): an LSTM whose gates do not see the state (Feng et al., 2024)."""
    f, i, n = split_gates(projected, 3)
    odds = jax.nn.softplus(-i) - jax.nn.softplus(-f)  # ln of sigmoid(f) / sigmoid(i), written so that neither underflows
    return jax.nn.sigmoid(odds), jax.nn.sigmoid(-odds) * activation(n)


def positive(x: Array) -> Array:
    """Return x + 1/2 above 0 and sigmoid(x) below: the candidate that keeps a linear recurrence positive (Feng et al., 2024).

    Example:
        >>> positive(jnp.array([-100.0, 0.0, 1.0])).tolist()
        [0.0, 0.5, 1.5]
    """
    return jnp.where(x >= 0, x + 0.5, jax.nn.sigmoid(x))


def _linear(name: str, gates: int, linear: Linear) -> Recurrence:
    return Recurrence(name, gates, partial(linear_step, linear), linear=linear, kernels=())


VANILLA = {
    "tanh": Recurrence("vanilla_tanh", 1, partial(vanilla_step, jnp.tanh), kernels=(1,)),
    "relu": Recurrence("vanilla_relu", 1, partial(vanilla_step, jax.nn.relu), kernels=(1,)),
}
"""The simple recurrence, h_t = f(W x_t + U h_{t-1} + b), by the name of f."""
LSTM = Recurrence("lstm", 4, lstm_step, state=LSTMState, kernels=(4,))
"""The long short-term memory; `LSTMCell` has its equations."""
GRU = {
    "after": Recurrence("gru_reset_after", 3, gru_reset_after_step, kernels=(3,), vectors=(("recurrent_bias", (1,)),)),
    "before": Recurrence("gru_reset_before", 3, gru_reset_before_step, kernels=(2, 1)),
}
"""The gated recurrent unit, with the reset gate after the recurrent product (as in cuDNN) or before it; see `GRUCell`."""
CANDIDATES: dict[str, Callable[[Array], Array]] = {"positive": positive, "tanh": jnp.tanh, "identity": lambda x: x}
MIN_GRU = {name: _linear(f"min_gru_{name}", 2, partial(min_gru, candidate)) for name, candidate in CANDIDATES.items()}
"""The minimal GRU, whose gates do not depend on the state, by the function of its candidate; see `MinGRUCell`."""
MIN_LSTM = {name: _linear(f"min_lstm_{name}", 3, partial(min_lstm, candidate)) for name, candidate in CANDIDATES.items()}
"""The minimal LSTM, whose gates do not depend on the state, by the function of its candidate; see `MinLSTMCell`."""


@cache
def highway(depth: int) -> Recurrence:
    """Return the highway recurrence of `depth` layers per step.

    Example:
        >>> highway(2) is highway(2)
        True
    """
    biases = (("depth_bias", (depth - 1, 2)),)
    return Recurrence("highway", 2, partial(highway_step, depth), kernels=(2,) * depth, vectors=biases)


def with_functions(recurrence: Recurrence, gate: Function | None, activation: Function | None) -> Recurrence:
    """Return the recurrence with other functions for its gates and its candidate.

    One whose functions are others has another name, so that only backends that trace its step run it.

    Args:
        recurrence: one of LSTM, GRU or highway.
        gate: in the place of the sigmoid; None keeps it.
        activation: in the place of tanh; None keeps it.

    Example:
        >>> with_functions(LSTM, jax.nn.sigmoid, None) is LSTM
        True
        >>> with_functions(LSTM, None, jax.nn.relu).name
        'lstm with sigmoid and relu'
    """
    functions = Functions(gate or STANDARD.gate, activation or STANDARD.activation)
    return recurrence if functions == STANDARD else _with_functions(recurrence, functions)


@cache  # JAX remembers what it traced by the identity of functions
def _with_functions(recurrence: Recurrence, functions: Functions) -> Recurrence:
    step = cast(Callable[..., Carry], recurrence.step)
    name = f"{recurrence.name} with {' and '.join(map(_name, functions))}"
    return replace(recurrence, name=name, step=partial(step, functions=functions))


def vanilla(activation: Function) -> Recurrence:
    """Return the simple recurrence with any activation.

    Example:
        >>> vanilla(jnp.tanh) is VANILLA["tanh"]
        True
        >>> vanilla(jnp.sin).name
        'vanilla with sin'
    """
    known: dict[Any, str] = {jnp.tanh: "tanh", jax.nn.relu: "relu"}
    return VANILLA[known[activation]] if activation in known else _vanilla(activation)


@cache
def _vanilla(activation: Function) -> Recurrence:
    return Recurrence(f"vanilla with {_name(activation)}", 1, partial(vanilla_step, activation), kernels=(1,))


def _name(function: Function) -> str:
    return getattr(function, "__name__", type(function).__name__)


def with_layer_norm(recurrence: Recurrence, layer_norm: bool) -> Recurrence:
    """Return the recurrence, with the results of its products normalized if wanted.

    Example:
        >>> with_layer_norm(LSTM, True).layer_norm
        True
    """
    return recurrence if recurrence.layer_norm == layer_norm else replace(recurrence, layer_norm=layer_norm)
