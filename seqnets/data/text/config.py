"""The settings of a text: the section [data] of a run's config."""

import codecs
from dataclasses import dataclass
from typing import Annotated

from seqnets import settings
from seqnets.data.fractions import check_fractions
from seqnets.data.text.escapes import unescaped
from seqnets.data.token_kinds import ItemKind, NormalForm, VocabularyKind
from seqnets.errors import UserError

VOCABULARY_SIZE = 2048
ITEM_SEPARATORS = {"lines": "\n", "paragraphs": "\n\n"}


@dataclass(frozen=True)
class TextConfig:
    """How a text is read, encoded and split.

    Raises:
        UserError: a setting is out of its range or contradicts another one; the message names it.

    Example:
        >>> TextConfig(vocabulary="bytes", validation_fraction=0.05).window
        128
    """

    vocabulary: VocabularyKind = "chars"
    """What a token is: a character (Unicode code point) of the text; a byte, which fits every text; a frequent word (words), or a
    piece found by byte pair encoding (bpe), both learned from the training part, with bytes for all else."""
    window: Annotated[int, settings.POSITIVE] = 128
    """The number of tokens that the gradient flows back through; the state continues from window to window."""
    validation_fraction: Annotated[float, settings.RATE] = 0.1
    """Share of the text, after the training part, that is held out for validation; 0 for none."""
    test_fraction: Annotated[float, settings.RATE] = 0.0
    """Share of the text, at its end, that is held out for testing; 0 for none."""
    separator: str = ""
    r"""What ends a document (\n, \t, \r, \0, \xNN, \uNNNN are understood): the state is reset there. Also put
    between files that do not end with it. Empty for none."""
    items: ItemKind = "none"
    """Whether the text is a list of separate items, such as names: lines, paragraphs (between blank lines), or none. The model
    learns where items begin and end, they are shuffled in each epoch, and equal items are held out together."""
    encoding: str = "utf-8"
    """Encoding of the files, for a vocabulary of characters; a byte order mark at the start of a file is left out."""
    normalize: NormalForm = "none"
    """The Unicode normal form of the text, of prompts and of scored texts: nfc (é is one character), nfd (é is two), or none
    to leave them as they are."""
    in_memory_megabytes: Annotated[int, settings.NOT_NEGATIVE] = 64
    """Texts up to this size stay in memory; longer ones are encoded once into a memory-mapped file."""
    cache_directory: str = ""
    """Where encoded texts are kept; empty for $SEQNETS_CACHE or ~/.cache/seqnets."""

    @property
    def separator_text(self) -> str:
        r"""What ends a document or an item, with its escapes resolved.

        Example:
            >>> TextConfig(separator=r"\n\n").separator_text == "\n" * 2
            True
        """
        return ITEM_SEPARATORS.get(self.items) or unescaped(self.separator, "data.separator")

    vocabulary_size: Annotated[int, settings.Range(least=256, most=1 << 16)] = VOCABULARY_SIZE
    """The most tokens of a vocabulary of words or pieces, the 256 bytes included."""

    def __post_init__(self) -> None:
        settings.settle(self, "data")
        check_fractions(self.validation_fraction, self.test_fraction)
        _check_encoding(self.encoding, self.vocabulary)
        if self.vocabulary == "bytes" and self.normalize != "none":
            raise UserError("data.normalize has no effect on data.vocabulary 'bytes'; leave one of them out")
        if self.items != "none" and self.separator:
            raise UserError(f"data.items {self.items!r} has a separator of its own; leave data.separator out")
        if self.vocabulary in ("chars", "bytes") and self.vocabulary_size != VOCABULARY_SIZE:
            raise UserError(f"data.vocabulary_size has no effect on data.vocabulary {self.vocabulary!r}; leave one of them out")
        if self.items != "none" and self.vocabulary in ("words", "bpe"):
            raise UserError(f"data.items needs data.vocabulary 'chars' or 'bytes', not {self.vocabulary!r}")
        _ = self.separator_text


def _check_encoding(encoding: str, kind: str) -> None:
    try:
        name = codecs.lookup(encoding).name
        "".encode(encoding)  # only text encodings can do this; base64 and similar codecs cannot
        codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError):
        raise UserError(f"data.encoding {encoding!r} is unknown; pass one that Python knows, such as utf-8") from None
    if kind == "bytes" and name != "utf-8":
        raise UserError(f"data.encoding {encoding!r} has no effect on data.vocabulary 'bytes'; leave one of them out")
