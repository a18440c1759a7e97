"""What every vocabulary of texts can do: encode, decode, also a few tokens at a time, and grow."""

import codecs
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from seqnets.data.text.differences import difference
from seqnets.data.token_kinds import NormalForm, UnknownPolicy, VocabularyKind
from seqnets.errors import UserError


class TextVocabulary(ABC):
    """The one-to-one map between texts and tokens.

    Attributes:
        kind: what a token is: "chars", "bytes", "words" or "bpe".
        normalize: the normal form applied to texts before they are encoded: "nfc", "nfd", or "none".
    """

    kind: VocabularyKind
    normalize: NormalForm = "none"

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def entries(self) -> Sequence[Any]:
        """What the tokens stand for, by which two vocabularies of a kind are compared."""

    @property
    @abstractmethod
    def spelling(self) -> tuple[bytes, ...] | None:
        """The UTF-8 of each token, where a token may be a part of a character; None where no token splits one."""

    @cached_property
    def spelled(self) -> tuple[bytes, ...]:
        """The UTF-8 of each token, for every kind."""
        return tuple(str(entry).encode() for entry in self.entries) if self.spelling is None else self.spelling

    @abstractmethod
    def encode(
        self,
        text: str,
        *,
        unknown: UnknownPolicy = "error",
        name: str = "the text",
        offset: int = 0,
        encoding: str = "utf-8",
    ) -> np.ndarray:
        """Return the tokens of a text, int32 of shape (T,)."""

    @abstractmethod
    def bytes_of(self, tokens: Any) -> bytes:
        """Return the bytes that some tokens stand for, in the encoding `codec`."""

    @abstractmethod
    def grown(self, other: "TextVocabulary") -> Any:
        """Return this vocabulary with the entries at its end that only another one of its kind has."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the fields that `seqnets.data.words.kinds.vocabulary_from_json` reads, for `json.dump`."""

    def count_unknown(self, text: str) -> int:
        """Return how many characters of a text the vocabulary lacks."""
        return 0

    @property
    def codec(self) -> str:
        """The encoding of `bytes_of`."""
        return "utf-8"

    @property
    def unit(self) -> str:
        """What the figures of a text are counted in: "character", or "byte" for a vocabulary of bytes."""
        return "byte" if self.kind == "bytes" else "character"

    @cached_property
    def units_in(self) -> np.ndarray:
        """How many units begin in each token, int32 `(V,)`: the sum over a text's tokens is its length."""
        if self.spelling is None or self.kind == "bytes":
            return np.ones(len(self), np.int32)
        return np.array([sum(byte & 0xC0 != 0x80 for byte in piece) for piece in self.spelling], np.int32)

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned little-endian type that holds every token."""
        return np.dtype("<u1" if len(self) <= 1 << 8 else "<u2" if len(self) <= 1 << 16 else "<u4")

    @cached_property
    def digest(self) -> str:
        """A short hash of the kind and the entries, equal only for equal vocabularies."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()[:16]

    def decode(self, tokens: Any) -> str:
        r"""Return the text of some tokens; bytes that are not UTF-8 become U+FFFD.

        Args:
            tokens: integers in [0, V), of shape (T,): a list, a NumPy or a JAX array.

        Raises:
            UserError: a token is not an integer of this vocabulary.

        Example:
            >>> from seqnets.data import bytes_vocabulary
            >>> bytes_vocabulary().decode([72, 105, 0xe2, 0x82])
            'Hi\ufffd'
        """
        return self.bytes_of(tokens).decode(self.codec, "replace")

    def decoder(self) -> "Decoder":
        """Return a decoder for tokens that come a few at a time.

        Example:
            >>> from seqnets.data import bytes_vocabulary
            >>> decoder = bytes_vocabulary().decoder()
            >>> [decoder.push([byte]) for byte in "né".encode()], decoder.finish()
            (['n', '', 'é'], '')
        """
        return Decoder(self)

    def lacking(self, other: "TextVocabulary") -> list[Any]:
        """Return the entries of another vocabulary that this one lacks, in its order."""
        known = set(self.entries)
        return [entry for entry in other.entries if entry not in known]

    def check_kind(self, other: "TextVocabulary") -> None:
        """Refuse a vocabulary of another kind, or for texts in another normal form.

        Raises:
            UserError: it is one.
        """
        if (self.kind, self.normalize) != (other.kind, other.normalize):
            raise UserError(f"one vocabulary cannot hold both: {self.difference(other)}")

    def difference(self, other: "TextVocabulary", names: tuple[str, str] = ("this vocabulary", "the other")) -> str:
        """Describe in one sentence how another vocabulary differs; "" if it does not.

        Args:
            other: the vocabulary to compare with.
            names: what to call this one and the other.

        Example:
            >>> from seqnets.data import Vocabulary
            >>> model, text = Vocabulary.from_text("abc"), Vocabulary.from_text("abxy")
            >>> model.difference(text, ("the model's vocabulary", "the text's"))
            "the model's vocabulary has 3 characters and the text's 4: only the first has 'c'; only the second has
            'x', 'y'"
        """
        return difference(self, other, names)


class Decoder:
    """Turns tokens into text one at a time, without ever splitting a character; made by `TextVocabulary.decoder`."""

    def __init__(self, vocabulary: TextVocabulary) -> None:
        self._vocabulary = vocabulary
        self._text = codecs.getincrementaldecoder(vocabulary.codec)("replace")

    def push(self, tokens: Any) -> str:
        """Return the text that is complete after these tokens."""
        return self._text.decode(self._vocabulary.bytes_of(tokens))

    def finish(self) -> str:
        """Return what is left; an incomplete character becomes U+FFFD."""
        rest = self._text.decode(b"", final=True)
        self._text.reset()
        return rest


def as_tokens(tokens: Any, size: int) -> np.ndarray:
    """Return tokens as an array.

    Raises:
        UserError: they are not integers in [0, size) of shape (T,).
    """
    tokens = np.atleast_1d(np.asarray(tokens))
    if tokens.size == 0:
        tokens = tokens.astype(np.int32)
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise UserError(f"tokens must be integers of shape (T,), not {tokens.dtype} of shape {tokens.shape}")
    if tokens.size and not (tokens.min() >= 0 and tokens.max() < size):
        raise UserError(f"tokens must be in [0, {size}); these go from {tokens.min()} to {tokens.max()}")
    return tokens
