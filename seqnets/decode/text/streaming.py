"""Text from a stream of tokens: complete characters, up to a length, without the stop string."""

import re
from collections.abc import Sequence
from typing import Any

from seqnets.data.text.normal_form import normalized, shown
from seqnets.data.text.vocabulary import Vocabulary
from seqnets.errors import UserError


class TextStream:
    """Returns text as soon as it is certain.

    The text ends after `length` characters, or just before the first stop string, whichever comes first. If there
    are several stop strings, the one completed first counts; of several completed at once, the longest. Text that may be the
    beginning of a stop string is held back, so the result does not depend on how the tokens are cut into pieces.

    Args:
        vocabulary: the vocabulary of the tokens.
        length: the most characters.
        stop: strings that end the text and are not part of it.

    Raises:
        UserError: a stop string is empty, or has a character that the vocabulary lacks.

    Example:
        >>> stream = TextStream(Vocabulary.from_text("abc"), length=10, stop=["cab"])
        >>> [stream.push([0, 1, 2]), stream.push([0]), stream.push([0, 2, 0, 1, 1])], stream.finished
        (['ab', '', 'caa'], True)
    """

    def __init__(self, vocabulary: Vocabulary, length: int, stop: Sequence[str] = ()) -> None:
        if "" in stop:
            raise UserError("a stop string must have at least one character; leave `stop` out to have none")
        stop = [normalized(text, vocabulary.normalize) for text in stop]
        for text in stop:
            stop_tokens(vocabulary, text)
        self.finished = length == 0
        self._decoder = vocabulary.decoder()
        self._left = length
        self._held = ""
        self._stop = tuple(stop)
        self._begun = re.compile("|".join(_prefixes(stop))) if stop else None

    def push(self, tokens: Any) -> str:
        """Take the next tokens and return the text that is certain now."""
        if self.finished:
            return ""
        text = (self._held + self._decoder.push(tokens))[: self._left]
        end = self._end(text)
        self.finished = end is not None or len(text) == self._left
        sure = end if end is not None else len(text) if self.finished else self._certain(text)
        self._held = text[sure:]
        self._left -= sure
        return text[:sure]

    def _end(self, text: str) -> int | None:
        found = [(text.find(stop) + len(stop), text.find(stop)) for stop in self._stop if stop in text]
        return min(found)[1] if found else None

    def _certain(self, text: str) -> int:
        match = self._begun.search(text) if self._begun else None
        return match.start() if match else len(text)


def stop_tokens(vocabulary: Vocabulary, stop: str) -> tuple[int, ...]:
    """Return the tokens of a stop string.

    Raises:
        UserError: the vocabulary lacks one of its characters.

    Example:
        >>> stop_tokens(Vocabulary.from_text("abc"), "x")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: the stop string 'x' can never occur: the model has no character 'x'; leave it out or correct it
    """
    stop = normalized(stop, vocabulary.normalize)
    known = vocabulary.encode(stop, unknown="skip")
    if vocabulary.kind == "chars" and len(known) < len(stop):
        unknown = next(character for character in stop if character not in vocabulary.characters)
        raise UserError(
            f"the stop string {stop!r} can never occur: the model has no character {shown(unknown)}; leave it out or correct it"
        )
    return tuple(known.tolist())


def _prefixes(stop: Sequence[str]) -> list[str]:
    # the longest first, at the end of the text only
    return sorted({re.escape(text[:size]) + r"\Z" for text in stop for size in range(1, len(text))}, key=len, reverse=True) or [
        r"(?!)"
    ]
