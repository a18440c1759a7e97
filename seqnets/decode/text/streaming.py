"""Text from a stream of tokens: complete characters, up to a length, without the stop string."""

import re
from collections.abc import Sequence
from typing import Any

from seqnets.data.text.normal_form import normalized, shown
from seqnets.data.text.text_vocabulary import TextVocabulary
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
        again: what the first token repeats of the text before, and is left out.

    Raises:
        UserError: a stop string is empty, or has a character that the vocabulary lacks.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> stream = TextStream(Vocabulary.from_text("abc"), length=10, stop=["cab"])
        >>> [stream.push([0, 1, 2]), stream.push([0]), stream.push([0, 2, 0, 1, 1])], stream.finished
        (['ab', '', 'caa'], True)
    """

    def __init__(self, vocabulary: TextVocabulary, length: int, stop: Sequence[str] = (), *, again: str = "") -> None:
        if "" in stop:
            raise UserError("a stop string must have at least one character; leave `stop` out to have none")
        stop = [known_stop(vocabulary, text) for text in stop]
        self.finished = length == 0
        self._decoder = vocabulary.decoder()
        self._left = length
        self._held = ""
        self._again = len(again)
        self._stop = tuple(stop)
        self._begun = re.compile("|".join(_prefixes(stop))) if stop else None

    def push(self, tokens: Any) -> str:
        """Take the next tokens and return the text that is certain now."""
        if self.finished:
            return ""
        new = self._decoder.push(tokens)
        text = (self._held + new[self._again :])[: self._left]
        self._again = max(0, self._again - len(new))
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


def known_stop(vocabulary: TextVocabulary, stop: str) -> str:
    """Return a stop string in the normal form of a vocabulary.

    Raises:
        UserError: the vocabulary lacks one of its characters.

    Example:
        >>> from seqnets.data import Vocabulary
        >>> known_stop(Vocabulary.from_text("abc"), "x")
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: the stop string 'x' can never occur: the model has no character 'x'; leave it out or correct it
    """
    stop = normalized(stop, vocabulary.normalize)
    unknown = next((character for character in stop if vocabulary.count_unknown(character)), None)
    if unknown is not None:
        raise UserError(
            f"the stop string {stop!r} can never occur: the model has no character {shown(unknown)}; leave it out or correct it"
        )
    return stop


def _prefixes(stop: Sequence[str]) -> list[str]:
    # the longest first, at the end of the text only
    return sorted({re.escape(text[:size]) + r"\Z" for text in stop for size in range(1, len(text))}, key=len, reverse=True) or [
        r"(?!)"
    ]
