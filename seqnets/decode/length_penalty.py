"""How log-probabilities of texts of different lengths are made comparable."""

from typing import Any


def length_penalty(size: Any, power: Any) -> Any:
    """Return what a log-probability is divided by: ((5 + n) / 6)^power, which is 1 for one token.

    Args:
        size: n, the number of tokens, the end or stop included; any shape.
        power: 0 leaves log-probabilities as they are, which favors short texts; larger powers favor longer ones.

    References:
        Wu et al., Google's neural machine translation system, 2016, equation 14.

    Example:
        >>> length_penalty(13, 1.0)
        3.0
    """
    return ((5 + size) / 6) ** power
