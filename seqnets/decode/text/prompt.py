"""The prompt's tokens, and the carry after them."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from seqnets.data.text.streams import TokenStream
from seqnets.data.text.text_vocabulary import TextVocabulary
from seqnets.data.token_kinds import UnknownPolicy
from seqnets.decode.given import model_of

_CHUNK = 128


def prompt_tokens(
    vocabulary: TextVocabulary, prompt: str, *, unknown: UnknownPolicy = "error", separator: tuple[int, ...] = ()
) -> np.ndarray:
    r"""Return the tokens of a prompt; for an empty prompt, the one token that writing starts from.

    That token is the last one of the document separator; without a separator, it is a newline; if the vocabulary has no
    newline, it is a space, or else the first character. It is read, not written.

    Args:
        vocabulary: the model's.
        prompt: any text.
        unknown: what to do with a character that the vocabulary lacks: "error", "skip" or "replace".
        separator: the tokens of the document separator; empty for none.

    Returns:
        int32 of shape (T,), T >= 1.

    Raises:
        UserError: a character is unknown and `unknown` is "error".

    Example:
        >>> from seqnets.data import Vocabulary
        >>> prompt_tokens(Vocabulary.from_text("ab\n"), "").tolist()
        [0]
    """
    tokens = vocabulary.encode(prompt, unknown=unknown, name="the prompt")
    return tokens if len(tokens) else np.array([_start(vocabulary, separator)], np.int32)


def read_prompt(model: Any, tokens: np.ndarray, separator: tuple[int, ...] = ()) -> Any:
    """Return the carry, for a batch of one, after a model has read all tokens but the last.

    The tokens go through the whole-sequence path in pieces of one size, the first padded on the left and reset where
    the prompt begins, so that all prompt lengths share one compiled program.

    Args:
        model: a `CharLM`, or a `Split` one.
        tokens: int32 of shape (T,), T >= 1.
        separator: tokens of the document separator, at whose last token the carry is reset, as in training.
    """
    split = Split.of(model)
    before = tokens[:-1]
    padding = -len(before) % _CHUNK
    padded = np.concatenate([np.zeros(padding, np.int32), before])
    resets = np.concatenate([np.zeros(padding, bool), _document_starts(before, separator)])
    if len(before):
        resets[padding] = True
    carry = split.initialize_carry(1)
    for start in range(0, len(padded), _CHUNK):
        piece = np.s_[None, start : start + _CHUNK]
        carry = _read(split.graph, split.values, padded[piece], resets[piece], carry)
    return carry


class Split:
    """A model split once, so that compiled functions take its values and not the object."""

    def __init__(self, model: nnx.Module) -> None:
        self.graph, self.values = nnx.split(model_of(model))
        self.vocabulary: TextVocabulary = model.vocabulary  # pyright: ignore[reportAttributeAccessIssue]

    def initialize_carry(self, rows: int) -> Any:
        """Return the model's carry before the first character."""
        return _initial_carry(self.graph, rows, self.values)

    @classmethod
    def of(cls, model: Any) -> "Split":
        """Split a model, unless it is already split."""
        return model if isinstance(model, Split) else cls(model)


@partial(jax.jit, static_argnums=(0, 1))
def _initial_carry(graph: Any, rows: int, values: Any) -> Any:
    return nnx.merge(graph, values).initialize_carry(rows)


@partial(jax.jit, static_argnums=0)
def _read(graph: Any, values: Any, tokens: Array, resets: Array, carry: Any) -> Any:
    _, carry = nnx.merge(graph, values).features(jnp.asarray(tokens), carry, resets=jnp.asarray(resets))
    return carry


def _document_starts(tokens: np.ndarray, separator: tuple[int, ...]) -> np.ndarray:
    return TokenStream(tokens, separator).document_starts(np.arange(len(tokens)))


def _start(vocabulary: TextVocabulary, separator: tuple[int, ...]) -> int:
    if separator:
        return separator[-1]
    known = vocabulary.encode("\n ", unknown="skip")
    return int(known[0]) if len(known) else 0
