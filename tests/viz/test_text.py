"""Figures in every script: an installed font that has the characters is found, and where none is, one sentence says so."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from seqnets.decode import Caption
from seqnets.viz.alignment import alignment_figure
from seqnets.viz.attention import attention_figure
from seqnets.viz.text import fitted, font_families, width_of, wrapped

font_manager = pytest.importorskip("matplotlib.font_manager")
builder = pytest.importorskip("fontTools.fontBuilder")

IMAGE, MAPS = np.full((48, 64, 3), 180, np.uint8), np.full((2, 2, 2), 0.25)


@pytest.fixture
def bare(monkeypatch):
    """A machine with matplotlib's own Latin font alone."""
    own = [font for font in font_manager.fontManager.ttflist if font.name in ("DejaVu Sans", "Last Resort High-Efficiency")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)


def install(monkeypatch, path, characters, name):
    """Make a font in which each of the characters is a full square."""
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for move, point in [(pen.moveTo, (0, 0)), (pen.lineTo, (0, 1000)), (pen.lineTo, (1000, 1000)), (pen.lineTo, (1000, 0))]:
        move(point)
    pen.closePath()
    glyphs = [".notdef", *(f"u{ord(sign):x}" for sign in characters)]
    font = builder.FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(glyphs)
    font.setupCharacterMap({ord(sign): f"u{ord(sign):x}" for sign in characters})
    square = pen.glyph()
    font.setupGlyf(dict.fromkeys(glyphs, square))
    font.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    font.setupHorizontalHeader(ascent=1000, descent=0)
    font.setupNameTable({"familyName": name, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    known = font_manager.findSystemFonts()
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [*known, str(path)])


def picture(figure):
    file = io.BytesIO()
    figure.savefig(file)
    return np.asarray(Image.open(file).convert("L"))


SCRIPTS = {
    "Chinese": ("一只狗", "Noto Sans CJK"),
    "Japanese": ("いぬ", "Noto Sans CJK"),
    "Korean": ("개가", "Noto Sans CJK"),
    "Hindi": ("कुत्ता", "Noto Sans Devanagari"),
    "Thai": ("สุนัข", "Noto Sans Thai"),
    "Tamil": ("நாய்", "Noto Sans Tamil"),
    "emoji": ("🐕", "Noto Emoji"),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_that_no_font_has_is_named_once_and_matplotlib_is_quiet(bare, script):
    word, advice = SCRIPTS[script]
    reported = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = attention_figure(IMAGE, [word, "a"], MAPS, title=f"{word} a", tell=reported.append)
        picture(figure)
    assert len(reported) == 1
    assert reported[0].startswith(f"no installed font has the {script} characters of the figure (such as ")
    assert reported[0].endswith(f"install a font that has them, such as {advice}")
    assert figure.axes[1].get_title() == word


def test_without_somebody_to_tell_it_is_a_warning(bare):
    with pytest.warns(UserWarning, match="no installed font has the Chinese and emoji characters") as reported:
        picture(attention_figure(IMAGE, ["狗狗", "🐕"], MAPS))
    assert len(reported) == 1
    assert reported[0].filename == __file__


@pytest.mark.parametrize("text", ["a dog", "собака", "σκύλος", "chó", "كلب", "כלב", "a\u200d\ufe0f b\n", ""])
def test_what_the_usual_font_has_needs_no_other(bare, text):
    assert font_families(text, pytest.fail) is None


def test_a_font_installed_since_is_found_and_draws_the_characters(bare, monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "few.ttf", "狗", "Few Signs")
    install(monkeypatch, tmp_path / "many.ttf", "狗一只草", "Many Signs")
    assert font_families("a 狗", pytest.fail)[1:] == ["Many Signs"]
    label = alignment_figure(["狗"], Caption("a", np.arange(1), -1.0, np.array([[0.0]]), ("a",)), tell=pytest.fail)
    dark = picture(label) < 60
    assert max(dark.sum(0)) >= 12  # a square of 10 points at 110 dots an inch
    assert font_families("狗 🐕", lambda sentence: None)[1:] == ["Many Signs"]


def test_several_fonts_are_put_together(bare, monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "chinese.ttf", "狗一", "Only Chinese")
    install(monkeypatch, tmp_path / "hindi.ttf", "कत", "Only Hindi")
    assert font_families("狗 एक".replace("ए", "त"), pytest.fail)[1:] == ["Only Hindi", "Only Chinese"]


def test_damaged_fonts_are_passed_over(bare, monkeypatch, tmp_path):
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    install(monkeypatch, tmp_path / "good.ttf", "狗", "Good Signs")
    known = font_manager.findSystemFonts()
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [*known, str(tmp_path / "bad.ttf")])
    assert font_families("狗", pytest.fail)[1:] == ["Good Signs"]


@pytest.mark.parametrize("word", ["$_$", "$x", "$$", r"\$", "x_$^$"])
def test_dollars_are_no_formulas(word):
    figure = alignment_figure([word, "a"], Caption(word, np.arange(1), -1.0, np.array([[0.5, 0.5]]), (word,)))
    picture(figure)
    picture(attention_figure(IMAGE, [word, "a"], MAPS, title=word))


@pytest.mark.parametrize("word", ["dog", "Donaudampfschifffahrtsgesellschaft", "a" * 500, "狗" * 40])
def test_a_word_stays_in_its_place(bare, word):
    figure = attention_figure(IMAGE, [word, "a"], MAPS, tell=lambda sentence: None)
    picture(figure)
    first, second = (axes.title.get_window_extent() for axes in figure.axes[1:])
    panels = [axes.get_window_extent() for axes in figure.axes]
    assert first.x0 > panels[0].x1 - 12
    assert first.x1 < second.x0 - 12 < panels[2].x1


def test_widths_count_wide_letters_twice():
    assert [width_of(text) for text in ("dog", "狗狗", "é", "🐕", "")] == [3, 4, 1, 2, 0]
    assert all(width_of(line) <= 10 for line in wrapped("一只狗在草地上奔跑" * 3, 10).splitlines())
    word, size = fitted("狗" * 99, 16, 11)
    assert word.endswith("…")
    assert width_of(word) * size <= 16 * 11
