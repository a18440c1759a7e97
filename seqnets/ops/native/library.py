"""Registers the compiled kernels with XLA."""

import ctypes
import os
from functools import cache

import jax

from seqnets.ops.native import build
from seqnets.ops.native.cells import CELLS

SYMBOLS = ("seqnets_pack", *(f"seqnets_{name}_{work}" for name in CELLS for work in ("forward", "backward", "step")))


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, registered with XLA at the first call, or None if they are not available.

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


@cache
def default_threads() -> int:
    """Return the number of threads set in the environment; 0 for all threads of XLA's pool."""
    said = os.environ.get("SEQNETS_THREADS", "").strip() or "0"
    if said.isdecimal() and len(said) < 10:
        return int(said)
    build.tell(f"SEQNETS_THREADS is {said[:40]!r}, which is not a whole number: the kernels take as many threads as XLA does")
    return 0
