"""Which part of the source a translator looked at for each token it wrote (extra [viz])."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqnets.errors import UserError
from seqnets.viz.text import Tell, fitted, font_families, new_figure, plain, warn, width_of

_LETTERS, _LETTER_INCHES, _SIZE = 16, 0.09, 10


def alignment_figure(source: Sequence[str], translation: Any, *, tell: Tell = warn) -> Any:
    """Draw the attention of a translation: a row per written token, a column per source token; darker means more attention.

    Args:
        source: the tokens of the source, S.
        translation: a `seqnets.decode.captions.hypothesis.Caption` with words and attention `(T, L)`, L at least S.
        tell: called with a sentence where no installed font has some of the characters.

    Returns:
        A `matplotlib.figure.Figure`; its method `savefig` writes it to a file.

    Raises:
        UserError: the translator has no attention, or matplotlib is not installed.

    Example:
        >>> from seqnets.decode.captions.hypothesis import Caption
        >>> translation = Caption("b", np.array([4]), -0.1, np.array([[0.9, 0.1, 0.0]]), ("b",))
        >>> [label.get_text() for label in alignment_figure(["a", "c"], translation).axes[0].get_xticklabels()]
        ['a', 'c']

    References:
        Bahdanau, Cho, Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015, figure 3.
    """
    if translation.attention is None:
        raise UserError("this translator has no attention to show; train with --model.attention additive or dot")
    written = translation.words
    wide, high = (_LETTER_INCHES * max(map(_letters, words), default=0) for words in (written, source))
    figure = new_figure((1 + wide + 0.25 * len(source), 1 + high + 0.25 * len(written)), dpi=110, layout="compressed")
    fonts = font_families("".join([*source, *written]), tell)
    draw_alignment(figure.subplots(), source, translation, fonts)
    return figure


def draw_alignment(axes: Any, source: Sequence[str], translation: Any, fonts: Any) -> None:
    """Draw the attention of a translation into some axes.

    Args:
        axes: of matplotlib.
        source: the tokens of the source.
        translation: a caption with words and attention.
        fonts: the families of fonts for the tokens.
    """
    written = translation.words
    axes.imshow(np.asarray(translation.attention)[:, : len(source)], cmap="Grays", vmin=0, vmax=1, aspect="equal")
    upright = {"rotation": 90} if max(map(_letters, source), default=0) > 2 else {}
    axes.set_xticks(range(len(source)), list(map(_label, source)), fontfamily=fonts, **upright)
    axes.set_yticks(range(len(written)), list(map(_label, written)), fontfamily=fonts)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)


def _label(word: str) -> str:
    return plain(fitted(word, _LETTERS, _SIZE)[0])


def _letters(word: str) -> int:
    return width_of(_label(word))
