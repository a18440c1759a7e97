"""The one-to-one map between characters (or bytes) and tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, get_args

import numpy as np

from seqnets.data.text.normal_form import fitting_form, form_in_words, normalized, shown
from seqnets.data.text.text_vocabulary import TextVocabulary, as_tokens
from seqnets.data.token_kinds import NormalForm, UnknownPolicy, VocabularyKind
from seqnets.errors import UserError

_CODE_POINTS = 0x110000
_REPLACEMENTS = "\ufffd? "


@dataclass(frozen=True)
class Vocabulary(TextVocabulary):
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
        if self.kind not in ("chars", "bytes"):
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
    def entries(self) -> Sequence[Any]:
        """What the tokens stand for: the characters, or the numbers of the bytes."""
        return range(256) if self.kind == "bytes" else self.characters

    @property
    def spelling(self) -> tuple[bytes, ...] | None:
        """The bytes of each token for a vocabulary of bytes; None for one of characters, which no token splits."""
        return tuple(bytes([byte]) for byte in range(256)) if self.kind == "bytes" else None

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
        offset: int | None = 0,
        encoding: str = "utf-8",
    ) -> np.ndarray:
        """Return the tokens of a text.

        Args:
            text: any string. For "bytes" it is read as UTF-8.
            unknown: what to do with a character that the vocabulary lacks: "error", "skip" it, or "replace" it by
                the first of U+FFFD, "?" and the space that the vocabulary has.
            name: what to call the text in an error.
            offset: the byte at which `text` begins in `name`, for errors; None where it is not known.
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
            return np.frombuffer(utf8_bytes(text, name), np.uint8).astype(np.int32)
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

    def _unknown(self, text: str, first: int, name: str, offset: int | None, encoding: str) -> UserError:
        place = f"in {name}"
        if offset is not None and self.normalize == "none":
            place = f"at byte {offset + len(text[:first].encode(encoding, 'surrogatepass')):,} of {name}"
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

    def bytes_of(self, tokens: Any) -> bytes:
        """Return the bytes that some tokens stand for, in the encoding `codec`."""
        tokens = as_tokens(tokens, len(self))
        if self.kind == "bytes":
            return tokens.astype(np.uint8).tobytes()
        return self._code_point_of[tokens].tobytes()

    @property
    def codec(self) -> str:
        """The encoding of `bytes_of`."""
        return "utf-8" if self.kind == "bytes" else "utf-32-le"

    def grown(self, other: TextVocabulary) -> "Vocabulary":
        """Return this vocabulary with the characters at its end that only another one has.

        Example:
            >>> Vocabulary.from_text("ac").grown(Vocabulary.from_text("abx")).characters
            'acbx'
        """
        self.check_kind(other)
        return self if self.kind == "bytes" else replace(self, characters="".join([*self.characters, *self.lacking(other)]))

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


def _code_points(text: str) -> np.ndarray:
    if text.isascii():  # one byte per character, the common case, is twice as fast
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def utf8_bytes(text: str, name: str) -> bytes:
    """Return a text as UTF-8; bytes that a command line could not decode are restored."""
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
