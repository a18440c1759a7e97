"""What a character model computes while it reads a text: the bits of every character and the state of every unit."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets.data.text.streams import TokenStream
from seqnets.errors import UserError
from seqnets.ops.recurrent import LSTMState

CHUNK = 256


class Trace(NamedTuple):
    """A text as a model read it.

    Attributes:
        tokens: int32 `(N,)`.
        bits: float64 `(N,)`: -log2 p(token | all before it); NaN for the first token.
        states: float32 `(N, U)`: every unit after it read the token, the lowest layer's units first: tanh(c) of an LSTM,
            h of the other cells.
        likeliest: int32 `(N, K)`: the tokens that the model expected in the place of each token, likeliest first.
        probabilities: float32 `(N, K)`: theirs; 0 for the first token, in whose place nothing was expected.
    """

    tokens: np.ndarray
    bits: np.ndarray
    states: np.ndarray
    likeliest: np.ndarray
    probabilities: np.ndarray


def trace(model: Any, tokens: Any, *, separator: tuple[int, ...] = (), likeliest: int = 5) -> Trace:
    """Let a model read a text from its initial state, and record what happens.

    Args:
        model: a `CharLM`.
        tokens: integers `(N,)`, N >= 1.
        separator: tokens of the document separator, at whose last token the state is reset, as in training.
        likeliest: K, at most as many as the vocabulary has.

    Raises:
        UserError: there is no token.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> from seqnets.models.char_lm import CharLM
        >>> vocabulary = Vocabulary.from_text("abc")
        >>> model = CharLM(vocabulary, hidden_features=8, rngs=nnx.Rngs(0))
        >>> found = trace(model, vocabulary.encode("abcabc"))
        >>> found.bits.shape, found.states.shape
        ((6,), (6, 8))
    """
    tokens = np.asarray(tokens, np.int32)
    if not len(tokens):
        raise UserError("there is no text to look at; give at least one character")
    resets = TokenStream(tokens, separator).document_starts(np.arange(len(tokens)))
    padding = -len(tokens) % CHUNK
    padded, resets = np.pad(tokens, (0, padding + 1)), np.pad(resets, (0, padding))
    graph, values = nnx.split(model)
    best = min(likeliest, len(model.vocabulary))
    carry, pieces = model.initialize_carry(1), []
    for start in range(0, len(padded) - 1, CHUNK):
        piece = np.s_[None, start : start + CHUNK]
        following = padded[None, start + 1 : start + CHUNK + 1]
        found, carry = _chunk(graph, best, values, padded[piece], following, resets[piece], carry)
        pieces.append([np.asarray(array[0]) for array in found])
    count = len(tokens)
    bits, expected, probabilities, states = (np.concatenate(arrays) for arrays in zip(*pieces))
    return Trace(
        tokens,
        _later(bits.astype(np.float64), np.nan)[:count],
        states[:count].astype(np.float32),
        _later(expected.astype(np.int32), 0)[:count],
        _later(probabilities, 0)[:count],
    )


def _later(array: np.ndarray, first: float) -> np.ndarray:
    """Move what was found at the token before to the token that it is about."""
    return np.concatenate([np.full_like(array[:1], first), array])


@partial(jax.jit, static_argnums=(0, 1))
def _chunk(graph: Any, best: int, values: Any, tokens: Array, following: Array, resets: Array, carry: Any) -> Any:
    logits, states, carry = nnx.merge(graph, values).states(tokens, carry, resets=resets)
    log_probs = jax.nn.log_softmax(logits.astype(jnp.float32))
    bits = -jnp.take_along_axis(log_probs, jnp.asarray(following)[..., None], axis=-1)[..., 0] / jnp.log(2.0)
    top, likeliest = jax.lax.top_k(log_probs, best)
    return (bits, likeliest, jnp.exp(top), jnp.concatenate([visible(layer) for layer in states], axis=-1)), carry


def visible(state: Any) -> Array:
    """Return what to look at in the state of a layer, `(..., H)`: tanh(c) of an LSTM (Karpathy et al., 2015), else h.

    Example:
        >>> visible(LSTMState(cell=jnp.zeros(3), hidden=jnp.ones(3))).tolist()
        [0.0, 0.0, 0.0]
    """
    return jnp.tanh(state.cell) if isinstance(state, LSTMState) else state
