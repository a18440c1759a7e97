"""Frozen dataclasses as settings: checked, read from and written to TOML, and overridden one by one."""

from seqnets.settings.ranges import (
    ABOVE_ZERO,
    LAYERS,
    NOT_NEGATIVE,
    POSITIVE,
    RATE,
    SEED,
    SHARE,
    SHARE_ABOVE_ZERO,
    WIDTH,
    Range,
)
from seqnets.settings.records import as_mapping, names, replaced, settle
from seqnets.settings.toml import dumps, loads, read, renewed
from seqnets.settings.values import WORDS, choice, described, parsed, whole

__all__ = [
    "ABOVE_ZERO",
    "LAYERS",
    "NOT_NEGATIVE",
    "POSITIVE",
    "RATE",
    "SEED",
    "SHARE",
    "SHARE_ABOVE_ZERO",
    "WIDTH",
    "WORDS",
    "Range",
    "as_mapping",
    "choice",
    "described",
    "dumps",
    "loads",
    "names",
    "parsed",
    "read",
    "renewed",
    "replaced",
    "settle",
    "whole",
]
