"""Marks of characters as marks of tokens, and the texts of single tokens."""

from typing import Any

import numpy as np

from seqnets.data.text.scanners import Language, scan


def token_texts(vocabulary: Any, tokens: Any) -> list[str]:
    r"""Return the text of every token; "" for a byte inside of a character, whose text its last byte has.

    Example:
        >>> from seqnets.data.text.vocabulary import Vocabulary
        >>> token_texts(Vocabulary("bytes"), list("né".encode()))
        ['n', '', 'é']
    """
    decoder = vocabulary.decoder()
    texts = [decoder.push([int(token)]) for token in tokens]
    rest = decoder.finish()
    return [*texts[:-1], texts[-1] + rest] if texts else []


def token_marks(texts: list[str], language: Language) -> dict[str, np.ndarray]:
    """Return the marks of the last character of every token, or of the character that it is part of.

    Args:
        texts: as `token_texts` returns them.
        language: what the text is written in.

    Returns:
        Arrays `(N,)` by name, as `seqnets.inspect.scan` returns them for characters.

    Example:
        >>> token_marks(['"', "", "é", '"'], "prose")["quotes"].tolist()
        [True, True, True, True]
    """
    ends = np.cumsum([len(text) for text in texts])
    begins = ends - [len(text) for text in texts]
    last = np.where(ends > begins, ends - 1, begins)  # an empty text belongs to the next character
    whole = "".join(texts)
    return {name: marks[np.minimum(last, len(whole) - 1)] for name, marks in scan(whole, language).items()} if whole else {}


def token_names(vocabulary: Any) -> list[str]:
    r"""Return what to call every token of a vocabulary: its text, or the value of a byte that is no character.

    Example:
        >>> from seqnets.data.text.vocabulary import Vocabulary
        >>> names = token_names(Vocabulary("bytes"))
        >>> names[65], names[0xC3]
        ('A', '\\xc3')
    """
    if vocabulary.kind == "bytes":
        return [chr(byte) if byte < 128 else f"\\x{byte:02x}" for byte in range(256)]
    return [vocabulary.decode([token]) for token in range(len(vocabulary))]
