"""Which parts of a text are for training, validation and testing."""

import bisect
import math
from dataclasses import replace
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
    """Refuse a text too short for one training window, or for two tokens in each held-out part.

    Raises:
        UserError: the text is too short; the message says how many characters are needed and what to lower.
    """
    if _fits(size, config):
        return
    enough = size + 1
    while not _fits(enough, config):
        enough *= 2
    least = size + bisect.bisect_left(range(size, enough), True, key=lambda tokens: _fits(tokens, config))
    raise UserError(
        f"{name} has {size:,} {unit}{'' if size == 1 else 's'}, too few {_lacking(size, config)}; "
        f"give at least {least:,}{_advice(size, config)}"
    )


def _fits(size: int, config: TextConfig) -> bool:
    least = {"train": config.window + 1}
    bounds = split_bounds(size, config).items()
    return all(stop - start >= least.get(name, _LEAST_HELD_OUT) for name, (start, stop) in bounds)


def _lacking(size: int, config: TextConfig) -> str:
    bounds = split_bounds(size, config)
    if list(bounds) == ["train"] and config.window == 1:
        return "to read one and predict one"
    if bounds["train"][1] <= config.window:
        share = config.validation_fraction + config.test_fraction
        return f"for one window of {config.window:,} to train on" + (f" after {share:.4g} of it is held out" if share else "")
    name = next(name for name, (start, stop) in bounds.items() if name != "train" and stop - start < _LEAST_HELD_OUT)
    return f"to hold out {getattr(config, f'{name}_fraction'):.4g} of it for {name}, which takes {_LEAST_HELD_OUT}"


def _advice(size: int, config: TextConfig) -> str:
    """Return the first advice that works."""
    train = split_bounds(size, config)["train"][1]
    whole = replace(config, validation_fraction=0.0, test_fraction=0.0)
    fractions = [f"--data.{name}-fraction" for name in ("validation", "test") if getattr(config, f"{name}_fraction")]
    nothing_held_out = f"set {' and '.join(fractions)} to 0"
    ways = (
        (replace(config, window=max(1, train - 1)), f"lower --data.window to {train - 1:,} or less"),
        (whole, nothing_held_out),
        (replace(whole, window=max(1, size - 1)), f"{nothing_held_out} and --data.window to {size - 1:,} or less"),
    )
    return next((f", or {advice}" for way, advice in ways if _fits(size, way)), "")
