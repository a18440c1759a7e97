"""The compiled kernels as XLA knows them."""

import ctypes
import os
from functools import cache

import jax

from seqnets.ops.native import build
from seqnets.ops.native.cells import CELLS

SYMBOLS = ("seqnets_pack", *(f"seqnets_{name}_{work}" for name in CELLS for work in ("forward", "backward", "step")))


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, known to XLA from the first call on, or None where they cannot be had.

    Example:
        >>> library() is library()
        True
    """
    compiled = build.library()
    if compiled is None:
        return None
    for symbol in SYMBOLS:
        jax.ffi.register_ffi_target(symbol, jax.ffi.pycapsule(getattr(compiled, symbol)), platform="cpu")
    compiled.seqnets_set_threads(ctypes.c_int64(default_threads()))
    return compiled


def default_threads() -> int:
    """Return how many threads the environment asks for; 0 for as many as XLA's own pool has."""
    return int(os.environ.get("SEQNETS_THREADS", 0))
