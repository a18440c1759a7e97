"""Which part of the source a translator looked at for each token it wrote (extra [viz])."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqnets.errors import UserError


def alignment_figure(source: Sequence[str], translation: Any) -> Any:
    """Draw the attention of a translation: a row a written token, a column a token of the source, the darker the more.

    Args:
        source: the tokens of the source, S.
        translation: a `seqnets.decode.captions.hypothesis.Caption` with words and attention `(T, L)`, L at least S.

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
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("a picture needs matplotlib; pip install 'seqnets[viz]'") from None
    written = translation.words
    figure = Figure((1 + 0.25 * len(source), 1 + 0.25 * len(written)), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.asarray(translation.attention)[:, : len(source)], cmap="Greys", vmin=0, vmax=1, aspect="equal")
    axes.set_xticks(range(len(source)), list(source))
    axes.set_yticks(range(len(written)), list(written))
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    return figure
