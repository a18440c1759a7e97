"""Which part of a text is for training, which for validation, which for testing."""

import bisect
import math
from fractions import Fraction

from seqnets.data.text.config import TextConfig
from seqnets.errors import UserError

_LEAST_HELD_OUT = 2  # one token to read and one to predict


def split_bounds(size: int, config: TextConfig) -> dict[str, tuple[int, int]]:
    """Return where each split of a text of `size` tokens starts and stops: train, then validation, then test.

    Example:
        >>> split_bounds(1_115_394, TextConfig())
        {'train': (0, 1003854), 'validation': (1003854, 1115394)}
    """
    # decimal fractions, not binary ones: 1 - 0.1 - 0.2 is 0.7
    shares = {"validation": Fraction(str(config.validation_fraction)), "test": Fraction(str(config.test_fraction))}
    train = math.floor(size * (1 - sum(shares.values())))
    validation = math.floor(size * (1 - shares["test"]))
    bounds = {"train": (0, train), "validation": (train, validation), "test": (validation, size)}
    return {name: bound for name, bound in bounds.items() if shares.get(name, 1)}


def check_long_enough(size: int, config: TextConfig, name: str, unit: str) -> None:
    """Refuse a text too short for one window of training, or for two tokens in what is held out.

    Raises:
        UserError: it is; the message says how many characters are needed and what to lower.
    """
    if _fits(size, config):
        return
    enough = size + 1
    while not _fits(enough, config):
        enough *= 2
    least = size + bisect.bisect_left(range(size, enough), True, key=lambda tokens: _fits(tokens, config))
    raise UserError(
        f"{name} has {size:,} {unit}{'' if size == 1 else 's'}, too few for one window of {config.window:,} to train on"
        f"{_held_out(config)}; give at least {least:,}{_advice(size, config)}"
    )


def _fits(size: int, config: TextConfig) -> bool:
    least = {"train": config.window + 1}
    bounds = split_bounds(size, config).items()
    return all(stop - start >= least.get(name, _LEAST_HELD_OUT) for name, (start, stop) in bounds)


def _held_out(config: TextConfig) -> str:
    share = config.validation_fraction + config.test_fraction
    return f" after {share:.4g} of it is held out" if share else ""


def _advice(size: int, config: TextConfig) -> str:
    train = split_bounds(size, config)["train"][1]
    if config.window >= train >= 2:
        return f", or lower --data.window to {train - 1:,} or less"
    return ", or lower --data.window and set --data.validation-fraction to 0" if size >= 2 else ""
