"""Captions to words for a model, and words to captions for a person."""

import re
import unicodedata
from collections.abc import Iterable

_LETTER = r"(?:[^\W_]|[\u0300-\u036f\u0900-\u0e4e])"  # the ranges are marks that stand within words, which \w leaves out
_CLITIC = rf"(?:n't|'(?:s|m|d|re|ve|ll))(?!{_LETTER})"
_WORD = rf"{_LETTER}+(?:[-/&'_]{_LETTER}+|[.,:]\d+)*"
_TOKEN = re.compile(rf"{_CLITIC}|{_LETTER}\.(?:{_LETTER}\.)+|{_WORD}|\.{{2,}}|-{{2,}}|\S")
_INSIDE = re.compile(rf"(?<={_LETTER}){_CLITIC}")
_SPELLINGS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "‐": "-", "‑": "-", "\u00ad": None})

_TO_THE_LEFT = frozenset(".,;:!?%)]}…") | {"..", "...", "n't", "'s", "'m", "'d", "'re", "'ve", "'ll"}
_TO_THE_RIGHT = frozenset("([{$£€#")


def word_tokens(text: str) -> list[str]:
    """Return the words of a caption in lower case; punctuation and the clitics n't 's 'm 'd 're 've 'll stand alone.

    Hyphenated words, numbers and times stay whole; typographic quotes and apostrophes become plain ones.

    Args:
        text: a caption; any white space separates words.

    Returns:
        The tokens in order, without white space.

    Example:
        >>> word_tokens("A man's T-shirt isn't red.")
        ['a', 'man', "'s", 't-shirt', 'is', "n't", 'red', '.']
    """
    plain = unicodedata.normalize("NFC", text.translate(_SPELLINGS).lower())
    return _TOKEN.findall(_INSIDE.sub(r" \g<0>", plain))


def joined_words(tokens: Iterable[str]) -> str:
    """Return words as a sentence: clitics and closing punctuation follow without a space, opening punctuation leads.

    Args:
        tokens: as from `word_tokens`.

    Example:
        >>> joined_words("a dog 's ball , and ( perhaps ) a cat .".split())
        "a dog's ball, and (perhaps) a cat."
    """
    pieces: list[str] = []
    glued, quotes = True, {'"': False, "'": False}
    for token in tokens:
        closes = quotes.get(token, False) or (token == "'" and bool(pieces) and pieces[-1].endswith("s"))
        glued = glued or closes or token in _TO_THE_LEFT
        pieces += [token] if glued else [" ", token]
        glued = token in _TO_THE_RIGHT or (token in quotes and not closes)
        if token in quotes:
            quotes[token] = not closes
    return "".join(pieces)
