"""Scripts that are written without spaces between words, such as Chinese, Japanese and Thai."""

import re
import unicodedata
from collections.abc import Iterable

_RANGES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f"
_UNSPACED = re.compile(f"[{_RANGES}\U00020000-\U0003ffff]")
_PIECE = re.compile(f"[{_RANGES}\U00020000-\U0003ffff]|[^{_RANGES}\U00020000-\U0003ffff]+")
_LONG_PIECE = 6  # characters between spaces; separated words have one to four


def is_unspaced(texts: Iterable[str]) -> bool:
    """Return whether texts are mostly in scripts without spaces between words, and have not been separated into words.

    Example:
        >>> is_unspaced(["一只狗在草地上奔跑"]), is_unspaced(["一 只 狗 在 草地 上 奔跑"]), is_unspaced(["a dog 狗"])
        (True, False, False)
    """
    letters = others = pieces = count = 0
    for text in texts:
        inside = [len(found) for piece in text.split() if (found := _UNSPACED.findall(piece))]
        letters, pieces, count = letters + sum(inside), pieces + len(inside), count + bool(inside)
        others += sum(map(str.isalpha, text)) - sum(map(str.isalpha, "".join(_UNSPACED.findall(text))))
    return letters > others and (letters >= _LONG_PIECE * pieces or pieces < 1.5 * count)


def characters_apart(word: str) -> list[str]:
    """Split a word into the characters of scripts without spaces, each with its marks, and the rest.

    Example:
        >>> characters_apart("T恤衫"), len(characters_apart("สุนัข"))
        (['T', '恤', '衫'], 3)
    """
    found: list[str] = []
    for piece in _PIECE.findall(word):
        if found and unicodedata.category(piece[0]).startswith("M"):
            found[-1] += piece
        else:
            found.append(piece)
    return found
