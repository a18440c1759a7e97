"""The kinds of tokens, and the policies for unknown characters."""

from typing import Literal

VocabularyKind = Literal["chars", "bytes"]
CaptionUnit = Literal["words", "chars", "bytes"]
NormalForm = Literal["none", "nfc", "nfd"]
UnknownPolicy = Literal["error", "skip", "replace"]
