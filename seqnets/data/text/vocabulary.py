"""The one-to-one map between characters (or bytes) and tokens."""

import codecs
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np

from seqnets.data.text.normal_form import fitting_form, form_in_words, normalized, shown
from seqnets.data.token_kinds import NormalForm, UnknownPolicy, VocabularyKind
from seqnets.errors import UserError

_NAMED = 8  # characters that a difference lists

_CODE_POINTS = 0x110000
_REPLACEMENTS = "\ufffd? "


@dataclass(frozen=True)
class Vocabulary:
    """The characters a model knows; token i stands for the i-th one.

    `chars` holds the Unicode code points of a text in sorted order. `bytes` holds all 256 bytes, reads any text
    as UTF-8 and so never meets an unknown character.

    Args:
        kind: "chars" or "bytes".
        characters: the distinct characters in token order; empty for "bytes".
        normalize: the normal form applied to texts before they are encoded: "nfc", "nfd", or "none".

    Raises:
        UserError: the kind or the form is unknown, or the characters are missing, repeated or lone surrogates.

    Example:
        >>> vocabulary = Vocabulary.from_text("hello")
        >>> len(vocabulary), vocabulary.characters
        (4, 'ehlo')
        >>> vocabulary.encode("hole").tolist()
        [1, 3, 2, 0]
        >>> vocabulary.decode([1, 3, 2, 0])
        'hole'
    """

    kind: VocabularyKind
    characters: str = ""
    normalize: NormalForm = "none"

    def __post_init__(self) -> None:
        if self.kind not in get_args(VocabularyKind):
            raise UserError(f"vocabulary kind must be 'chars' or 'bytes', not {self.kind!r}")
        if self.kind == "bytes" and self.characters:
            raise UserError("a vocabulary of bytes has no list of characters; leave `characters` empty")
        if self.kind == "chars":
            _check_characters(self.characters)
        if self.normalize not in get_args(NormalForm) or (self.kind == "bytes" and self.normalize != "none"):
            raise UserError(f"a vocabulary of {self.kind} has no normal form {str(self.normalize)[:20]!r}; leave it out")

    @classmethod
    def from_text(cls, text: str) -> "Vocabulary":
        """Return the sorted distinct code points of a text.

        Example:
            >>> Vocabulary.from_text("banana").characters
            'abn'
        """
        return cls("chars", "".join(sorted(set(text))))

    def __len__(self) -> int:
        return 256 if self.kind == "bytes" else len(self.characters)

    def __str__(self) -> str:
        return "256 bytes" if self.kind == "bytes" else f"{len(self):,} character{'' if len(self) == 1 else 's'}"

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned little-endian type that holds every token."""
        return np.dtype("<u1" if len(self) <= 1 << 8 else "<u2" if len(self) <= 1 << 16 else "<u4")

    @property
    def digest(self) -> str:
        """A short hash of the kind and the characters, equal only for equal vocabularies."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()[:16]

    @cached_property
    def _token_of(self) -> np.ndarray:
        table = np.full(_CODE_POINTS, -1, np.int32)
        table[_code_points(self.characters)] = np.arange(len(self.characters), dtype=np.int32)
        return table

    @cached_property
    def _code_point_of(self) -> np.ndarray:
        return _code_points(self.characters).astype("<u4")

    def encode(
        self,
        text: str,
        *,
        unknown: UnknownPolicy = "error",
        name: str = "the text",
        offset: int = 0,
        encoding: str = "utf-8",
    ) -> np.ndarray:
        """Return the tokens of a text.

        Args:
            text: any string. For "bytes" it is read as UTF-8.
            unknown: what to do with a character that the vocabulary lacks: "error", "skip" it, or "replace" it by
                the first of U+FFFD, "?" and the space that the vocabulary has.
            name: what to call the text in an error.
            offset: the byte at which `text` begins in `name`, for errors.
            encoding: how `text` is written in `name`, for the byte offset in errors.

        Returns:
            Tokens, int32, of shape (T,).

        Raises:
            UserError: a character is unknown and `unknown` is "error" (the message names it and its byte offset), or
                the vocabulary has no replacement character.

        Example:
            >>> Vocabulary.from_text("abc").encode("cafe", unknown="skip").tolist()
            [2, 0]
            >>> Vocabulary.from_text("abc").encode("cafe", name="the prompt")
            Traceback (most recent call last):
            ...
            seqnets.errors.UserError: vocabulary (3 characters) has no character 'f' (at byte 2 of the prompt); train
            with --data.vocabulary bytes, or pass --unknown skip
        """
        if unknown not in get_args(UnknownPolicy):
            raise UserError(f"unknown must be 'error', 'skip' or 'replace', not {unknown!r}")
        if self.kind == "bytes":
            return np.frombuffer(_utf8(text, name), np.uint8).astype(np.int32)
        text = normalized(text, self.normalize)
        tokens = self._token_of[_code_points(text)]
        missing = tokens < 0
        if not missing.any():
            return tokens
        if unknown == "skip":
            return tokens[~missing]
        if unknown == "replace":
            return np.where(missing, self._replacement(), tokens)
        raise self._unknown(text, int(np.argmax(missing)), name, offset, encoding)

    def _unknown(self, text: str, first: int, name: str, offset: int, encoding: str) -> UserError:
        at = offset + len(text[:first].encode(encoding, "surrogatepass"))
        place = f"at byte {at:,} of {name}" if self.normalize == "none" else f"in {name}"
        return UserError(
            f"vocabulary ({self}) has no character {shown(text[first])} ({place}); "
            f"{self._hint(text, first, name)}train with --data.vocabulary bytes, or pass --unknown skip"
        )

    def _hint(self, text: str, first: int, name: str) -> str:
        """Guess what is wrong with the text; "" where nothing is known."""
        if "\udc80" <= text[first] <= "\udcff":
            return f"{name} is not UTF-8; give it as UTF-8, "
        if text[first] == "\\":
            return f"{name} is taken as it is: for a line break use $'...\\n...' of the shell, or a file; or "
        form = fitting_form(text, self.characters) if self.normalize == "none" else None
        if form:
            own = form_in_words("nfd" if form == "nfc" else "nfc")
            return (
                f"{name} is {own}; {form_in_words(form)}, it would have known characters only: convert it, train with "
                f"--data.normalize {form}, "
            )
        return ""

    def count_unknown(self, text: str) -> int:
        """Return how many characters of a text the vocabulary lacks.

        Example:
            >>> Vocabulary.from_text("abc").count_unknown("cafe")
            2
        """
        if self.kind == "bytes":
            return 0
        return int(np.count_nonzero(self._token_of[_code_points(normalized(text, self.normalize))] < 0))

    def _replacement(self) -> np.int32:
        for character in _REPLACEMENTS:
            if character in self.characters:
                return self._token_of[ord(character)]
        raise UserError(
            f"vocabulary ({self}) has no U+FFFD, '?' or space to replace unknown characters with; pass --unknown skip"
        )

    def decode(self, tokens: Any) -> str:
        """Return the text of some tokens; bytes that are not UTF-8 become U+FFFD.

        Args:
            tokens: integers in [0, V), of shape (T,): a list, a NumPy or a JAX array.

        Raises:
            UserError: a token is not an integer of this vocabulary.

        Example:
            >>> bytes_vocabulary().decode([72, 105, 0xe2, 0x82])
            'Hi\ufffd'
        """
        return self._bytes_of(tokens).decode(self._codec, "replace")

    def decoder(self) -> "Decoder":
        """Return a decoder for tokens that come a few at a time.

        Example:
            >>> decoder = bytes_vocabulary().decoder()
            >>> [decoder.push([byte]) for byte in "né".encode()], decoder.finish()
            (['n', '', 'é'], '')
        """
        return Decoder(self)

    @property
    def _codec(self) -> str:
        return "utf-8" if self.kind == "bytes" else "utf-32-le"

    def _bytes_of(self, tokens: Any) -> bytes:
        tokens = _as_tokens(tokens, len(self))
        if self.kind == "bytes":
            return tokens.astype(np.uint8).tobytes()
        return self._code_point_of[tokens].tobytes()

    def difference(self, other: "Vocabulary", names: tuple[str, str] = ("this vocabulary", "the other")) -> str:
        """Describe in one sentence how another vocabulary differs; "" if it does not.

        Args:
            other: the vocabulary to compare with.
            names: what to call this one and the other.

        Example:
            >>> model, text = Vocabulary.from_text("abc"), Vocabulary.from_text("abxy")
            >>> model.difference(text, ("the model's vocabulary", "the text's"))
            "the model's vocabulary has 3 characters and the text's 4: only the first has 'c'; only the second has
            'x', 'y'"
        """
        return _difference(self, other, names)

    def to_json(self) -> dict[str, str]:
        """Return the fields that `from_json` reads, for `json.dump`.

        Example:
            >>> Vocabulary.from_text("abba").to_json()
            {'kind': 'chars', 'characters': 'ab'}
        """
        form = {} if self.normalize == "none" else {"normalize": self.normalize}  # older versions do not know this field
        return {"kind": self.kind, "characters": self.characters, **form}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Vocabulary":
        """Return the vocabulary that `to_json` wrote.

        Raises:
            UserError: the fields are not those of a vocabulary.

        Example:
            >>> Vocabulary.from_json({"kind": "chars", "characters": "ab"}) == Vocabulary.from_text("abba")
            True
        """
        if not isinstance(fields, Mapping) or set(fields) - {"normalize"} != {"kind", "characters"}:
            shown = sorted(fields) if isinstance(fields, Mapping) else type(fields).__name__
            raise UserError(f"a saved vocabulary has the fields 'kind' and 'characters', not {shown}")
        if not isinstance(fields["characters"], str):
            raise UserError(f"a saved vocabulary's 'characters' is a string, not {type(fields['characters']).__name__}")
        return cls(fields["kind"], fields["characters"], fields.get("normalize", "none"))


def bytes_vocabulary() -> Vocabulary:
    """Return the vocabulary of all 256 bytes, which reads any text and any file.

    Example:
        >>> bytes_vocabulary().encode("é").tolist()
        [195, 169]
    """
    return Vocabulary("bytes")


class Decoder:
    """Turns tokens into text one at a time, without ever splitting a character; made by `Vocabulary.decoder`."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._text = codecs.getincrementaldecoder(vocabulary._codec)("replace")

    def push(self, tokens: Any) -> str:
        """Return the text that is complete after these tokens."""
        return self._text.decode(self._vocabulary._bytes_of(tokens))

    def finish(self) -> str:
        """Return what is left; an incomplete character becomes U+FFFD."""
        rest = self._text.decode(b"", final=True)
        self._text.reset()
        return rest


def unknown_words(unknown: int, count: int, policy: str) -> str:
    """Report how many characters a model does not know, and whether they were left out or replaced.

    Example:
        >>> unknown_words(3, 10, "skip")
        '3 of 10 characters are unknown to the model and left out'
    """
    are = "is" if unknown == 1 else "are"
    return f"{unknown:,} of {count:,} characters {are} unknown to the model and {'left out' if policy == 'skip' else 'replaced'}"


def _code_points(text: str) -> np.ndarray:
    if text.isascii():  # one byte per character, the common case, is twice as fast
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _utf8(text: str, name: str) -> bytes:
    try:  # command-line arguments hold bytes that are not UTF-8 as lone surrogates; this restores them
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise UserError(f"{text[error.start]!r} in {name} is half a character (a lone surrogate); remove it") from None


def _check_characters(characters: str) -> None:
    if not characters:
        raise UserError("a vocabulary needs at least one character; the text is empty")
    if len(set(characters)) < len(characters):
        repeated = next(c for c in characters if characters.count(c) > 1)
        raise UserError(f"a vocabulary lists each character once; {repeated!r} occurs twice")
    surrogates = [c for c in characters if "\ud800" <= c <= "\udfff"]
    if surrogates:
        raise UserError(f"{surrogates[0]!r} is half a character (a lone surrogate); use --data.vocabulary bytes")


def _as_tokens(tokens: Any, size: int) -> np.ndarray:
    tokens = np.atleast_1d(np.asarray(tokens))
    if tokens.size == 0:
        tokens = tokens.astype(np.int32)
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise UserError(f"tokens must be integers of shape (T,), not {tokens.dtype} of shape {tokens.shape}")
    if tokens.size and not (tokens.min() >= 0 and tokens.max() < size):
        raise UserError(f"tokens must be in [0, {size}); these go from {tokens.min()} to {tokens.max()}")
    return tokens


def _difference(first: Vocabulary, second: Vocabulary, names: tuple[str, str]) -> str:
    """Describe what only one of two vocabularies has; "" if they are equal. `names` are their names."""
    if first == second:
        return ""
    if first.kind != second.kind:
        return f"{names[0]} is of {first.kind} ({first}) and {names[1]} of {second.kind} ({second})"
    if first.normalize != second.normalize:
        return f"{names[0]} reads texts in the normal form {first.normalize!r} and {names[1]} in {second.normalize!r}"
    sizes = f"{names[0]} has {first} and {names[1]} {len(second):,}"
    only_in = {"first": _only(first, second), "second": _only(second, first)}
    parts = [f"only the {which} has {_listed(characters)}" for which, characters in only_in.items() if characters]
    return f"{sizes}: {'; '.join(parts) or 'the same ones in a different order'}"


def _only(vocabulary: Vocabulary, other: Vocabulary) -> list[str]:
    return sorted(set(vocabulary.characters) - set(other.characters))


def _listed(characters: list[str]) -> str:
    more = len(characters) - _NAMED
    return ", ".join(map(repr, characters[:_NAMED])) + (f" and {more:,} more" if more > 0 else "")
