"""What a token may stand for, and what may be done with a character that has none."""

from typing import Literal

VocabularyKind = Literal["chars", "bytes"]
CaptionUnit = Literal["words", "chars", "bytes"]
NormalForm = Literal["none", "nfc", "nfd"]
UnknownPolicy = Literal["error", "skip", "replace"]
