"""The allowed ranges of numbers."""

from typing import NamedTuple

from seqnets.errors import UserError


class Range(NamedTuple):
    """The allowed range of a number; it stands at the setting: `layers: Annotated[int, POSITIVE] = 1`.

    Example:
        >>> Range(above=0, most=1).check("top_p", 1.5)
        Traceback (most recent call last):
        ...
        seqnets.errors.UserError: top_p must be above 0 and at most 1, not 1.5
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __str__(self) -> str:
        words = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        return " and ".join(f"{word} {_in_words(bound)}" for word, bound in words.items() if bound is not None)

    def check(self, name: str, value: float) -> None:
        """Refuse a number outside the range.

        Raises:
            UserError: the number is outside; the message names the setting.
        """
        inside = (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )
        if not inside:
            raise UserError(f"{name} must be {self}, not {value!r}")


NOT_NEGATIVE, POSITIVE, ABOVE_ZERO = Range(least=0), Range(least=1), Range(above=0)
RATE, SHARE = Range(least=0, below=1), Range(least=0, most=1)
SHARE_ABOVE_ZERO = Range(above=0, most=1)
SEED = Range(least=0, below=1 << 32)  # JAX and NumPy would silently use another seed beyond this

WIDTH = Range(least=1, most=1 << 16)  # a larger layer has tens of gigabytes of weights

LAYERS = Range(least=1, most=1000)


def _in_words(bound: float) -> str:
    return "2^32" if bound == 1 << 32 else f"{bound:,}"
