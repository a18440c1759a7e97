"""The kinds of tokens and of items, and the policies for unknown characters."""

from typing import Literal

VocabularyKind = Literal["chars", "bytes", "words", "bpe"]
"""The tokens of a character model: code points of Unicode, or bytes of UTF-8."""
CaptionUnit = Literal["words", "chars", "bytes"]
NormalForm = Literal["none", "nfc", "nfd"]
UnknownPolicy = Literal["error", "skip", "replace"]
"""What happens to a character that the vocabulary lacks: an error, nothing, or a stand-in."""
ItemKind = Literal["none", "lines", "paragraphs"]
"""The items of a text that is a list: lines, paragraphs between blank lines, or none for a text that is one whole."""
