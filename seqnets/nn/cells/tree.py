"""The cells of recursive networks: the state of a node from those of its two children.

A cell has `leaf(vectors)`, which makes the states of leaves, `cell(left, right)`, and `hidden(states)`, which a classifier reads.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from seqnets.nn.initializers import gate_blocks, input_kernel


def averaging_kernel(key: Array, shape: tuple[int, int], dtype=jnp.float32) -> Array:
    """Return a kernel `(2 D, D)` that takes the mean of both children, with a little noise.

    References:
        Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank", 2013 (their code).
    """
    features = shape[1]
    noise = jax.random.uniform(key, shape, dtype, -1, 1) * features**-0.5 / 2
    return jnp.concatenate([jnp.eye(features, dtype=dtype)] * 2) / 2 + noise


class SimpleTreeCell(nnx.Module):
    r"""Socher's recursive network: $h = \tanh(W [l; r] + b)$, and $h = \tanh(x)$ for a leaf.

    Args:
        features: D, the size of a word's vector and of a node's state.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> SimpleTreeCell(3, rngs=nnx.Rngs(0))(jnp.ones((2, 3)), jnp.zeros((2, 3))).shape
        (2, 3)

    References:
        Socher et al., "Parsing Natural Scenes and Natural Language with Recursive Neural Networks", 2011.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        self.kernel = nnx.Param(averaging_kernel(rngs.params(), (2 * features, features)))
        self.bias = nnx.Param(jnp.zeros(features))

    def leaf(self, vectors: Array) -> Array:
        """Return the states of leaves: `(..., D)` to `(..., D)`."""
        return jnp.tanh(vectors)

    def __call__(self, left: Array, right: Array) -> Array:
        """Return the states of nodes from those of their children, `(..., D)`."""
        return jnp.tanh(self._linear(jnp.concatenate([left, right], -1)))

    def hidden(self, states: Array) -> Array:
        """Return what is read of states: all of it."""
        return states

    def _linear(self, both: Array) -> Array:
        return both @ self.kernel[...] + jnp.expand_dims(self.bias[...], range(both.ndim - 1))


class RNTNCell(SimpleTreeCell):
    r"""The recursive neural tensor network: $h_k = \tanh(z^T V_k z + W_k z + b_k)$ with $z = [l; r]$.

    Args:
        features: D, the size of a word's vector and of a node's state.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> RNTNCell(3, rngs=nnx.Rngs(0)).tensor.shape
        (6, 3, 6)

    References:
        Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank", 2013.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        super().__init__(features, rngs=rngs)
        shape = (2 * features, features, 2 * features)  # one product with [l; r] in front serves all k
        self.tensor = nnx.Param(jax.random.uniform(rngs.params(), shape, jnp.float32, -1, 1) / (4 * features))

    def __call__(self, left: Array, right: Array) -> Array:
        """Return the states of nodes from those of their children, `(..., D)`."""
        both = jnp.concatenate([left, right], -1)
        inputs, features, _ = self.tensor.shape
        products = (both @ self.tensor[...].reshape(inputs, -1)).reshape(*both.shape[:-1], features, inputs)
        return jnp.tanh(jnp.einsum("...kj,...j->...k", products, both) + self._linear(both))


class TreeLSTMCell(nnx.Module):
    r"""The binary tree-LSTM: an LSTM whose node has a forget gate for each child.

    $$c = i \circ g + f_l \circ c_l + f_r \circ c_r, \quad h = o \circ \tanh(c)$$

    The gates of a node come from both children's $h$, those of a leaf from its word; both forget gates share their bias. A state
    is $[h; c]$.

    Args:
        features: D, the size of a word's vector, and of h and c.
        rngs: source of the initial weights (stream `params`).

    Example:
        >>> cell = TreeLSTMCell(3, rngs=nnx.Rngs(0))
        >>> state = cell.leaf(jnp.ones((2, 3)))
        >>> cell(state, state).shape, cell.hidden(state).shape
        ((2, 6), (2, 3))

    References:
        Tai, Socher, Manning, "Improved Semantic Representations From Tree-Structured Long Short-Term Memory Networks", 2015.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        blocks = gate_blocks(input_kernel, features)
        self.input_kernel = nnx.Param(blocks(rngs.params(), (features, 3 * features)))  # gates i, g, o
        self.kernel = nnx.Param(blocks(rngs.params(), (2 * features, 5 * features)))  # gates i, f of left, f of right, g, o
        self.bias = nnx.Param(jnp.zeros((4, features)))  # of i, f, g, o

    def leaf(self, vectors: Array) -> Array:
        """Return the states of leaves: `(..., D)` to `(..., 2 D)`."""
        i, _, g, o = self._biases(vectors.ndim)
        parts = jnp.split(vectors @ self.input_kernel[...], 3, -1)
        gates = [part + bias for part, bias in zip(parts, (i, g, o))]
        return _state(jax.nn.sigmoid(gates[0]) * jnp.tanh(gates[1]), gates[2])

    def __call__(self, left: Array, right: Array) -> Array:
        """Return the states of nodes from those of their children, `(..., 2 D)`."""
        (h_left, c_left), (h_right, c_right) = jnp.split(left, 2, -1), jnp.split(right, 2, -1)
        i, f, g, o = self._biases(left.ndim)
        parts = jnp.split(jnp.concatenate([h_left, h_right], -1) @ self.kernel[...], 5, -1)
        gate, forget_left, forget_right, found, out = (part + bias for part, bias in zip(parts, (i, f, f, g, o)))
        kept = jax.nn.sigmoid(forget_left) * c_left + jax.nn.sigmoid(forget_right) * c_right
        return _state(jax.nn.sigmoid(gate) * jnp.tanh(found) + kept, out)

    def hidden(self, states: Array) -> Array:
        """Return h of states: `(..., 2 D)` to `(..., D)`."""
        return jnp.split(states, 2, -1)[0]

    def _biases(self, rank: int) -> list[Array]:
        return [jnp.expand_dims(bias, range(rank - 1)) for bias in self.bias[...]]


def _state(cell: Array, out: Array) -> Array:
    return jnp.concatenate([jax.nn.sigmoid(out) * jnp.tanh(cell), cell], -1)


TREE_CELLS = {"simple": SimpleTreeCell, "rntn": RNTNCell, "tree-lstm": TreeLSTMCell}
