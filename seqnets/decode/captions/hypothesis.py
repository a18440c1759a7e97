"""A caption from a model, with its attention."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqnets.errors import UserError


@dataclass(frozen=True, eq=False)
class Caption:
    """A caption of an image.

    Args:
        text: the sentence.
        tokens: int32 of shape (T,), its words (or characters); without begin and end.
        log_prob: ln p(tokens, and the end if it came | image).
        attention: float32 of shape (T, L), where the model looked before each word, each row of sum 1; None for a model
            without attention.
        words: the text of each token.
        score: log_prob divided by the length penalty; ranks the captions of an image.
        ended: whether the model ended the caption; otherwise it was cut off at the maximum length.
        grid: rows and columns of the L locations, which run row by row; None where unknown.
        image: uint8 of shape (H, W, 3), the image as the model saw it; None where features were given.
    """

    text: str
    tokens: np.ndarray
    log_prob: float
    attention: np.ndarray | None = field(default=None, repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)
    score: float = 0.0
    ended: bool = True
    grid: tuple[int, int] | None = field(default=None, repr=False)
    image: np.ndarray | None = field(default=None, repr=False)

    @property
    def maps(self) -> np.ndarray:
        """The attention as pictures, float32 of shape (T, rows, columns).

        Raises:
            UserError: the model has no attention.
        """
        if self.attention is None:
            raise UserError("this caption comes from a model without attention; it has no attention maps to show")
        return self.attention.reshape(-1, *(self.grid or square_grid(self.attention.shape[1])))

    def _repr_html_(self) -> str:
        from seqnets.viz.words import caption_html

        return caption_html(self)

    def attention_figure(self, **settings: Any) -> Any:
        """Return a matplotlib figure: the image, and for every word the image with the attended regions lit.

        Args:
            **settings: arguments of `seqnets.viz.attention.attention_figure`.

        Raises:
            UserError: the model has no attention, the image is not known, or matplotlib is not installed.
        """
        maps = self.maps
        if self.image is None:
            raise UserError("this caption was made from features, not from an image; pass the image to viz.attention_figure")
        from seqnets.viz.attention import attention_figure

        return attention_figure(self.image, self.words, maps, **{"title": self.text, **settings})


def square_grid(locations: int) -> tuple[int, int]:
    """Return the rows and columns of a square map.

    Raises:
        UserError: the number is not a square.

    Example:
        >>> square_grid(196)
        (14, 14)
    """
    side = round(locations**0.5)
    if side * side != locations:
        raise UserError(f"attention over {locations} locations is not a square map; give its rows and columns as `grid`")
    return side, side
