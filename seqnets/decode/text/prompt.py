"""The prompt's tokens, and the carry after them."""

from functools import partial
from typing import Any, NamedTuple

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


class Opening(NamedTuple):
    """How a text begins that continues a prompt.

    Args:
        tokens: int32 of shape (T,), T >= 1, the tokens to read.
        again: the end of the prompt, which the first token that is drawn writes again.
        allowed: bool of shape (V,), the tokens that begin with it; None where all are allowed.
    """

    tokens: np.ndarray
    again: str = ""
    allowed: np.ndarray | None = None


def opening(
    vocabulary: TextVocabulary, prompt: str, *, unknown: UnknownPolicy = "error", separator: tuple[int, ...] = ()
) -> Opening:
    r"""Return how to continue a prompt whose last token may be the beginning of a longer one.

    Where tokens are words or pieces of words, " thou" is one token, and a text that was learned from has no " " before "thou".
    So the last token of a prompt that ends in " " is drawn again, among the tokens that begin with it.

    Args:
        vocabulary: the model's.
        prompt: any text.
        unknown: what to do with a character that the vocabulary lacks: "error", "skip" or "replace".
        separator: the tokens of the document separator; empty for none.

    Raises:
        UserError: a character is unknown and `unknown` is "error".

    References:
        Lundberg, "The art of prompt design: prompt boundaries and token healing", 2023.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> opening(Vocabulary.from_text("ab"), "ba")
        Opening(tokens=array([1, 0], dtype=int32), again='', allowed=None)
    """
    tokens = prompt_tokens(vocabulary, prompt, unknown=unknown, separator=separator)
    again = vocabulary.bytes_of(tokens[-1:])
    allowed = np.array([piece.startswith(again) for piece in vocabulary.spelling or ()])
    if len(tokens) < 2 or np.count_nonzero(allowed) < 2 or not _is_text(again):
        return Opening(tokens)
    return Opening(tokens[:-1], again.decode(), allowed)


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


def _is_text(piece: bytes) -> bool:
    try:
        return bool(piece.decode())
    except UnicodeDecodeError:  # a part of a character
        return False


def _start(vocabulary: TextVocabulary, separator: tuple[int, ...]) -> int:
    if separator:
        return separator[-1]
    known = vocabulary.encode("\n ", unknown="skip")
    return int(known[0]) if len(known) else 0
