"""Unicode's normal forms: one spelling for letters that can be written as one or several characters."""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import cast

from seqnets.data.token_kinds import NormalForm

FORMS = ("nfc", "nfd")
_WORDS = {"nfc": "composed", "nfd": "decomposed"}


def normalized(text: str, form: NormalForm) -> str:
    r"""Return a text in a normal form.

    Args:
        text: any text.
        form: "nfc", composed; "nfd", decomposed; "none" leaves it as it is.

    Example:
        >>> normalized("e\u0301", "nfc") == "\u00e9", len(normalized("\u00e9", "nfd"))
        (True, 2)
    """
    return text if form == "none" or text.isascii() else unicodedata.normalize(form.upper(), text)  # pyright: ignore


def normalized_blocks(blocks: Iterable[tuple[str, int | None]], form: NormalForm) -> Iterator[tuple[str, int | None]]:
    r"""Yield the blocks of a text in a normal form; the joined result does not depend on where blocks were cut.

    Args:
        blocks: pieces of a text, each with the byte at which it begins; None where that is not known.
        form: see `normalized`.

    Example:
        >>> [text for text, _ in normalized_blocks([("cafe", 0), ("\u0301 au", 4)], "nfc")]
        ['caf', 'é a', 'u']
    """
    if form == "none":
        yield from blocks
        return
    held, begin = "", None
    for text, offset in blocks:
        begin = begin if held else offset
        held += text
        # an ASCII character never combines with the one before it
        sure = next((place for place in range(len(held) - 1, 0, -1) if held[place] < "\x80"), 0)
        if sure:
            yield normalized(held[:sure], form), begin
            held, begin = held[sure:], offset
    if held:
        yield normalized(held, form), begin


def fitting_form(text: str, characters: str) -> NormalForm | None:
    r"""Return the normal form in which all characters of a text are known; None where there is none.

    Example:
        >>> fitting_form("e\u0301", "\u00e9"), fitting_form("x", "y")
        ('nfc', None)
    """
    known = set(characters)
    return next((cast(NormalForm, form) for form in FORMS if known.issuperset(normalized(text, cast(NormalForm, form)))), None)


def form_in_words(form: NormalForm) -> str:
    """Return the name of a form for use in a sentence.

    Example:
        >>> form_in_words("nfd")
        'decomposed (NFD)'
    """
    return f"{_WORDS[form]} ({form.upper()})"


def shown(character: str) -> str:
    r"""Return a character in readable form: an invisible or combining one as its number and name.

    Example:
        >>> shown("f"), shown("\u0301")
        ("'f'", 'U+0301 (COMBINING ACUTE ACCENT)')
    """
    kind = unicodedata.category(character)
    if kind[0] in "LNPS" or kind == "Cc" or character == " ":
        return repr(character)
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}{f' ({name})' if name else ''}"


def spelled_twice(characters: str) -> str | None:
    r"""Return a letter that a text may spell both as one character and as several; None where there is none.

    Args:
        characters: the characters of the text.

    Example:
        >>> spelled_twice("e\u0301\u00e9"), spelled_twice("e\u00e9")
        ('é', None)
    """
    known = set(characters)
    marks = {character for character in known if unicodedata.combining(character)}
    parts = ((character, set(normalized(character, "nfd"))) for character in characters if marks and ord(character) > 127)
    return next((character for character, split in parts if len(split) > 1 and split <= known and split & marks), None)
