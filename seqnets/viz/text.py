"""The text of figures: a font for every script, no formulas, and no text wider than its place (extra [viz])."""

import io
import math
import textwrap
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from seqnets.errors import UserError

Tell = Callable[[str], None]

_SMALLEST = 6  # points
_UNSEEN = ("Cc", "Cf", "Mn", "Zl", "Zp", "Zs")  # categories that a font may lack, or that combine with others
# fonts of boxes or colors, or with characters that do not match their code points
_NO_LETTERS = ("last resort", "lastresort", "color", "nonunicode", "stixsize", "cmex", "cmsy", "cmmi", "adobe blank")
_NAMES = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean", "DEVANAGARI": "Hindi"}
_FONTS = {
    **dict.fromkeys(("Chinese", "Japanese", "Korean"), "Noto Sans CJK"),
    "Hindi": "Noto Sans Devanagari",
    "emoji": "Noto Emoji",
    "symbol": "Noto Sans Symbols",
}


def warn(sentence: str) -> None:
    """Issue a sentence as a Python warning."""
    warnings.warn(sentence, UserWarning, stacklevel=4)


def new_figure(size: tuple[float, float], **options: Any) -> Any:
    """Make a matplotlib figure that does not warn about each missing character.

    Args:
        size: in inches.
        **options: options of `matplotlib.figure.Figure`.

    Raises:
        UserError: matplotlib is not installed.
    """
    return _figure_class()(size, **options)


def font_families(text: str, tell: Tell = warn) -> list[str] | None:
    """Return the names of fonts that have all characters of a text, the defaults first; None if the defaults suffice.

    Args:
        text: the text to draw.
        tell: called with a sentence where no installed font has some of them.

    Example:
        >>> font_families("a dog, ein Hund, собака") is None
        True
    """
    from matplotlib import font_manager, rcParams

    usual = font_manager.FontProperties()
    missing = {sign for sign in text if unicodedata.category(sign) not in _UNSEEN}
    missing -= _characters(font_manager.findfont(usual))
    if not missing:
        return None
    found, missing = _fonts_with(missing)
    if missing:
        tell(_lacking(missing))
    return [*rcParams["font.family"], *found]


def plain(text: str) -> str:
    r"""Return a text with formulas escaped for matplotlib.

    Example:
        >>> plain("$5")
        '\\$5'
    """
    return text.replace("$", r"\$")


def fitted(word: str, width: int, size: float) -> tuple[str, float]:
    """Return a word and a font size that fit into a place: in smaller letters, or cut off with dots.

    Args:
        word: any text.
        width: how many narrow letters of the full size fit.
        size: the full size, in points.

    Example:
        >>> fitted("dog", 16, 11), fitted("a" * 22, 16, 11), fitted("a" * 99, 10, 12)
        (('dog', 11), ('aaaaaaaaaaaaaaaaaaaaaa', 8.0), ('aaaaaaaaaaaaaaaaaaa…', 6.0))
    """
    most = math.floor(width * size / _SMALLEST)
    if width_of(word) > most:
        while width_of(word) >= most:
            word = word[:-1]
        word += "…"
    return word, size if width_of(word) <= width else size * width / width_of(word)


def wrapped(text: str, width: int) -> str:
    r"""Return a text in lines of a width in narrow letters.

    Example:
        >>> wrapped("a dog runs", 5), wrapped("一只狗", 4)
        ('a dog\nruns', '一只\n狗')
    """
    return textwrap.fill(text, max(1, width * len(text) // max(1, width_of(text))))


def width_of(text: str) -> int:
    """Return the width of a text in narrow letters: Chinese and other wide characters count as two.

    Example:
        >>> width_of("a dog"), width_of("狗")
        (5, 2)
    """
    marks = ("Mn", "Me", "Cf")
    return sum(1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text if unicodedata.category(sign) not in marks)


def _fonts_with(missing: set[str]) -> tuple[list[str], set[str]]:
    found, fonts = list[str](), {font.name: _characters(font.fname) for font in _installed()}
    while fonts and missing:
        # in a tie, prefer a font of the whole script to one with a few borrowed characters
        best = max(fonts, key=lambda name: (len(missing & fonts[name]), len(fonts[name])))
        if not missing & fonts[best]:
            break
        found, missing = [*found, best], missing - fonts[best]
    return found, missing


def _installed() -> list[Any]:
    from matplotlib import font_manager

    manager = font_manager.fontManager
    # matplotlib caches its list of fonts, which lacks those installed later
    for path in set(font_manager.findSystemFonts()) - {font.fname for font in manager.ttflist}:
        _add(path)
    letters = [font for font in manager.ttflist if not any(name in font.name.lower() for name in _NO_LETTERS)]
    # the last one of a name wins: the upright one of regular weight
    return sorted(letters, key=lambda font: (font.style == "normal", str(font.weight) in ("400", "normal")))


@cache
def _add(path: str) -> None:
    from matplotlib import font_manager

    try:
        font_manager.fontManager.addfont(path)
    except Exception:  # a damaged or strange file is not a font
        return


@cache
def _characters(path: str) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except Exception:
        return frozenset()


def _lacking(missing: set[str]) -> str:
    scripts = dict(Counter(map(_script, sorted(missing))).most_common())
    example = next(sign for sign in sorted(missing) if _script(sign) == next(iter(scripts)))
    fonts = dict.fromkeys(_FONTS.get(script, f"Noto Sans {script}") for script in scripts)
    return (
        f"no installed font has the {_listed(scripts)} characters of the figure (such as {example}), which shows boxes in their "
        f"place; install a font that has them, such as {_listed(fonts)}"
    )


def _script(sign: str) -> str:
    if ord(sign) >= 0x1F000 and unicodedata.category(sign) in ("So", "Sk", "Cn"):
        return "emoji"
    first = unicodedata.name(sign, "SYMBOL").split()[0].split("-")[0]
    # names of symbols do not begin with a script's name
    return _NAMES.get(first, first.title() if unicodedata.category(sign)[0] in "LMN" else "symbol")


def _listed(names: Any) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


@cache
def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("pictures need matplotlib; install it with: pip install 'seqnets[viz]'") from None

    class QuietFigure(Figure):
        def draw(self, renderer: Any) -> None:
            with _quietly():
                super().draw(renderer)

        def savefig(self, *arguments: Any, **options: Any) -> None:
            with _quietly():
                super().savefig(*arguments, **options)

        def _repr_png_(self) -> bytes:  # notebooks show figures of pyplot by themselves, others only so
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return QuietFigure


@contextmanager
def _quietly() -> Iterator[None]:
    # missing characters were already reported in one sentence
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from")
        yield
