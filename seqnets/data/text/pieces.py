"""Tokens of several characters: whole words, and pieces found by byte pair encoding."""

import json
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from seqnets.data.text.normal_form import normalized
from seqnets.data.text.text_vocabulary import TextVocabulary, as_tokens
from seqnets.data.text.vocabulary import utf8_bytes
from seqnets.data.token_kinds import NormalForm, UnknownPolicy, VocabularyKind
from seqnets.errors import UserError

BYTES = tuple(bytes([byte]) for byte in range(256))
LEAST_COUNT = 2  # a word that occurs once is spelled, which teaches the model how words are spelled

# A text is cut into words, numbers and runs of punctuation, each with the space before it, and into runs of line breaks and
# of other white space. Every character is in one piece, so joining the pieces gives the text back.
_LETTER = r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u0e4e])"  # the ranges are marks that stand within words
_CUT = re.compile(rf" ?{_LETTER}+(?:['’]{_LETTER}+)?| ?\d+| ?(?:[^\w\s]|_)+|\n+|[^\S\n]+(?!\S)|[^\S\n]+|.", re.DOTALL)
_CUT_FOR_TOKENIZERS = r" ?[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)?| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\n+|[^\S\n]+(?!\S)|[^\S\n]+"
_BATCH = 1 << 14  # characters that the library gets at once


class PieceVocabulary(TextVocabulary):
    """A vocabulary whose first 256 tokens are the bytes, so that it knows every text; the others are longer pieces of text.

    Attributes:
        separator: a text that is always one token, such as the end of a document; "" for none.
    """

    separator: str

    @property
    @abstractmethod
    def spelling(self) -> tuple[bytes, ...]:
        """The UTF-8 of each token."""

    @property
    def entries(self) -> Sequence[Any]:
        """The UTF-8 of each token."""
        return self.spelling

    def __len__(self) -> int:
        return len(self.spelling)

    @abstractmethod
    def _tokens(self, text: str, name: str) -> Iterator[Sequence[int]]:
        """Yield the tokens of a text without separators, piece by piece."""

    @cached_property
    def _number_of(self) -> dict[bytes, int]:
        return {piece: number for number, piece in reversed(list(enumerate(self.spelling)))}

    def encode(
        self,
        text: str,
        *,
        unknown: UnknownPolicy = "error",
        name: str = "the text",
        offset: int = 0,
        encoding: str = "utf-8",
    ) -> np.ndarray:
        """Return the tokens of a text, int32 of shape (T,); nothing is unknown.

        Args:
            text: any string.
            unknown: no effect.
            name: what to call the text in an error.
            offset: no effect.
            encoding: no effect.

        Raises:
            UserError: the text holds half a character (a lone surrogate).
        """
        utf8_bytes(text, name)
        tokens: list[int] = []
        parts = normalized(text, self.normalize).split(self.separator) if self.separator else [normalized(text, self.normalize)]
        for number, part in enumerate(parts):
            if number:
                tokens.append(self._number_of[self.separator.encode()])
            for piece in self._tokens(part, name):
                tokens.extend(piece)
        return np.array(tokens, np.int32)

    def bytes_of(self, tokens: Any) -> bytes:
        """Return the UTF-8 that some tokens stand for."""
        return b"".join([self.spelling[token] for token in as_tokens(tokens, len(self)).tolist()])


@dataclass(frozen=True)
class TextWords(PieceVocabulary):
    r"""The frequent words of a text, with the spaces before them; other words are spelled by their bytes.

    Args:
        words: the distinct words, numbers and runs of punctuation or of line breaks; number i has the token 256 + i.
        normalize: see `TextVocabulary`.
        separator: see `PieceVocabulary`; one of the words if it has several bytes.

    Raises:
        UserError: a word occurs twice, has a single byte or is no text.

    Example:
        >>> vocabulary = TextWords.from_texts(["the cat, the dog\n\n", "a dog, the cat\n\n"])
        >>> vocabulary.words
        ('\n\n', ' cat', ' dog', ' the')
        >>> tokens = vocabulary.encode("the cat, the owl\n")
        >>> tokens.tolist()
        [116, 104, 101, 257, 44, 259, 32, 111, 119, 108, 10]
        >>> vocabulary.decode(tokens)
        'the cat, the owl\n'
    """

    words: tuple[str, ...]
    normalize: NormalForm = "none"
    separator: str = ""
    kind: ClassVar[VocabularyKind] = "words"  # pyright: ignore[reportIncompatibleVariableOverride]

    def __post_init__(self) -> None:
        if not all(isinstance(word, str) and len(word.encode("utf-8", "replace")) > 1 for word in self.words):
            raise UserError("the words of a vocabulary are texts of at least two bytes")
        if len(set(self.words)) < len(self.words):
            raise UserError(f"a vocabulary lists each word once; {Counter(self.words).most_common(1)[0][0]!r} occurs twice")
        if len(self.separator.encode()) > 1 and self.separator not in self.words:
            raise UserError(f"the separator {self.separator!r} must be one of the words")

    @classmethod
    def from_texts(
        cls, texts: Iterable[str], size: int = 4096, *, normalize: NormalForm = "none", separator: str = ""
    ) -> "TextWords":
        """Return the most frequent words of some texts, equally frequent ones in alphabetical order.

        Args:
            texts: pieces of the text; words do not reach from one to the next.
            size: the most tokens, the 256 bytes included. Words that occur only once are left out.
            normalize: see `TextVocabulary`; applied to the texts.
            separator: see `PieceVocabulary`.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            for part in normalized(text, normalize).split(separator) if separator else [normalized(text, normalize)]:
                counts.update(_CUT.findall(part))
        first = (separator,) if len(separator.encode()) > 1 else ()
        often = [word for word, n in counts.items() if n >= LEAST_COUNT and len(word.encode()) > 1 and word not in first]
        often.sort(key=lambda word: (-counts[word], word))
        return cls((*first, *often[: max(0, size - 256 - len(first))]), normalize, separator)

    def __str__(self) -> str:
        return f"{len(self.words):,} word{'s'[: len(self.words) != 1]} and 256 bytes"

    @cached_property
    def spelling(self) -> tuple[bytes, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The UTF-8 of each token."""
        return (*BYTES, *(word.encode() for word in self.words))

    @cached_property
    def _word_of(self) -> dict[str, tuple[int, ...]]:
        return {word: (256 + number,) for number, word in enumerate(self.words)}

    def _tokens(self, text: str, name: str) -> Iterator[Sequence[int]]:
        known = self._word_of
        for piece in _CUT.findall(text):
            yield known.get(piece) or utf8_bytes(piece, name)

    def grown(self, other: TextVocabulary) -> "TextWords":
        """Return this vocabulary with the words at its end that only another one has.

        Example:
            >>> TextWords(("ab", "cd")).grown(TextWords(("ef", "ab"))).words
            ('ab', 'cd', 'ef')
        """
        self.check_kind(other)
        words = tuple(word.decode() for word in self.lacking(other))
        return replace(self, words=(*self.words, *words), separator=other.separator)  # pyright: ignore[reportAttributeAccessIssue]

    def to_json(self) -> dict[str, Any]:
        """Return the fields that `from_json` reads, for `json.dump`."""
        return {"kind": "text-words", "words": list(self.words), "normalize": self.normalize, "separator": self.separator}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "TextWords":
        """Return the vocabulary that `to_json` wrote.

        Raises:
            UserError: the fields are not those of a vocabulary of words.
        """
        _check_fields(fields, {"words": list, "normalize": str, "separator": str})
        return cls(tuple(fields["words"]), fields["normalize"], fields["separator"])


@dataclass(frozen=True)
class TextSubwords(PieceVocabulary):
    """Pieces found by byte pair encoding: bytes that often stand side by side are joined, and the results again.

    Args:
        tokenizer: the tokenizer as the library tokenizers writes it, a byte-level BPE.
        normalize: see `TextVocabulary`.
        separator: see `PieceVocabulary`; the last token if it is not among the pieces.

    Raises:
        UserError: tokenizers is not installed, or the tokenizer is of another kind.

    Example:
        >>> vocabulary = TextSubwords.from_texts(["low lower lowest low lower newest"] * 4, size=264)
        >>> vocabulary.spelling[256:259]
        (b'lo', b'low', b' low')
        >>> vocabulary.decode(vocabulary.encode("slow 🐌"))
        'slow 🐌'

    References:
        Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016.
        Radford et al., "Language Models are Unsupervised Multitask Learners", 2019 (bytes as the alphabet).
    """

    tokenizer: str
    normalize: NormalForm = "none"
    separator: str = ""
    kind: ClassVar[VocabularyKind] = "bpe"  # pyright: ignore[reportIncompatibleVariableOverride]

    def __post_init__(self) -> None:
        if self.spelling[:256] != BYTES:
            raise UserError("a tokenizer for texts begins with the 256 bytes; this one does not: train it with seqnets")

    @classmethod
    def from_texts(
        cls, texts: Iterable[str], size: int = 4096, *, normalize: NormalForm = "none", separator: str = ""
    ) -> "TextSubwords":
        """Train a byte pair encoding.

        Args:
            texts: pieces of the text; tokens do not reach from one to the next.
            size: the most tokens, the 256 bytes included.
            normalize: see `TextVocabulary`; applied to the texts.
            separator: see `PieceVocabulary`.

        Raises:
            UserError: tokenizers is not installed.
        """
        library = _library()
        tokenizer = library.Tokenizer(library.models.BPE())
        cut = library.pre_tokenizers.Split(library.Regex(_CUT_FOR_TOKENIZERS), "isolated")
        spelled = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = library.pre_tokenizers.Sequence([cut, spelled])
        tokenizer.decoder = library.decoders.ByteLevel()
        first = len(separator.encode()) > 1
        trainer = library.trainers.BpeTrainer(
            vocab_size=size - first, min_frequency=2, initial_alphabet=list(_letters().values()), show_progress=False
        )
        whole = (normalized(text, normalize) for text in texts)
        parts = (part for text in whole for part in (text.split(separator) if separator else [text]))
        tokenizer.train_from_iterator(parts, trainer)
        return cls(_in_order_of_bytes(tokenizer.to_str()), normalize, separator)

    def __str__(self) -> str:
        return f"{len(self):,} pieces of words"

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            return _library().Tokenizer.from_str(self.tokenizer)
        except UserError:
            raise
        except Exception as error:  # the library raises this class itself
            raise UserError(f"the saved tokenizer cannot be read: {str(error)[:80]}; put back a copy of it") from None

    @cached_property
    def spelling(self) -> tuple[bytes, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The UTF-8 of each token."""
        byte_of = {letter: byte for byte, letter in _letters().items()}
        known = sorted(self._tokenizer.get_vocab().items(), key=lambda entry: entry[1])
        pieces = tuple(bytes(byte_of[letter] for letter in piece) for piece, _ in known)
        separator = self.separator.encode()
        return pieces if len(separator) < 2 or separator in pieces else (*pieces, separator)

    def _tokens(self, text: str, name: str) -> Iterator[Sequence[int]]:
        text = utf8_bytes(text, name).decode("utf-8", "replace")
        for found in self._tokenizer.encode_batch(list(_parts(text))):
            yield found.ids

    def grown(self, other: TextVocabulary) -> "TextSubwords":
        """Return this vocabulary, since it knows every text; with the separator of another one, if it has none."""
        self.check_kind(other)
        return self.separated(other.separator)  # pyright: ignore[reportAttributeAccessIssue]

    def separated(self, separator: str) -> "TextSubwords":
        """Return this vocabulary with a separator.

        Raises:
            UserError: it has another one.
        """
        if self.separator and separator and separator != self.separator:
            raise UserError(f"this vocabulary has the separator {self.separator!r}, not {separator!r}; use the same one")
        return replace(self, separator=separator or self.separator)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that `from_json` reads, for `json.dump`."""
        fields = {"kind": self.kind, "tokenizer": json.loads(self.tokenizer)}
        return {**fields, "normalize": self.normalize, "separator": self.separator}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "TextSubwords":
        """Return the vocabulary that `to_json` wrote.

        Raises:
            UserError: the fields are not those of such a vocabulary, or tokenizers is not installed.
        """
        _check_fields(fields, {"tokenizer": dict, "normalize": str, "separator": str})
        return cls(_canonical(fields["tokenizer"]), fields["normalize"], fields["separator"])


VocabularyOfPieces = TextWords | TextSubwords
PIECES: Mapping[str, type[VocabularyOfPieces]] = {"words": TextWords, "bpe": TextSubwords}


def safe_blocks(blocks: Iterable[str], separator: str = "", *, most: int = 1 << 20) -> Iterator[str]:
    r"""Yield the blocks of a text cut only where a piece certainly ends, so that pieces do not depend on where blocks end.

    Such places are before a single space between two words, and after line breaks.

    Args:
        blocks: parts of a text.
        separator: a text that stays whole.
        most: characters without such a place after which a block ends anyway.

    Example:
        >>> list(safe_blocks(["to be or n", "ot\nto be"]))
        ['to be or', ' not\nto', ' be']
    """
    held = ""
    for text in blocks:
        held += text
        place = _last_safe(held, separator)
        if place or len(held) > most:
            place = place or len(held)
            yield held[:place]
            held = held[place:]
    if held:
        yield held


def _last_safe(text: str, separator: str = "") -> int:
    """Return the last place where a piece certainly ends and no separator is cut; 0 where there is none."""
    size = max(1, len(separator))
    place = len(text) - size + 1
    while True:
        space, line = text.rfind(" ", 1, max(place - 1, 1)), text.rfind("\n", 0, max(place - 1, 0)) + 1
        place = max(space, line)
        if place < 1:
            return 0
        ends = text[place] != "\n" if place == line else not (text[place - 1].isspace() or text[place + 1 : place + 2].isspace())
        if ends and place + 1 < len(text) and not (size > 1 and separator in text[max(0, place - size + 1) : place + size - 1]):
            return place


def _parts(text: str) -> Iterator[str]:
    """Cut a long text into parts for the library, which slows down in long ones."""
    begin = 0
    while len(text) - begin > _BATCH:
        place = _last_safe(text[begin : begin + _BATCH]) or _BATCH
        yield text[begin : begin + place]
        begin += place
    yield text[begin:]


def _library() -> Any:
    try:
        import tokenizers

        for part in ("decoders", "models", "pre_tokenizers", "trainers"):
            import_module(f"tokenizers.{part}")
    except ImportError:
        raise UserError("a vocabulary of kind 'bpe' needs tokenizers; install it: pip install 'seqnets[bpe]'") from None
    return tokenizers


def _letters() -> dict[int, str]:
    """Return the visible character that stands for each byte in tokenizers of bytes."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + place) for place, byte in enumerate(others)}


def _in_order_of_bytes(tokenizer: str) -> str:
    """Give the bytes the numbers 0 to 255; the library sorts them by the characters that stand for them."""
    fields = json.loads(tokenizer)
    number_of = {letter: byte for byte, letter in _letters().items()}
    known = fields["model"]["vocab"]
    fields["model"]["vocab"] = {
        piece: number_of.get(piece, number) for piece, number in sorted(known.items(), key=lambda e: e[1])
    }
    return _canonical(fields)


def _canonical(fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _check_fields(fields: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    if set(fields) != {"kind", *kinds} or not all(isinstance(fields[name], kind) for name, kind in kinds.items()):
        raise UserError(
            f"a saved vocabulary of pieces has the fields 'kind', {', '.join(map(repr, kinds))}, not {sorted(fields)}"
        )
