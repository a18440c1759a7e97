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
from seqnets.settings.records import Remark, as_mapping, names, remarks, replaced, settle
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
    "Remark",
    "as_mapping",
    "choice",
    "described",
    "dumps",
    "loads",
    "names",
    "parsed",
    "read",
    "remarks",
    "renewed",
    "replaced",
    "settle",
    "whole",
]
