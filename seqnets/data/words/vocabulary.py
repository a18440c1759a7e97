"""What the tokens of a captioner stand for: words, characters or bytes, and four special tokens that no caption can spell."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, takewhile
from typing import Any, ClassVar, get_args

import numpy as np

from seqnets import settings
from seqnets.data.text.vocabulary import Vocabulary, bytes_vocabulary
from seqnets.data.token_kinds import CaptionUnit
from seqnets.data.words.spelling import joined_words, word_tokens
from seqnets.errors import UserError

SIGNS = ("<pad>", "<begin>", "<end>", "<unknown>")
_FIRST = len(SIGNS)


class TokenVocabulary(ABC):
    """Tokens of captions: 0 to 3 are the special tokens pad, begin, end and unknown, the others stand for pieces of text.

    A special token is never read from text: a caption that contains `<end>` is read as those five characters.

    Attributes:
        pad: fills short rows of a batch.
        begin: what a decoder reads first.
        end: what a decoder writes last.
        unknown: stands for a piece that the vocabulary lacks.
        kind: the name of the class in `to_json`.
        punctuation: whether a vocabulary of words reads punctuation.
    """

    pad: ClassVar[int] = 0
    begin: ClassVar[int] = 1
    end: ClassVar[int] = 2
    unknown: ClassVar[int] = 3
    kind: str
    punctuation: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """Return the tokens of a caption, int32 of shape (T,), without begin and end; never an error."""

    @property
    @abstractmethod
    def entries(self) -> Sequence[Any]:
        """What the tokens stand for, the special tokens first."""

    @abstractmethod
    def grown(self, other: "TokenVocabulary") -> Any:
        """Return this vocabulary with the entries at its end that only another one of its kind has."""

    @property
    def unit(self) -> str:
        """What a token is: "words", "chars" or "bytes"."""
        return self.kind.removeprefix("caption-")

    def lacking(self, other: "TokenVocabulary") -> list[Any]:
        """Return the entries of another vocabulary that this one lacks, in its order."""
        known = set(self.entries)
        return [entry for entry in other.entries if entry not in known]

    @abstractmethod
    def pieces(self, tokens: Any) -> list[str]:
        """Return the text of each token, as labels of pictures; special tokens show as `<end>` and so on.

        Args:
            tokens: integers in [0, V), of shape (T,).
        """

    @abstractmethod
    def _joined(self, tokens: list[int]) -> str: ...

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the fields that `vocabulary_from_json` reads, for `json.dump`."""

    def decode(self, tokens: Any) -> str:
        """Return the caption that some tokens stand for, up to the first end; begin and pad are left out.

        Args:
            tokens: integers in [0, V), of shape (T,): a list, a NumPy or a JAX array.

        Raises:
            UserError: a token is not an integer of this vocabulary.
        """
        read = takewhile(lambda token: token != self.end, self._checked(tokens))
        return self._joined([token for token in read if token not in (self.pad, self.begin)])

    def _checked(self, tokens: Any) -> list[int]:
        found = np.atleast_1d(np.asarray(tokens))
        found = found if found.size else found.astype(np.int32)
        if found.ndim != 1 or found.dtype.kind not in "iu":
            raise UserError(f"tokens must be integers of shape (T,), not {found.dtype} of shape {found.shape}")
        if found.size and not 0 <= found.min() <= found.max() < len(self):
            raise UserError(f"tokens must be in [0, {len(self)}); these go from {found.min()} to {found.max()}")
        return found.tolist()


@dataclass(frozen=True)
class WordVocabulary(TokenVocabulary):
    """The words a captioner knows, in lower case, by the rule of `word_tokens`; word i has the token 4 + i.

    Args:
        words: the distinct words in token order.
        punctuation: whether punctuation is read; without it captions have words only.

    Raises:
        UserError: there are no words, or one occurs twice.

    Example:
        >>> vocabulary = WordVocabulary.from_captions(["A dog's ball.", "A dog runs."])
        >>> vocabulary.words
        ('.', 'a', 'dog', "'s", 'ball', 'runs')
        >>> vocabulary.encode("A dog flies.").tolist()
        [5, 6, 3, 4]
        >>> vocabulary.decode([1, 5, 6, 7, 8, 4, 2, 0])
        "a dog's ball."
    """

    words: tuple[str, ...]
    punctuation: bool = True
    kind: ClassVar[str] = "words"

    def __post_init__(self) -> None:
        if not self.words:
            raise UserError("a vocabulary needs at least one word; the captions hold none that is frequent enough")
        if not all(isinstance(word, str) and word for word in self.words):
            raise UserError("a vocabulary's words are texts of at least one character")
        if len(set(self.words)) < len(self.words):
            raise UserError(f"a vocabulary lists each word once; {Counter(self.words).most_common(1)[0][0]!r} occurs twice")

    @classmethod
    def from_captions(
        cls, captions: Iterable[str], *, min_count: int = 1, max_size: int | None = None, punctuation: bool = True
    ) -> "WordVocabulary":
        """Return the words of some captions, the most frequent first, equally frequent ones in alphabetical order.

        Args:
            captions: any number.
            min_count: leave out words that occur less often.
            max_size: the most words to keep.
            punctuation: whether to keep punctuation.

        Raises:
            UserError: a setting is out of range, or no word is left.

        Example:
            >>> WordVocabulary.from_captions(["a dog", "a cat", "a dog"], min_count=2).words
            ('a', 'dog')
        """
        counts = Counter(chain.from_iterable(map(word_tokens, captions)))
        known = counts if punctuation else {word: count for word, count in counts.items() if _is_word(word)}
        return cls(_frequent(known, min_count, max_size), punctuation)

    def __len__(self) -> int:
        return _FIRST + len(self.words)

    def __str__(self) -> str:
        return f"{len(self.words):,} word{'s'[: len(self.words) != 1]}"

    @cached_property
    def _token_of(self) -> dict[str, int]:
        return {word: _FIRST + i for i, word in enumerate(self.words)}

    @property
    def entries(self) -> Sequence[Any]:
        """The special tokens and the words."""
        return (*SIGNS, *self.words)

    def grown(self, other: TokenVocabulary) -> "WordVocabulary":
        """Return this vocabulary with the words at its end that only another one has.

        Example:
            >>> WordVocabulary(("a", "dog")).grown(WordVocabulary(("a", "cat"))).words
            ('a', 'dog', 'cat')
        """
        _check_kind(self, other)
        return WordVocabulary((*self.words, *self.lacking(other)), self.punctuation)

    def encode(self, text: str) -> np.ndarray:
        """Return the tokens of a caption, int32 of shape (T,), without begin and end; never an error."""
        words = [word for word in word_tokens(text) if self.punctuation or _is_word(word)]
        return np.array([self._token_of.get(word, self.unknown) for word in words], np.int32)

    def pieces(self, tokens: Any) -> list[str]:
        """Return the words one by one; special tokens show as `<end>` and so on."""
        return [SIGNS[token] if token < _FIRST else self.words[token - _FIRST] for token in self._checked(tokens)]

    def _joined(self, tokens: list[int]) -> str:
        return joined_words(self.pieces(tokens))

    def to_json(self) -> dict[str, Any]:
        """Return the fields that `vocabulary_from_json` reads, for `json.dump`."""
        return {"kind": self.kind, "words": list(self.words), "punctuation": self.punctuation}


@dataclass(frozen=True)
class CharacterVocabulary(TokenVocabulary):
    """Captions one character, or one byte, at a time; runs of white space are read as one space.

    Args:
        letters: the characters or bytes; number i has the token 4 + i.

    Example:
        >>> vocabulary = CharacterVocabulary.from_captions(["a dog", "a god"])
        >>> vocabulary.encode("do  it").tolist(), len(vocabulary)
        ([6, 8, 4, 3, 3], 9)
        >>> vocabulary.decode([6, 8, 7, 2])
        'dog'
        >>> CharacterVocabulary(bytes_vocabulary()).decode([4 + 0xc3, 4 + 0xa9])
        'é'
    """

    letters: Vocabulary

    @property
    def kind(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The name of the class in `to_json`: caption-chars or caption-bytes."""
        return f"caption-{self.letters.kind}"

    @classmethod
    def from_captions(cls, captions: Iterable[str], *, min_count: int = 1, max_size: int | None = None) -> "CharacterVocabulary":
        """Return the characters of some captions, sorted; arguments as for words."""
        counts = Counter(chain.from_iterable(map(_spaced, captions)))
        return cls(Vocabulary("chars", "".join(sorted(_frequent(counts, min_count, max_size)))))

    def __len__(self) -> int:
        return _FIRST + len(self.letters)

    def __str__(self) -> str:
        return str(self.letters)

    @property
    def entries(self) -> Sequence[Any]:
        """The special tokens and the characters or bytes."""
        return (*SIGNS, *self.letters.entries)

    def grown(self, other: TokenVocabulary) -> "CharacterVocabulary":
        """Return this vocabulary with the characters at its end that only another one has."""
        _check_kind(self, other)
        return CharacterVocabulary(self.letters.grown(other.letters))  # pyright: ignore[reportAttributeAccessIssue]

    def encode(self, text: str) -> np.ndarray:
        """Return the tokens of a caption, int32 of shape (T,), without begin and end; never an error."""
        text = _spaced(text)
        if self.letters.kind == "bytes":
            return self.letters.encode(text) + np.int32(_FIRST)
        known = self._token_of
        return np.array([known.get(letter, self.unknown) for letter in text], np.int32)

    @cached_property
    def _token_of(self) -> dict[str, int]:
        return {letter: _FIRST + i for i, letter in enumerate(self.letters.characters)}

    def pieces(self, tokens: Any) -> list[str]:
        r"""Return the characters one by one; bytes beyond ASCII show as `\xc3`, special tokens as `<end>` and so on."""
        return [SIGNS[token] if token < _FIRST else self._piece(token - _FIRST) for token in self._checked(tokens)]

    def _piece(self, letter: int) -> str:
        if self.letters.kind == "chars":
            return self.letters.characters[letter]
        return chr(letter) if letter < 0x80 else f"\\x{letter:02x}"

    def _joined(self, tokens: list[int]) -> str:
        decoder = self.letters.decoder()
        texts = ["\ufffd" if token < _FIRST else decoder.push([token - _FIRST]) for token in tokens]
        return "".join(texts) + decoder.finish()

    def to_json(self) -> dict[str, Any]:
        """Return the fields that `vocabulary_from_json` reads, for `json.dump`."""
        return {"kind": self.kind, "characters": self.letters.characters}


def token_vocabulary(
    captions: Iterable[str],
    unit: CaptionUnit = "words",
    *,
    min_count: int = 1,
    max_size: int | None = None,
    punctuation: bool = True,
) -> TokenVocabulary:
    """Return a vocabulary of words, characters or bytes for some captions.

    Args:
        captions: any number.
        unit: "words", "chars" or "bytes".
        min_count: leave out words or characters that occur less often.
        max_size: the most words or characters to keep, the most frequent first.
        punctuation: whether a vocabulary of words keeps punctuation.

    Raises:
        UserError: a setting is out of range, or nothing is left.

    Example:
        >>> len(token_vocabulary(["a dog", "a cat"], "chars")), len(token_vocabulary([], "bytes"))
        (11, 260)
    """
    if unit not in get_args(CaptionUnit):
        raise UserError(f"the unit of captions must be 'words', 'chars' or 'bytes', not {unit!r}")
    if unit == "bytes":
        return CharacterVocabulary(bytes_vocabulary())
    if unit == "chars":
        return CharacterVocabulary.from_captions(captions, min_count=min_count, max_size=max_size)
    return WordVocabulary.from_captions(captions, min_count=min_count, max_size=max_size, punctuation=punctuation)


def _check_kind(first: TokenVocabulary, second: TokenVocabulary) -> None:
    if first.kind != second.kind:
        raise UserError(f"a vocabulary of {first.unit} cannot grow by {second.unit}")


def _frequent(counts: Mapping[str, int], min_count: int, max_size: int | None) -> tuple[str, ...]:
    settings.whole("min_count", min_count, settings.POSITIVE)
    if max_size is not None:
        settings.whole("max_size", max_size, settings.POSITIVE)
    often = (piece for piece, count in counts.items() if count >= min_count)
    return tuple(islice(sorted(often, key=lambda piece: (-counts[piece], piece)), max_size))


def _is_word(token: str) -> bool:
    return any(map(str.isalnum, token))


def _spaced(text: str) -> str:
    return " ".join(text.split())


def words_from_json(fields: Mapping[str, Any]) -> WordVocabulary:
    """Return the words that `WordVocabulary.to_json` wrote.

    Raises:
        UserError: the fields are not those of a vocabulary of words.
    """
    words, punctuation = fields.get("words"), fields.get("punctuation")
    if set(fields) != {"kind", "words", "punctuation"} or not isinstance(words, list) or not isinstance(punctuation, bool):
        raise UserError(f"a saved vocabulary of words has the fields 'kind', 'words' and 'punctuation', not {sorted(fields)}")
    return WordVocabulary(tuple(words), punctuation)
